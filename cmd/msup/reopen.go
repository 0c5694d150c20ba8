package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// reopen opens all files again, which somebody has moved away.
func (o *outputs) reopen() {
	for _, s := range o.all() {
		s.Reopen()
	}
}

// reopenOnSignal opens all files again at each SIGUSR2, until ctx ends.
func reopenOnSignal(ctx context.Context, o *outputs, log *transitionLog) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				o.reopen()
				log.reopen()
			}
		}
	}()
}
