package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"msup/config"
	"msup/control"
	"msup/policy"
	"msup/units"
)

// sight is a project as its supervisor sees it.
type sight struct {
	*target
	processes []process // in the order of the configuration
}

// see asks the supervisor. One that was killed a moment ago is waited for.
func (c *ctl) see(ctx context.Context) (*sight, error) {
	for {
		t, err := c.app.target()
		if err != nil {
			return nil, err
		}
		snap, err := t.snapshot(ctx)
		switch {
		case err == nil && snap.Ready:
			return &sight{target: t, processes: processesOf(t.project, snap.Programs)}, nil
		case err == nil: // it has not looked at systemd yet
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
		default:
			if err := c.awaitSupervisor(ctx, t, err); err != nil {
				return nil, err
			}
		}
	}
}

// awaitSupervisor waits for the one that takes the place of another, which err says has gone;
// any other error it returns.
func (c *ctl) awaitSupervisor(ctx context.Context, t *target, err error) error {
	gone := errors.Is(err, control.ErrNoSupervisor) || errors.Is(err, control.ErrUnanswered) || errors.Is(err, errSupervisorGone)
	if !gone || ctx.Err() != nil {
		return err
	}
	none := &notUpError{t.socket()}
	if !t.running {
		return none
	}
	if back, err := c.app.awaitReturn(ctx, t); err != nil {
		return err
	} else if !back {
		return none
	}
	return nil
}

// request sends a request for programs and follows what becomes of them, record by record,
// until done holds for each: a program that is executed and ends at once was RUNNING all the
// same. It returns the phases for which it did. Who asks again, because a supervisor did not
// live to answer, asks for nothing that has been done.
func (c *ctl) request(ctx context.Context, t *target, verb units.Verb, names []string, done func(v *view, name string) bool) (map[string]policy.Phase, error) {
	phases := map[string]policy.Phase{}
	asked := false
	for len(names) > 0 && len(phases) < len(names) {
		if err := c.follow(ctx, t, verb, names, done, phases, &asked); err != nil {
			if err := c.awaitSupervisor(ctx, t, err); err != nil {
				return nil, err
			}
		}
	}
	return phases, nil
}

// follow is request by one supervisor.
func (c *ctl) follow(ctx context.Context, t *target, verb units.Verb, names []string, done func(v *view, name string) bool, phases map[string]policy.Phase, asked *bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v, _, err := t.view(ctx)
	if err != nil {
		return err
	}
	if !*asked {
		snap, err := t.client.Do(ctx, units.Command{Verb: verb, Programs: names, By: "requested by msup ctl " + string(verb)})
		if err != nil {
			return err
		}
		*asked = true
		v.reset(snap)
	}
	for {
		if v.ready {
			for _, name := range names {
				if _, known := phases[name]; !known && done(v, name) {
					phases[name] = v.programs[name]
				}
			}
		}
		if len(phases) == len(names) {
			return nil
		}
		select {
		case r, ok := <-v.records:
			if !ok {
				return errSupervisorGone
			}
			v.apply(r)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// forEach gives act the processes that each name means, all of a group together, and says
// what it cannot find; noGroup is the exit status for a group.
func (c *ctl) forEach(s *sight, names []string, noGroup int, act func([]process, bool) error) error {
	if slices.Contains(names, "all") {
		return act(s.processes, true)
	}
	for _, name := range names {
		w := parseWanted(name)
		switch found := w.of(s.processes); {
		case len(found) > 0:
			if err := act(found, w.all); err != nil {
				return err
			}
		case w.all:
			c.fail(noGroup, "%s", w.none())
		default:
			c.fail(ctlFailed, "%s", w.none())
		}
	}
	return nil
}

func (c *ctl) start(ctx context.Context, args []string) error {
	return c.change(ctx, "start", args, ctlInvalid, c.startThese)
}

// change has these be given the processes that args name, see forEach. Without args it is misused.
func (c *ctl) change(ctx context.Context, verb string, args []string, noGroup int, these func(context.Context, *sight, []process, bool) error) error {
	if len(args) == 0 {
		c.misuse(noGroup, verb, "Error: %s requires a process name", verb)
		return nil
	}
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	return c.forEach(s, args, noGroup, func(some []process, several bool) error { return these(ctx, s, some, several) })
}

// startThese starts what is not up. Of several, those that are up are passed over.
func (c *ctl) startThese(ctx context.Context, s *sight, some []process, several bool) error {
	var names []string
	for _, p := range some {
		if !isUpOrTried(p.status.State) {
			names = append(names, p.program.Name)
		} else if !several {
			c.say("%s: ERROR (already started)", p)
		}
	}
	phases, err := c.request(ctx, s.target, units.Start, names, func(v *view, name string) bool {
		phase := v.programs[name]
		return v.stuck[name] || phase != policy.Starting && phase != policy.Stopping
	})
	if err != nil || len(names) == 0 {
		return err
	}
	after, err := c.see(ctx)
	if err != nil {
		return err
	}
	for _, p := range some {
		if phase, asked := phases[p.program.Name]; asked {
			c.startResult(p, phase, after.processes)
		}
	}
	return nil
}

// startResult says what became of a start.
func (c *ctl) startResult(p process, phase policy.Phase, after []process) {
	if i := slices.IndexFunc(after, func(q process) bool { return q.program.Name == p.program.Name }); i >= 0 {
		p = after[i]
	}
	last := p.status.State.Last
	switch {
	case phase == policy.Running, phase == policy.Exited:
		c.say("%s: started", p)
	case phase == policy.Starting: // what it depends on is down
		c.fail(ctlNotRunning, "%s: ERROR (%s)", p, p.status.State.Reason)
	case phase == policy.Stopped: // somebody has stopped it meanwhile
		c.fail(ctlNotRunning, "%s: ERROR (abnormal termination)", p)
	case phase == "": // the project has it no more
		c.fail(ctlFailed, "%s: ERROR (no such process)", p)
	case last != nil && last.Cause == policy.CauseExec && noFile(p.program.Path):
		c.fail(ctlFailed, "%s: ERROR (no such file)", p)
	default:
		c.fail(ctlNotRunning, "%s: ERROR (spawn error)", p)
	}
}

func (c *ctl) stop(ctx context.Context, args []string) error {
	return c.change(ctx, "stop", args, ctlFailed, c.stopThese)
}

// stopThese stops what is up, or would be started by itself, which supervisord knows of BACKOFF
// only. Of several, the others are passed over.
func (c *ctl) stopThese(ctx context.Context, s *sight, some []process, several bool) error {
	var asked []process
	var names []string
	for _, p := range some {
		switch state := p.status.State; {
		case isUpOrTried(state), !state.NextStart().IsZero(), state.Armed:
			asked, names = append(asked, p), append(names, p.program.Name)
		case !several:
			c.say("%s: ERROR (not running)", p)
		}
	}
	_, err := c.request(ctx, s.target, units.Stop, names, (*view).hasStopped)
	if err != nil {
		return err
	}
	for _, p := range asked {
		c.say("%s: stopped", p)
	}
	return nil
}

func (c *ctl) restart(ctx context.Context, args []string) error {
	if len(args) == 0 {
		c.misuse(ctlFailed, "restart", "Error: restart requires a process name")
		return nil
	}
	if err := c.stop(ctx, args); err != nil {
		return err
	}
	return c.start(ctx, args)
}

func (c *ctl) signal(ctx context.Context, args []string) error {
	if len(args) < 2 {
		c.misuse(ctlFailed, "signal", "Error: signal requires a signal name and a process name")
		return nil
	}
	sig, bad := config.ParseSignal(args[0])
	if args[0] == "0" {
		bad = nil // is it there?
	}
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	return c.forEach(s, args[1:], ctlFailed, func(some []process, several bool) error {
		for _, p := range some {
			switch {
			case several && p.status.PID == 0:
			case bad != nil:
				c.fail(ctlFailed, "%s: ERROR (bad signal name)", p)
			case p.status.PID == 0:
				c.fail(ctlNotRunning, "%s: ERROR (not running)", p)
			default:
				c.sendSignal(ctx, s, p, int32(sig))
			}
		}
		return nil
	})
}

func (c *ctl) sendSignal(ctx context.Context, s *sight, p process, sig int32) {
	var err error
	if sig != 0 {
		_, err = s.client.Do(ctx, units.Command{Verb: units.Signal, Programs: []string{p.program.Name}, Signal: sig, By: "requested by msup ctl signal"})
	}
	if err != nil {
		c.fail(ctlFailed, "%s: ERROR (%s)", p, oneLine(err))
		return
	}
	c.say("%s: signalled", p)
}

func (c *ctl) show(ctx context.Context, args []string) error {
	s, err := c.see(ctx)
	if errors.Is(err, control.ErrNoSupervisor) {
		if s, err = c.seeWithout(ctx, err); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	var shown []process
	if len(args) == 0 || slices.Contains(args, "all") {
		shown = byName(s.processes)
	} else {
		for _, name := range args {
			w := parseWanted(name)
			found := w.of(s.processes)
			if len(found) == 0 {
				c.fail(ctlUnknown, "%s", w.none())
			}
			shown = append(shown, byName(found)...)
		}
	}
	for _, line := range statusLines(shown, time.Now()) {
		c.say("%s", line)
	}
	if slices.ContainsFunc(shown, func(p process) bool { return isDead(supervisordState(p)) }) {
		c.status = ctlDead
	}
	return nil
}

// seeWithout asks systemd for a project whose supervisor is gone, which none says, but whose
// programs are not.
func (c *ctl) seeWithout(ctx context.Context, none error) (*sight, error) {
	t, err := c.app.target()
	if err != nil || !t.running {
		return nil, errors.Join(err, none)
	}
	bus, err := c.app.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	statuses, _, err := c.app.unsupervised(ctx, bus, t)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(c.app.stderr, "msup: no supervisor is running: this is what systemd says")
	return &sight{target: t, processes: processesOf(t.project, statuses)}, nil
}

func (c *ctl) pid(ctx context.Context, args []string) error {
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		rep, err := askStatus(ctx, s.client)
		if err != nil {
			return err
		}
		c.say("%s", number(rep.Supervisor.PID))
	case slices.Contains(args, "all"):
		for _, p := range byName(s.processes) {
			c.say("%d", p.status.PID)
		}
	default:
		for _, name := range args {
			w := parseWanted(name)
			found := w.of(s.processes)
			if w.all || len(found) == 0 {
				c.fail(ctlFailed, "No such process %s", name)
				continue
			}
			c.say("%d", found[0].status.PID)
			if found[0].status.PID == 0 {
				c.status = ctlNotRunning
			}
		}
	}
	return nil
}

func (c *ctl) version(ctx context.Context, args []string) error {
	if !c.noCtlArgs("version", args) {
		return nil
	}
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	rep, err := askStatus(ctx, s.client)
	if err == nil {
		c.say("%s", rep.Supervisor.Version)
	}
	return err
}

// foreground refuses fg, in supervisorctl's order of mistakes.
func (c *ctl) foreground(ctx context.Context, args []string) error {
	if len(args) == 0 {
		c.misuse(ctlFailed, "fg", "ERROR: no process name supplied")
		return nil
	}
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	w := parseWanted(args[0])
	switch found := w.of(s.processes); {
	case len(args) > 1:
		c.fail(ctlFailed, "ERROR: too many process names supplied")
	case w.all || len(found) == 0:
		c.fail(ctlFailed, "ERROR: bad process name supplied")
	default:
		c.fail(ctlFailed, "ERROR: the standard input of msup's programs is /dev/null, so there is no foreground: tail -f %s follows the output", args[0])
	}
	return nil
}
