package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"msup/control"
	"msup/logview"
	"msup/units"
)

// attach follows the programs' output and transitions. Ctrl-C stops the project if this
// command has started it, and only ends the following if not.
func (a *app) attach(ctx context.Context, t *target, v *view, from *logview.Positions, signals <-chan os.Signal, owner bool) error {
	follow := a.follow(ctx, t, from)
	defer follow.stop()
	for _, p := range t.project.Programs {
		if why := v.reasons[p.Name]; v.seen(p.Name) {
			follow.note(fmt.Sprintf("%s %s: %s", p.Name, v.programs[p.Name], why))
		}
	}
	if owner {
		follow.note("Ctrl-C stops all programs; msup status shows them")
	} else {
		follow.note("Ctrl-C ends this view; the programs run on")
	}
	// A supervisor that hangs must not make Ctrl-C dead.
	answers := make(chan error, 2)
	ask := func(verb units.Verb, by string) {
		go func() {
			_, err := t.client.Do(ctx, units.Command{Verb: verb, By: by})
			answers <- err
		}()
	}
	asked, interrupts, down := 0, 0, false
	var ended error // the verdict, before going down makes all programs STOPPED
	for {
		if owner && !down && v.finished(t.autostarts()) {
			follow.note("every program has ended")
			down, ended = true, v.gaveUpError()
			asked++
			ask(units.Down, "project going down")
		}
		select {
		case r, ok := <-v.records:
			if !ok {
				if !down {
					if err := a.rejoin(ctx, t, v, follow); err != nil || v.records == nil {
						return err
					}
					continue
				}
				follow.stop()
				if err := a.awaitGone(ctx, t); err != nil {
					return err
				}
				return ended
			}
			v.apply(r)
			if r.Program == "" {
				follow.note(r.Reason)
			} else {
				follow.note(r.String())
			}
		case sig := <-signals:
			if sig != os.Interrupt || !owner {
				follow.note("the programs run on; msup down stops them")
				return nil
			}
			if asked > 0 {
				return &exitError{code: exitFailed, msg: "the supervisor does not answer; the programs run on", hint: "msup down stops them"}
			}
			interrupts++
			verb := units.Down
			if interrupts == 1 {
				follow.note("stopping all programs; Ctrl-C again kills them")
			} else {
				verb = units.Kill
				follow.note("killing all programs")
			}
			down = true
			asked++
			ask(verb, "stopped by Ctrl-C")
		case err := <-answers:
			asked--
			if err != nil && !errors.Is(err, control.ErrNoSupervisor) {
				return err
			}
		}
	}
}

// rejoin goes on with the supervisor that takes the place of the one that has gone. Where
// none does, because somebody ran msup down, v has no records any more.
func (a *app) rejoin(ctx context.Context, t *target, v *view, follow *follower) error {
	_, err := a.awaitSupervisor(ctx, t)
	if err == nil {
		var snap units.Snapshot
		if snap, v.records, err = t.client.Watch(ctx); err == nil {
			v.reset(snap)
			follow.note("another supervisor has taken over; the programs run on")
			return nil
		}
	}
	v.records = nil
	if _, statErr := os.Stat(t.dir); errors.Is(statErr, os.ErrNotExist) {
		return v.gaveUpError()
	}
	return &exitError{code: exitFailed, msg: "the supervisor has gone; the programs run on", hint: "msup status shows them"}
}
