package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"msup/policy"

	"golang.org/x/sys/unix"
)

// This file runs the commands that a program wants to have run when something has happened
// to it. Each is a transient unit of its own: it blocks nobody, and outlives the supervisor.
// It stays loaded when it has ended (RemainAfterExit=) until that is written down, so that
// whoever takes over knows whether it was started.

// ActionKind is what an action is for: "failed" of on_failed …
type ActionKind string

const (
	ActionFailed  ActionKind = "failed"  // it gave up: FAILED or KILLED
	ActionOOM     ActionKind = "oom"     // it was killed for memory
	ActionRestart ActionKind = "restart" // it ended, and is started again by its policy
)

// Actions are the commands of a program by their kinds; nil = none.
type Actions struct {
	Failed  *Hook `json:"failed,omitempty"`
	OOM     *Hook `json:"oom,omitempty"`
	Restart *Hook `json:"restart,omitempty"`
}

// ActionKinds lists them with their keys.
var ActionKinds = []struct {
	Kind ActionKind
	Key  string
}{{ActionFailed, "on_failed"}, {ActionOOM, "on_oom_command"}, {ActionRestart, "on_restart"}}

// Of returns the command of a kind, nil if there is none.
func (a Actions) Of(kind ActionKind) *Hook {
	switch kind {
	case ActionFailed:
		return a.Failed
	case ActionOOM:
		return a.OOM
	case ActionRestart:
		return a.Restart
	}
	return nil
}

// Key is the key of a kind.
func (k ActionKind) Key() string {
	for _, a := range ActionKinds {
		if a.Kind == k {
			return a.Key
		}
	}
	return string(k)
}

// SavedAction is an action that is due or under way.
type SavedAction struct {
	Kind ActionKind `json:"kind"`
	// Seq is the number of the record that it is for. It is part of the unit's name, so that it
	// cannot be taken for an earlier one.
	Seq   uint64   `json:"seq"`
	Unit  string   `json:"unit"`
	Facts []string `json:"facts"` // MSUP_NAME=value
}

// action is one in the loop.
type action struct {
	SavedAction
	p       *program
	asked   bool // systemd was asked to start it, by this supervisor
	calling bool // … and has not answered
}

const (
	// actionsAtOnce bounds the starts of actions that systemd has not answered.
	actionsAtOnce = 8
	// actionRuntime is how long an action may take. While it lasts, none of its kind is run for
	// its program.
	actionRuntime = 10 * time.Minute
	// actionStop is the time it has to end at msup down.
	actionStop = 3 * time.Second
)

// actionMark stands in the names of the units of actions, and of no others.
const actionMark = ":on-"

// actionUnit is the name of an action's unit: "msup-web:on-failed:7.service". No program's
// name holds a colon.
func actionUnit(def Program, kind ActionKind, seq uint64) string {
	base := strings.TrimSuffix(def.Unit, "."+string(def.Type))
	return fmt.Sprintf("%s%s%s:%d.service", base, actionMark, kind, seq)
}

// actionPattern matches the units of a project's actions, and perhaps of others'.
func actionPattern(project string) string {
	return strings.TrimSuffix(UnitName(project, "x", Service), "x.service") + "*" + actionMark + "*.service"
}

// actionProperties are the properties of an action's unit: the program's user, folder and
// environment, and none of its limits.
func actionProperties(def Program, a SavedAction, project string, version int) []Property {
	props := []Property{
		{"Description", fmt.Sprintf("%s of msup program %s", a.Kind.Key(), def.Name)},
		{"Slice", SliceName(project)},
		{"After", []string{OrderUnit(project)}},
		{"Type", "exec"},
		{"Restart", "no"},
		{"StartLimitIntervalUSec", uint64(0)},
		{"RemainAfterExit", true},
		{"RuntimeMaxUSec", usec(actionRuntime)},
		{"TimeoutStopUSec", usec(actionStop)},
		{"WorkingDirectory", def.Directory},
		{"SyslogIdentifier", def.Name},
		execProperty("ExecStart", []Hook{*def.Actions.Of(a.Kind)}, version),
		{"Environment", slices.Concat(def.Environment, a.Facts)},
	}
	if def.User != "" {
		props = append(props, Property{"User", def.User})
	}
	if def.Group != "" {
		props = append(props, Property{"Group", def.Group})
	}
	if len(def.EnvFiles) > 0 {
		files := make([]EnvironmentFile, len(def.EnvFiles))
		for i, f := range def.EnvFiles {
			files[i] = EnvironmentFile(f)
		}
		props = append(props, Property{"EnvironmentFiles", files})
	}
	return props
}

// facts are what an action finds in its environment.
func (s *Supervisor) actionFacts(p *program) []string {
	used, most, _ := p.def.Rules.Budget(p.state, time.Now())
	f := []string{
		"MSUP_PROGRAM=" + p.def.Name, "MSUP_UNIT=" + p.unit, "MSUP_STATE=" + string(p.state.Phase),
		"MSUP_REASON=" + oneLine(p.state.Reason),
		"MSUP_RESTARTS=" + strconv.Itoa(used), "MSUP_MAX_RESTARTS=" + strconv.Itoa(most),
		"MSUP_PROJECT=" + s.cfg.Project.Name, "MSUP_CONFIG=" + s.cfg.Project.File,
	}
	e := p.state.Last
	switch {
	case p.state.Unmet:
		return append(f, "MSUP_CAUSE=dependency")
	case e == nil:
		return f
	}
	f = append(f, "MSUP_CAUSE="+string(e.Cause))
	switch {
	case e.Signal != 0:
		name := unix.SignalName(unix.Signal(e.Signal))
		if name == "" {
			name = strconv.Itoa(e.Signal)
		}
		f = append(f, "MSUP_SIGNAL="+name)
	case e.Cause == policy.CauseExit || e.Cause == policy.CauseExec:
		f = append(f, "MSUP_EXIT_CODE="+strconv.Itoa(e.Code))
	}
	return f
}

// oneLine keeps what systemd writes into a unit's file one line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
}

// trigger notes the actions that the last record of p calls for.
func (s *Supervisor) trigger(p *program, from policy.Phase) {
	if s.down {
		return
	}
	to := p.state.Phase
	if from.Up() && to != policy.Running && to != policy.Stopping && p.state.Last != nil && p.state.Last.Cause == policy.CauseOOM {
		s.act(p, ActionOOM)
	}
	switch {
	case to.GaveUp():
		s.act(p, ActionFailed)
	case to == policy.Backoff:
		s.act(p, ActionRestart)
	}
}

// act has an action run, unless one of its kind is under way.
func (s *Supervisor) act(p *program, kind ActionKind) {
	if p.def.Actions.Of(kind) == nil {
		return
	}
	for _, a := range s.actions {
		if a.p == p && a.Kind == kind {
			s.note(p, "%s still runs, and is not run again for: %s", kind.Key(), p.state.Reason)
			return
		}
	}
	seq := s.seq
	s.actions = append(s.actions, &action{p: p, SavedAction: SavedAction{
		Kind: kind, Seq: seq, Unit: actionUnit(p.def, kind, seq), Facts: s.actionFacts(p),
	}})
	s.touch(p)
	s.startActions()
}

// saveActions are the actions of p that are due or under way.
func (s *Supervisor) saveActions(p *program) []SavedAction {
	var out []SavedAction
	for _, a := range s.actions {
		if a.p == p {
			out = append(out, a.SavedAction)
		}
	}
	return out
}

// startActions asks systemd for those that are due, when they are written down.
func (s *Supervisor) startActions() {
	if !s.ready || s.down {
		return
	}
	calling := 0
	for _, a := range s.actions {
		if a.calling {
			calling++
		}
	}
	for _, a := range slices.Clone(s.actions) {
		if a.asked || calling >= actionsAtOnce {
			continue
		}
		if a.p.def.Actions.Of(a.Kind) == nil {
			s.forget(a) // the configuration has it no more
			continue
		}
		a.asked, a.calling = true, true
		calling++
		bus, unit := s.cfg.Bus, a.Unit
		props := actionProperties(a.p.def, a.SavedAction, s.cfg.Project.Name, bus.Version())
		s.do(func(ctx context.Context) func() {
			err := bus.Start(ctx, unit, props, false)
			return func() { s.onActionStart(a, err) }
		})
	}
}

func (s *Supervisor) onActionStart(a *action, err error) {
	a.calling = false
	switch {
	case err == nil:
	case errors.Is(err, ErrDisconnected):
		a.asked = false // the list tells whether it was started
	case errors.Is(err, ErrUnitExists):
		s.lookAtAction(a) // the supervisor before this one has started it
	case slices.Contains(s.actions, a):
		s.note(a.p, "cannot run %s: %v", a.Kind.Key(), err)
		s.forget(a)
	}
	s.startActions()
}

func (s *Supervisor) actionOf(unit string) *action {
	if !strings.Contains(unit, actionMark) {
		return nil
	}
	for _, a := range s.actions {
		if a.Unit == unit {
			return a
		}
	}
	return nil
}

func (s *Supervisor) lookAtAction(a *action) {
	s.read(a.Unit, func(f Facts, err error) {
		switch {
		case err != nil || !slices.Contains(s.actions, a) || a.calling: // the list tells it
		case f.LoadState == "not-found":
			s.forget(a) // somebody has stopped it
		default:
			s.observeAction(a, f)
		}
	})
}

// observeAction takes a snapshot of an action's unit. When it has ended, that is written down,
// and then it may go.
func (s *Supervisor) observeAction(a *action, f Facts) {
	ended := f.SubState == "exited" || (f.ActiveState == "failed" || f.ActiveState == "inactive") && f.InvocationID != ""
	if f.JobID != 0 || !ended {
		return
	}
	if e := exitOf(f, Memory{}); f.Result != "success" || e.Cause != policy.CauseExit || e.Code != 0 {
		if h := a.p.def.Actions.Of(a.Kind); h == nil || !h.MayFail {
			s.note(a.p, "%s has failed: %s", a.Kind.Key(), e.Reason)
		}
	}
	s.forget(a)
	s.unloadAction(f)
}

// forget notes that an action is over.
func (s *Supervisor) forget(a *action) {
	s.actions = slices.DeleteFunc(s.actions, func(b *action) bool { return a == b })
	s.touch(a.p)
}

// unloadAction has systemd forget the unit of an action that is over. What comes of it the
// next list tells.
func (s *Supervisor) unloadAction(f Facts) {
	bus, unit, failed := s.cfg.Bus, f.Unit, f.ActiveState == "failed"
	s.do(func(ctx context.Context) func() {
		if failed {
			_ = bus.Reset(ctx, unit)
		} else {
			_ = bus.Stop(ctx, unit)
		}
		return func() {}
	})
}

// reconcileActions compares the actions with what systemd has: one that is not loaded was
// never started, or somebody has stopped it; a unit that no action has is a left-over one.
func (s *Supervisor) reconcileActions(list []Facts) {
	found := map[string]Facts{}
	for _, f := range list {
		if strings.Contains(f.Unit, actionMark) && Foreign(f, s.cfg.Project.Name) == "" {
			found[f.Unit] = f
		}
	}
	for _, a := range slices.Clone(s.actions) {
		f, loaded := found[a.Unit]
		delete(found, a.Unit)
		switch {
		case a.calling: // its answer is still to come
		case loaded:
			a.asked = true
			s.observeAction(a, f)
		case a.asked:
			s.forget(a)
		}
	}
	for _, f := range found {
		s.unloadAction(f)
	}
	s.startActions()
}

// dropActions ends the actions of a program that the project no longer has.
func (s *Supervisor) dropActions(p *program) {
	for _, a := range slices.Clone(s.actions) {
		if a.p != p {
			continue
		}
		s.actions = slices.DeleteFunc(s.actions, func(b *action) bool { return a == b })
		if a.asked {
			s.unloadAction(Facts{Unit: a.Unit})
		}
	}
}
