package control

import (
	"msup/units"
)

// CommandReport is a command beside a program, a hook.
type CommandReport struct {
	Key     string   `json:"key"`     // "before_start" …
	Command []string `json:"command"` // the path of the executable and its arguments
	MayFail bool     `json:"may_fail"`
}

// ActionReport is a command that is run when something has happened to a program.
type ActionReport struct {
	CommandReport
	// Unit is the unit that runs it now, or is about to; null = none.
	Unit *string `json:"unit"`
}

func commandReport(key string, h units.Hook) CommandReport {
	r := CommandReport{Key: key, Command: []string{h.Path}, MayFail: h.MayFail}
	if len(h.Argv) > 0 {
		r.Command = append(r.Command, h.Argv[1:]...)
	}
	return r
}

// commands fills in the commands beside a program, in the order of its life.
func (r *ProgramReport) commands(def units.Program, st units.Status) {
	r.Hooks, r.Actions = []CommandReport{}, []ActionReport{}
	for _, list := range def.Hooks.Lists() {
		for _, h := range list.Hooks {
			r.Hooks = append(r.Hooks, commandReport(list.Key, h))
		}
	}
	for _, kind := range units.ActionKinds {
		h := def.Actions.Of(kind.Kind)
		if h == nil {
			continue
		}
		a := ActionReport{CommandReport: commandReport(kind.Key, *h)}
		for _, now := range st.Actions {
			if now.Kind == kind.Kind {
				a.Unit = new(now.Unit)
			}
		}
		r.Actions = append(r.Actions, a)
	}
}
