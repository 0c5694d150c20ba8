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

// attached is a command that follows a project.
type attached struct {
	*app
	t      *target
	v      *view
	follow *follower
	owner  bool // it has started the project, so Ctrl-C stops that

	answers     chan error // to what it has asked the supervisor for
	asked       int        // how many are to come
	down        bool       // it has asked for all programs to be stopped
	interrupted bool       // … because of Ctrl-C
	ended       error      // the verdict, before going down makes all programs STOPPED
}

// attach follows the programs' output and transitions. Ctrl-C stops the project if this
// command has started it, and only ends the following if not.
func (a *app) attach(ctx context.Context, t *target, v *view, from *logview.Positions, signals <-chan os.Signal, owner bool) error {
	x := &attached{app: a, t: t, v: v, follow: a.follow(ctx, t, from), owner: owner, answers: make(chan error, 2)}
	defer x.follow.stop()
	x.greet()
	for {
		if owner && !x.down && v.finished(t.autostarts()) {
			x.follow.note("every program has ended")
			x.ended = v.gaveUpError()
			x.ask(ctx, units.Down, "project going down")
		}
		over, err := false, error(nil)
		select {
		case r, ok := <-v.records:
			if ok {
				x.note(r)
			} else {
				over, err = x.lost(ctx)
			}
		case sig := <-signals:
			over, err = x.signalled(ctx, sig)
		case err = <-x.answers:
			x.asked--
			if errors.Is(err, control.ErrNoSupervisor) {
				err = nil
			}
		}
		if over || err != nil {
			return err
		}
	}
}

// greet says how the programs are, and what Ctrl-C does.
func (x *attached) greet() {
	for _, p := range x.t.project.Programs {
		if x.v.seen(p.Name) {
			x.follow.note(fmt.Sprintf("%s %s: %s", p.Name, x.v.programs[p.Name], x.v.reasons[p.Name]))
		}
	}
	if x.owner {
		x.follow.note("Ctrl-C stops all programs; msup status shows them")
	} else {
		x.follow.note("Ctrl-C ends this view; the programs run on")
	}
}

// note tells of a record.
func (x *attached) note(r units.Record) {
	x.v.apply(r)
	if r.Program == "" {
		x.follow.note(r.Reason)
	} else {
		x.follow.note(r.String())
	}
}

// ask asks the supervisor for the end of all programs. It does not wait: one that hangs must not
// make Ctrl-C dead.
func (x *attached) ask(ctx context.Context, verb units.Verb, by string) {
	x.down = true
	x.asked++
	go func() {
		_, err := x.t.client.Do(ctx, units.Command{Verb: verb, By: by})
		x.answers <- err
	}()
}

// signalled answers a signal, and reports whether this is over.
func (x *attached) signalled(ctx context.Context, sig os.Signal) (over bool, err error) {
	switch {
	case sig != os.Interrupt || !x.owner:
		x.follow.note("the programs run on; msup down stops them")
		return true, nil
	case x.asked > 0:
		return true, &exitError{code: exitFailed, msg: "the supervisor does not answer; the programs run on", hint: "msup down stops them"}
	case x.interrupted:
		x.follow.note("killing all programs")
		x.ask(ctx, units.Kill, "stopped by Ctrl-C")
	default:
		x.interrupted = true
		x.follow.note("stopping all programs; Ctrl-C again kills them")
		x.ask(ctx, units.Down, "stopped by Ctrl-C")
	}
	return false, nil
}

// lost goes on when the supervisor has gone, and reports whether this is over.
func (x *attached) lost(ctx context.Context) (over bool, err error) {
	if !x.down {
		err := x.rejoin(ctx)
		return x.v.records == nil, err
	}
	x.follow.stop()
	if err := x.awaitGone(ctx, x.t); err != nil {
		return true, err
	}
	return true, x.ended
}

// rejoin goes on with the supervisor that takes the place of the one that has gone. Where
// none does, because somebody ran msup down, v has no records any more.
func (x *attached) rejoin(ctx context.Context) error {
	_, err := x.awaitSupervisor(ctx, x.t)
	if err == nil {
		var snap units.Snapshot
		if snap, x.v.records, err = x.t.client.Watch(ctx); err == nil {
			x.v.reset(snap)
			x.follow.note("another supervisor has taken over; the programs run on")
			return nil
		}
	}
	x.v.records = nil
	if _, statErr := os.Stat(x.t.dir); errors.Is(statErr, os.ErrNotExist) {
		return x.v.gaveUpError()
	}
	return &exitError{code: exitFailed, msg: "the supervisor has gone; the programs run on", hint: "msup status shows them"}
}
