package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"msup/control"
	"msup/policy"
	"msup/units"
)

// rolling is a restart of programs a few at a time. The command drives it: each program is
// restarted by one request, so that whoever is killed, command or supervisor, leaves each
// program either restarted or not.
type rolling struct {
	names   []string // all, in their order
	maxDown int
	// patience is how long a program may take to be RUNNING again after it has failed.
	patience time.Duration

	before  map[string]string    // invocation of each before its restart
	pending []string             // not asked for yet
	sent    string               // the one of pending that a request was sent for, which was not answered yet
	asked   []string             // asked for, not up yet
	done    []string             // up again
	failing map[string]time.Time // since when one that was asked for is not up for a failure
	stuck   map[string]time.Time // since when one that was asked for waits for a program that is down
}

func (a *app) rolling(ctx context.Context, patterns []string, maxDown int, patience time.Duration) error {
	t, names, err := a.chosen(patterns)
	if err != nil {
		return err
	}
	// What was asked for goes on; only no more is.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	v, snap, err := a.watch(ctx, t)
	if err != nil {
		return err
	}
	a.warnOfChanges(ctx, t, names)
	r := newRolling(names, snap, maxDown, patience)
	for {
		err := a.roll(ctx, t, r, v)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return r.stopped("interrupted")
		case !errors.Is(err, errSupervisorGone) && !errors.Is(err, control.ErrUnanswered) && !errors.Is(err, control.ErrNoSupervisor):
			if exit, ok := errors.AsType[*exitError](err); ok {
				return exit
			}
			return r.stopped(err.Error())
		}
		if v, err = a.rollOn(ctx, t, r); err != nil {
			return r.stopped(err.Error())
		}
	}
}

// newRolling puts those that are not up first: if that fails, nothing else has been touched.
func newRolling(names []string, snap units.Snapshot, maxDown int, patience time.Duration) *rolling {
	r := &rolling{names: names, maxDown: maxDown, patience: patience, before: map[string]string{}, failing: map[string]time.Time{}, stuck: map[string]time.Time{}}
	var up []string
	for _, st := range snap.Programs {
		if !slices.Contains(names, st.Name) {
			continue
		}
		r.before[st.Name] = st.Invocation
		if isServing(st.State.Phase) {
			up = append(up, st.Name)
		} else {
			r.pending = append(r.pending, st.Name)
		}
	}
	r.pending = append(r.pending, up...)
	return r
}

// isServing reports whether a program in this phase does what it is for, or has done it.
func isServing(phase policy.Phase) bool { return phase == policy.Running || phase == policy.Exited }

// next is the program that may be restarted now, "" if none may.
func (r *rolling) next(phases map[string]policy.Phase) string {
	if len(r.pending) == 0 || len(r.asked) >= r.maxDown {
		return ""
	}
	name := r.pending[0]
	down := 0
	for _, n := range r.names {
		if !isServing(phases[n]) {
			down++
		}
	}
	if isServing(phases[name]) && down >= r.maxDown {
		return ""
	}
	return name
}

// look takes over what has become of those that were asked for. A failure is one that does
// not come back: it has given up, somebody has stopped it, or its policy takes too long.
func (r *rolling) look(v *view, now time.Time) (progress []string, failure string) {
	for _, name := range slices.Clone(r.asked) {
		if isServing(v.programs[name]) {
			r.asked = slices.DeleteFunc(r.asked, func(n string) bool { return n == name })
			r.done = append(r.done, name)
			progress = append(progress, name)
		}
	}
	for _, name := range slices.Concat(r.asked, r.done) {
		phase := v.programs[name]
		switch {
		case isServing(phase):
			delete(r.failing, name)
		case phase == "":
			return progress, name + " is no longer there"
		case phase.GaveUp(), phase == policy.Stopped:
			return progress, fmt.Sprintf("%s is %s: %s", name, phase, v.reasons[name])
		case phase == policy.Backoff && r.failing[name].IsZero():
			r.failing[name] = now
		}
		since := r.failing[name]
		if !since.IsZero() && now.Sub(since) >= r.patience {
			return progress, fmt.Sprintf("%s is not RUNNING again %s after it failed: it is %s (%s)", name, policy.Words(r.patience), phase, v.reasons[name])
		}
		switch since := r.stuck[name]; {
		case !v.stuck[name]:
			delete(r.stuck, name)
		case since.IsZero():
			r.stuck[name] = now
		case now.Sub(since) >= r.patience:
			return progress, fmt.Sprintf("%s is %s: %s, for %s now", name, phase, v.reasons[name], policy.Words(r.patience))
		}
	}
	return progress, ""
}

// wake is when look has to look again though nothing is told; zero = never.
func (r *rolling) wake() time.Time {
	var first time.Time
	for _, since := range slices.Concat(slices.Collect(maps.Values(r.failing)), slices.Collect(maps.Values(r.stuck))) {
		if at := since.Add(r.patience); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// left are the programs that were not restarted, in their order.
func (r *rolling) left() []string {
	return slices.DeleteFunc(slices.Clone(r.names), func(n string) bool { return !slices.Contains(r.pending, n) })
}

// stopped is the error of a rolling restart that does not go on.
func (r *rolling) stopped(why string) error {
	e := &exitError{code: exitFailed, msg: why + "; every program was asked to restart"}
	if left := r.left(); len(left) > 0 {
		e.msg = why + "; not restarted: " + strings.Join(left, ", ")
		e.hint = "msup restart --rolling " + strings.Join(left, " ") + " goes on"
	}
	underWay := slices.DeleteFunc(slices.Clone(r.asked), func(n string) bool { return strings.HasPrefix(why, n+" ") })
	if len(underWay) > 0 {
		e.msg += "; under way: " + strings.Join(underWay, ", ")
	}
	return e
}

// roll goes on by one supervisor until all is done, or that is gone.
func (a *app) roll(ctx context.Context, t *target, r *rolling, v *view) error {
	for {
		progress, failure := r.look(v, time.Now())
		for _, name := range progress {
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, v.programs[name], v.reasons[name])
		}
		if failure != "" {
			return r.stopped(failure)
		}
		if len(r.pending)+len(r.asked) == 0 {
			return nil
		}
		if name := r.next(v.programs); v.ready && name != "" {
			r.sent = name
			snap, err := t.client.Do(ctx, units.Command{Verb: units.Restart, Programs: []string{name}, By: "requested by msup restart --rolling"})
			if err != nil {
				return err
			}
			r.ask(name)
			v.reset(snap)
			continue
		}
		var timer <-chan time.Time
		if at := r.wake(); !at.IsZero() {
			timer = time.After(time.Until(at))
		}
		select {
		case rec, ok := <-v.records:
			if !ok {
				return errSupervisorGone
			}
			v.apply(rec)
		case <-timer:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *rolling) ask(name string) {
	r.pending = slices.DeleteFunc(r.pending, func(n string) bool { return n == name })
	r.asked, r.sent = append(r.asked, name), ""
}

// rollOn waits for the supervisor that takes the place of one that has gone, and has looked at
// systemd.
func (a *app) rollOn(ctx context.Context, t *target, r *rolling) (*view, error) {
	for {
		if _, err := a.awaitSupervisor(ctx, t); err != nil {
			return nil, errSupervisorGone
		}
		watch, cancel := context.WithCancel(ctx)
		v, snap, err := t.view(watch)
		if err == nil && snap.Ready {
			context.AfterFunc(ctx, cancel)
			r.takeOver(snap)
			return v, nil
		}
		cancel()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// takeOver finds out whether the supervisor that has gone had taken the request that it did not
// answer: the run is another one then, or is being ended.
func (r *rolling) takeOver(snap units.Snapshot) {
	if run, sent := r.before[r.sent]; sent && tookRestart(map[string]string{r.sent: run}, snap) {
		r.ask(r.sent)
	}
	r.sent = ""
}
