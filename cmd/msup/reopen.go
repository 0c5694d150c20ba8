package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"msup/capture"
)

// reopen opens all files again, which somebody has moved away.
func (o *outputs) reopen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ps := range o.streams {
		ps.each((*capture.Stream).Reopen)
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
