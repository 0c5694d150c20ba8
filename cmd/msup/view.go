package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msup/policy"
	"msup/units"
)

// view is what a command knows of the programs from the supervisor's records.
type view struct {
	records  <-chan units.Record
	order    []string
	programs map[string]policy.Phase
	reasons  map[string]string
	next     map[string]time.Time // when a program is started again; zero = not by itself
	failures map[string]int       // how often a program has failed since the snapshot, and is restarted
	oneshot  map[string]bool      // programs that are there to end
	armed    map[string]bool      // programs that are started by what they await
	stuck    map[string]bool      // programs that wait for one which is down
	waits    map[string][]string  // what programs wait for, as far as it has been asked
	hopeless bool                 // a program has failed too often since that was asked
	limits   map[string]int       // restarts of programs, where a few more than mostFailures end them
	seq      uint64               // of the last record that is taken into account
	down     bool                 // the project is going down
	ready    bool                 // the supervisor has started what starts by itself
	// ask has the supervisor say how the programs are; nil = nobody does.
	ask func() (units.Snapshot, error)
}

func newView(snap units.Snapshot, records <-chan units.Record) *view {
	v := &view{records: records}
	v.reset(snap)
	return v
}

// view looks at the project's programs, as their supervisor tells of them until ctx ends.
func (t *target) view(ctx context.Context) (*view, units.Snapshot, error) {
	snap, records, err := t.client.Watch(ctx)
	if err != nil {
		return nil, units.Snapshot{}, err
	}
	v := newView(snap, records)
	v.limits = map[string]int{}
	for _, p := range t.project.Programs {
		if n := p.Rules.MaxRestarts; n < 2*mostFailures {
			v.limits[p.Name] = n
		}
	}
	v.ask = func() (units.Snapshot, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
		defer cancel()
		return t.snapshot(ctx)
	}
	return v, snap, nil
}

// snapshot is how the programs are now.
func (t *target) snapshot(ctx context.Context) (units.Snapshot, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // nothing else that is told is of interest
	snap, _, err := t.client.Watch(ctx)
	return snap, err
}

// askTime is how long a supervisor may take to say how the programs are.
const askTime = time.Second

// reset takes a snapshot, which is as new as its Seq says.
func (v *view) reset(snap units.Snapshot) {
	v.order = nil
	v.programs, v.reasons = map[string]policy.Phase{}, map[string]string{}
	v.next, v.failures, v.oneshot, v.armed = map[string]time.Time{}, map[string]int{}, map[string]bool{}, map[string]bool{}
	v.stuck, v.waits, v.hopeless = map[string]bool{}, map[string][]string{}, false
	for _, p := range snap.Programs {
		v.order = append(v.order, p.Name)
		v.programs[p.Name], v.reasons[p.Name] = p.State.Phase, p.State.Reason
		v.next[p.Name], v.oneshot[p.Name], v.armed[p.Name] = p.State.NextStart(), p.Oneshot, p.State.Armed
		v.stuck[p.Name] = p.Stuck()
	}
	v.seq, v.ready, v.down = snap.Seq, snap.Ready, snap.Down
}

// apply takes a record; one that the snapshot knew already changes nothing.
func (v *view) apply(r units.Record) {
	if r.Seq <= v.seq {
		return
	}
	v.seq, v.ready = r.Seq, true // the first record comes after the first look at systemd
	if r.Program != "" {
		if r.Stuck && !v.stuck[r.Program] {
			v.reasons[r.Program] = r.Reason // what it waits for is down by now
		}
		v.armed[r.Program], v.stuck[r.Program] = r.Armed, r.Stuck
	}
	if r.To == "" {
		return
	}
	v.programs[r.Program], v.reasons[r.Program], v.next[r.Program] = r.To, r.Reason, r.Next
	if r.To == policy.Backoff {
		v.failures[r.Program]++
		v.hopeless = v.hopeless || v.tooOften(r.Program)
	}
}

// askWaits asks who waits for whom, when a program is no longer waited for: nor are then those that wait
// for it, of which no record tells.
func (v *view) askWaits() {
	if !v.hopeless || v.ask == nil {
		return
	}
	snap, err := v.ask()
	if err != nil {
		return // it is asked again at the next record
	}
	v.hopeless = false
	for _, p := range snap.Programs {
		v.waits[p.Name] = nil
		for _, w := range p.WaitsFor {
			v.waits[p.Name] = append(v.waits[p.Name], w.Program)
		}
	}
}

// inVain reports whether a program waits for one that is no longer waited for.
func (v *view) inVain(name string) bool {
	return v.programs[name] == policy.Starting && slices.ContainsFunc(v.waits[name], func(other string) bool {
		return !v.programs[other].Settled() && v.tooOften(other) || v.inVain(other)
	})
}

// retell asks why programs are in the states that they are in: of what changes while one stays, as
// what a probe says, no record tells.
func (v *view) retell() {
	if v.ask == nil {
		return
	}
	snap, err := v.ask()
	if err != nil {
		return // then it is as it was
	}
	for _, p := range snap.Programs {
		if p.State.Phase == v.programs[p.Name] {
			v.reasons[p.Name] = p.State.Reason
		}
	}
}

// seen reports whether anything has happened to the program.
func (v *view) seen(name string) bool { return v.programs[name] != policy.Stopped }

// mostFailures is after how many failures a program is no longer waited for: its restarts may
// have no limit. One that is near is waited for, so that what becomes of the program can be said.
const mostFailures = 10

// tooOften reports whether a program has failed so often that it is no longer waited for.
func (v *view) tooOften(name string) bool {
	return v.failures[name] >= max(mostFailures, v.limits[name]+1)
}

// isUp reports whether a program is up, or has ended and will not be started again soon, or
// has failed so often that it is not worth waiting for, or waits itself for such a one or for what
// is down. A oneshot is up when it is done.
func (v *view) isUp(name string) bool {
	phase := v.programs[name]
	return v.stuck[name] || phase.Settled() && (phase != policy.Running || !v.oneshot[name]) || v.tooOften(name) || v.inVain(name)
}

// missed reports whether a program that was waited for is not as it was to be.
func (v *view) missed(name string) bool {
	phase := v.programs[name]
	return phase.GaveUp() || phase == policy.Stopped && !v.armed[name] || !phase.Settled()
}

// isDown reports whether nothing of a program runs or will run by itself.
func (v *view) isDown(name string) bool {
	phase := v.programs[name]
	return phase.Settled() && phase != policy.Running && v.next[name].IsZero() && !v.armed[name]
}

// hasStopped reports whether a program that was being stopped has ended, though somebody may
// have started it again since.
func (v *view) hasStopped(name string) bool { return v.programs[name] != policy.Stopping }

// finished reports whether all of these programs have ended by themselves, for good: one that
// is tried again after a cooldown has not.
func (v *view) finished(names []string) bool {
	for _, name := range names {
		if !v.isDown(name) || v.programs[name] == policy.Stopped {
			return false
		}
	}
	return v.ready && len(names) > 0
}

func (v *view) gaveUpError() error {
	for _, phase := range v.programs {
		if phase.GaveUp() {
			return &exitError{code: exitGaveUp}
		}
	}
	return nil
}

// describe lists programs for which done does not hold.
func (v *view) describe(names []string, done func(string) bool) string {
	const most = 5
	var out []string
	n := 0
	for _, name := range names {
		if done(name) {
			continue
		}
		if n++; n <= most {
			out = append(out, fmt.Sprintf("%s is %s (%s)", name, v.programs[name], v.reasons[name]))
		}
	}
	if n > most {
		out = append(out, fmt.Sprintf("%d more", n-most))
	}
	return strings.Join(out, ", ")
}

var errSupervisorGone = errors.New("the supervisor has gone")

// waitNotice is how long a command that shows no progress waits until it says for what. Each
// time it says so again it has waited twice as long.
const waitNotice = 10 * time.Second

// await takes records until done holds for every name. It shows progress on a terminal, and
// elsewhere says now and then what it waits for: a wait has no end where restarts have none.
func (a *app) await(ctx context.Context, v *view, what string, names []string, done func(string) bool) error {
	p := newProgress(a.stderr, what, len(names))
	defer p.clear()
	left := map[string]bool{}
	wait := waitNotice
	notice := time.NewTimer(wait)
	defer notice.Stop()
	for {
		clear(left)
		for _, name := range names {
			if !done(name) {
				left[name] = true
			}
		}
		if len(left) == 0 && v.ready {
			return nil
		}
		p.show(len(names)-len(left), v, names, done)
		select {
		case r, ok := <-v.records:
			if !ok {
				return errSupervisorGone
			}
			v.apply(r)
			v.applyWaiting()
			v.askWaits()
		case <-notice.C:
			if p.w == nil {
				v.retell()
				fmt.Fprintf(a.stderr, "msup: waiting: %s\n", p.line(len(names)-len(left), v, names, done))
			}
			notice.Reset(wait)
			wait *= 2
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitThrough is await, also when the supervisor is replaced meanwhile: what it was told to do
// is written down, and the next one does it.
func (a *app) awaitThrough(ctx context.Context, t *target, v *view, what string, names []string, done func(string) bool) error {
	for {
		err := a.await(ctx, v, what, names, done)
		opened := false
		if err == nil {
			opened, err = a.awaitSockets(ctx, t, names)
		}
		if err == nil && !opened || err != nil && !errors.Is(err, errSupervisorGone) {
			return err
		}
		next, snap, err := a.watch(ctx, t)
		if err != nil {
			return err
		}
		v.records = next.records
		v.reset(snap)
	}
}

// awaitSockets waits until systemd listens for those programs that a connection is to start, and
// reports whether it had to: so that nobody who connects then is refused. No record tells of it.
func (a *app) awaitSockets(ctx context.Context, t *target, names []string) (waited bool, err error) {
	look := func() (opening bool, err error) {
		var snap units.Snapshot
		err = a.outlive(ctx, t, func() (err error) {
			snap, err = t.snapshot(ctx)
			return err
		})
		if _, down := errors.AsType[*exitError](err); down {
			return false, nil // the project went down, and what was waited for had come before
		}
		return slices.ContainsFunc(snap.Programs, func(st units.Status) bool { return st.Opening && slices.Contains(names, st.Name) }), err
	}
	for {
		opening, err := look()
		if err != nil || !opening {
			return waited, err
		}
		waited = true
		select {
		case <-time.After(openingPause):
		case <-ctx.Done():
			return waited, ctx.Err()
		}
	}
}

// openingPause is the time between two looks at sockets that are being made.
const openingPause = 10 * time.Millisecond

// applyWaiting takes the records that are there already, so that a burst is looked at once.
func (v *view) applyWaiting() {
	for {
		select {
		case r, ok := <-v.records:
			if !ok {
				return
			}
			v.apply(r)
		default:
			return
		}
	}
}
