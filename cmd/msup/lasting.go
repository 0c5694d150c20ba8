package main

import (
	"context"
	"errors"
	"time"

	"msup/units"
)

// awayTime is how long the connection to systemd may be away: a daemon-reexec cuts it, and it
// comes back by itself.
const awayTime = 15 * time.Second

// lasting repeats what can be done twice while the connection to systemd is away.
func lasting(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, awayTime)
	defer cancel()
	for {
		err := do()
		if !errors.Is(err, units.ErrDisconnected) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
