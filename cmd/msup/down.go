package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"msup/control"
	"msup/units"

	"github.com/spf13/cobra"
)

func downCommand(a *app) *cobra.Command {
	var kill bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop all programs and the supervisor",
		Long: `Stop all programs, the last one first, each with its stop_signal and within its
stop_timeout, and then the supervisor. Nothing is left in systemd.

` + exitStatusHelp,
		Example: "  msup down\n  msup down --kill    # SIGKILL at once",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.down(cmd.Context(), kill) },
	}
	cmd.Flags().BoolVar(&kill, "kill", false, "do not wait for stop_timeout: kill at once")
	return cmd
}

func (a *app) down(ctx context.Context, kill bool) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	asked := false
	for tries := 0; ; tries++ {
		err := a.askDown(ctx, t, kill, &asked)
		if err == nil {
			if err := a.awaitGone(ctx, t); err != nil {
				return err
			}
			a.saySteppedDown(t)
			return nil
		}
		gone := errors.Is(err, control.ErrNoSupervisor) || errors.Is(err, errSupervisorGone) || asked && !errors.Is(err, control.ErrDenied)
		if !gone || tries == downTries || ctx.Err() != nil {
			return err
		}
		// It has done its work, or has died: then the next one comes in a moment, and takes
		// the programs' last words and ends, which would be lost without it.
		back, err := a.awaitReturn(ctx, t)
		if err != nil {
			return err
		}
		if !back {
			return a.downWithoutSupervisor(ctx, t, asked)
		}
	}
}

const (
	downTries = 20 // how often a supervisor may die on the way
)

func (a *app) saySteppedDown(t *target) {
	fmt.Fprintf(a.stdout, "%s stopped\n", plural(len(t.project.Programs), "program", "programs"))
}

// askDown has the supervisor bring everything down, and waits until it is.
func (a *app) askDown(ctx context.Context, t *target, kill bool, asked *bool) error {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	v, _, err := t.view(watch)
	if err != nil {
		return err
	}
	*asked = true
	snap, err := t.client.Do(ctx, units.Command{Verb: units.Down, By: "stopped by msup down"})
	if err != nil {
		return err
	}
	v.reset(snap)
	if kill {
		if _, err := t.client.Do(ctx, units.Command{Verb: units.Kill}); err != nil {
			return err
		}
	}
	return a.await(ctx, v, "stopped", t.names(), v.isDown)
}

// awaitGone waits until systemd has unloaded the supervisor's unit.
func (a *app) awaitGone(ctx context.Context, t *target) error {
	bus, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer bus.Close()
	ctx, cancel := context.WithTimeout(ctx, stopTimeout(t.project))
	defer cancel()
	unit := units.SupervisorUnit(t.project.Name)
	for {
		var list []units.Facts
		err := lasting(ctx, func() (err error) {
			list, err = bus.List(ctx, unit)
			return err
		})
		if err != nil {
			return fmt.Errorf("cannot see the supervisor stop: %w", err)
		}
		if !slices.ContainsFunc(list, func(f units.Facts) bool { return f.ActiveState != "inactive" && f.ActiveState != "failed" }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not stop", unit)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// downWithoutSupervisor stops what runs although no supervisor does.
func (a *app) downWithoutSupervisor(ctx context.Context, t *target, asked bool) error {
	bus, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer bus.Close()
	// One that is loaded all the same would come back and start everything again.
	supervisor := units.SupervisorUnit(t.project.Name)
	var f units.Facts
	err = lasting(ctx, func() (err error) {
		f, err = bus.Read(ctx, supervisor)
		return err
	})
	if err != nil {
		return err
	}
	if f.LoadState != "not-found" && f.Transient {
		err := lasting(ctx, func() error { return bus.Stop(ctx, supervisor) })
		if err != nil && !errors.Is(err, units.ErrNoSuchUnit) {
			return err
		}
		if err := a.awaitGone(ctx, t); err != nil {
			return err
		}
		_ = bus.Reset(ctx, supervisor) // there is nothing to reset if it ended well
	}
	n := 0
	err = lasting(ctx, func() error {
		some, err := units.StopLeftovers(ctx, bus, t.project)
		n += some
		return err
	})
	if err != nil {
		return err
	}
	if t.running || n > 0 {
		if err := leave(bus, t.dir); err != nil {
			return err
		}
	}
	if n == 0 && asked {
		a.saySteppedDown(t)
		return nil
	}
	if n == 0 {
		fmt.Fprintf(a.stdout, "project %s is not running\n", t.project.Name)
		return nil
	}
	fmt.Fprintf(a.stdout, "%s stopped; no supervisor was running\n", plural(n, "unit", "units"))
	return nil
}
