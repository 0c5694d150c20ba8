package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"msup/control"
	"msup/policy"
	"msup/units"
)

// A supervisor may be killed, restarted or upgraded at any moment, and what a command has asked
// for is done by the next one. So commands wait for that.

// returnTime is how long a supervisor that died may take to come back.
const returnTime = 15 * time.Second

// awaitReturn waits while there is a supervisor that stops or is being started again, and
// reports whether one answers.
func (a *app) awaitReturn(ctx context.Context, t *target) (back bool, err error) {
	bus, err := a.dial(ctx)
	if err != nil {
		return false, err
	}
	defer bus.Close()
	limit, cancel := context.WithTimeout(ctx, returnTime)
	defer cancel()
	for {
		var f units.Facts
		err := lasting(ctx, func() (err error) {
			f, err = bus.Read(ctx, units.SupervisorUnit(t.project.Name))
			return err
		})
		if err != nil {
			return false, fmt.Errorf("cannot see the supervisor: %w", err)
		}
		// With a job it is inactive only on its way, in a systemctl restart.
		if f.LoadState == "not-found" || f.JobID == 0 && (f.ActiveState == "inactive" || f.ActiveState == "failed") {
			return false, nil
		}
		select {
		case <-limit.Done():
			return false, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := t.client.Status(limit); err == nil {
			return true, nil
		}
	}
}

// outlive asks the supervisor for something, and if none takes that although the project runs,
// the one that is being started. What is asked for was not done: see [control.ErrNoSupervisor].
func (a *app) outlive(ctx context.Context, t *target, ask func() error) error {
	for {
		err := ask()
		if !t.running || !errors.Is(err, control.ErrNoSupervisor) {
			return notUp(err, t)
		}
		if back, e := a.awaitReturn(ctx, t); e != nil {
			return e
		} else if !back {
			return notUp(err, t)
		}
	}
}

// insist is outlive for what may be asked for twice: also of a supervisor that ends before it
// answers.
func (a *app) insist(ctx context.Context, t *target, ask func() error) error {
	for {
		if err := a.outlive(ctx, t, ask); !errors.Is(err, control.ErrUnanswered) {
			return err
		}
	}
}

// watch is a view of the programs.
func (a *app) watch(ctx context.Context, t *target) (v *view, snap units.Snapshot, err error) {
	err = a.outlive(ctx, t, func() error {
		v, snap, err = t.view(ctx)
		return err
	})
	return v, snap, err
}

// request has the supervisor start, stop or restart programs. One that ends before it answers may
// have taken that: then the next one knows, or is asked again, which is harmless except for a
// restart. also are the programs that it concerns too.
func (a *app) request(ctx context.Context, t *target, c units.Command) (v *view, also []string, err error) {
	var before map[string]string
	for {
		v, snap, err := a.watch(ctx, t)
		if err != nil {
			return nil, nil, err
		}
		if c.Verb == units.Restart && before != nil && tookRestart(before, snap) {
			return v, nil, nil
		}
		if before == nil {
			before = invocations(snap, c.Programs)
		}
		switch snap, err = t.client.Do(ctx, c); {
		case err == nil:
			v.reset(snap)
			return v, snap.Also, nil
		case !errors.Is(err, control.ErrUnanswered) && !errors.Is(err, control.ErrNoSupervisor):
			return nil, nil, err
		}
	}
}

// tell is a command after which nothing is waited for.
func (a *app) tell(ctx context.Context, t *target, c units.Command) error {
	return a.outlive(ctx, t, func() error {
		_, err := t.client.Do(ctx, c)
		return err
	})
}

// invocations are the runs of the named programs.
func invocations(snap units.Snapshot, names []string) map[string]string {
	out := map[string]string{}
	for _, st := range snap.Programs {
		if slices.Contains(names, st.Name) {
			out[st.Name] = st.Invocation
		}
	}
	return out
}

// tookRestart reports whether a supervisor has taken the restart of programs before it ended: one
// of them is in another run than before, or about to be.
func tookRestart(before map[string]string, snap units.Snapshot) bool {
	return slices.ContainsFunc(snap.Programs, func(st units.Status) bool {
		run, asked := before[st.Name]
		phase := st.State.Phase
		return asked && (phase == policy.Starting || phase == policy.Stopping || phase == policy.Running && st.Invocation != run)
	})
}
