package units

import (
	"fmt"
	"strings"
	"time"

	"msup/policy"
	"msup/probe"
)

// Hook is a command that systemd runs beside a program: as its user, in its directory and
// environment, within its limits.
type Hook struct {
	Path string   `json:"path"` // absolute path of the executable; "" = not found
	Argv []string `json:"argv"` // argv[0] included, exactly as it gets them
	// MayFail says that its failure means nothing.
	MayFail bool `json:"may_fail,omitempty"`
}

// Hooks are the commands of a program beside its own, each in the order they run.
type Hooks struct {
	BeforeStart   []Hook `json:"before_start,omitempty"`   // ExecStartPre=
	AfterStart    []Hook `json:"after_start,omitempty"`    // ExecStartPost=
	BeforeStop    []Hook `json:"before_stop,omitempty"`    // ExecStop=
	StopCommand   []Hook `json:"stop_command,omitempty"`   // ExecStop=, behind those
	ReloadCommand []Hook `json:"reload_command,omitempty"` // ExecReload=
	AfterStop     []Hook `json:"after_stop,omitempty"`     // ExecStopPost=
}

// HookList is the commands of one key.
type HookList struct {
	Key     string // "before_start"
	Setting string // systemd's, systemd.service(5): "ExecStartPre"
	Hooks   []Hook
}

// Lists are the hooks key by key, in the order of a program's life.
func (h Hooks) Lists() []HookList {
	return []HookList{
		{"before_start", "ExecStartPre", h.BeforeStart},
		{"after_start", "ExecStartPost", h.AfterStart},
		{"reload_command", "ExecReload", h.ReloadCommand},
		{"before_stop", "ExecStop", h.BeforeStop},
		{"stop_command", "ExecStop", h.StopCommand},
		{"after_stop", "ExecStopPost", h.AfterStop},
	}
}

// StopTime bounds what a stop of the program takes: systemd gives each command that it runs
// for it, and the program itself, TimeoutStopSec= (systemd.service(5)).
func (p Program) StopTime() time.Duration {
	h := p.Hooks
	return time.Duration(1+len(h.BeforeStop)+len(h.StopCommand)+len(h.AfterStop)) * p.StopTimeout
}

// Reloads reports whether systemd can reload the program, by a command or a signal.
func (p Program) Reloads() bool {
	return len(p.Hooks.ReloadCommand) > 0 || sets(p.Systemd, "ExecReload") || p.Ready.Kind == probe.NotifyReload
}

// hookProperties are those of the hooks. They run before those of the same setting among
// systemd's own: a list that is sent twice grows (dbus-execute.c, bus_set_transient_exec_command).
func hookProperties(h Hooks, version int) []Property {
	var props []Property
	for _, l := range h.Lists() {
		if len(l.Hooks) > 0 {
			props = append(props, execProperty(l.Setting, l.Hooks, version))
		}
	}
	return props
}

// execProperty gives commands to systemd so that their arguments arrive unchanged. Arguments
// sent over D-Bus are still expanded at each run, "$NAME" by its value and "$$" by "$":
// ExecStartEx and the like can forbid it, but before systemd 254 a unit made with one does
// not survive a daemon-reload, so there every "$" is doubled. "%" and "\" need nothing.
func execProperty(setting string, hooks []Hook, version int) Property {
	if version >= 254 {
		list := make([]ExecCommandEx, len(hooks))
		for i, h := range hooks {
			list[i] = ExecCommandEx{Path: h.Path, Argv: h.Argv, Flags: []string{"no-env-expand"}}
			if h.MayFail {
				list[i].Flags = []string{"ignore-failure", "no-env-expand"}
			}
		}
		return Property{setting + "Ex", list}
	}
	list := make([]ExecCommand, len(hooks))
	for i, h := range hooks {
		argv := make([]string, len(h.Argv))
		for k, a := range h.Argv {
			argv[k] = strings.ReplaceAll(a, "$", "$$")
		}
		list[i] = ExecCommand{Path: h.Path, Argv: argv, IgnoreFailure: h.MayFail}
	}
	return Property{setting, list}
}

// CommandStatus is what systemd says of one command of a unit beside ExecStart=: an element of
// ExecStartPre and the like (org.freedesktop.systemd1(5)).
type CommandStatus struct {
	Setting string // "ExecStartPre"
	N       int    // position in its list, from 0
	Path    string
	MayFail bool
	PID     uint32 // 0 = was not run
	Ended   bool
	Code    int32 // waitid code, as Facts.ExecMainCode
	Status  int32
	Ran     time.Duration
}

func (c CommandStatus) failed() bool {
	return c.PID != 0 && c.Ended && !c.MayFail && (c.Code != codeExited || c.Status != 0)
}

// key is what the configuration calls the command.
func (c CommandStatus) key(h Hooks) string {
	n := c.N
	for _, l := range h.Lists() {
		if l.Setting != c.Setting {
			continue
		}
		if n < len(l.Hooks) {
			return l.Key
		}
		n -= len(l.Hooks)
	}
	return "systemd." + c.Setting
}

// words is "before_start /usr/bin/check: exit status 3".
func (c CommandStatus) words(h Hooks) string {
	what := c.key(h) + " " + c.Path
	switch step, known := execSteps[int(c.Status)]; {
	case c.executionFailed() && known:
		return fmt.Sprintf("%s: systemd could not execute it: %s (status %d)", what, step, c.Status)
	case c.Code == codeExited:
		return fmt.Sprintf("%s: exit status %d", what, c.Status)
	case c.Code == codeDumped:
		return what + ": " + signalWords(int(c.Status)) + ", core dumped"
	}
	return what + ": " + signalWords(int(c.Status))
}

// executionFailed reports whether the status is systemd's own, by which it says that it could
// not execute the command. What ran for longer was executed.
func (c CommandStatus) executionFailed() bool {
	return c.Code == codeExited && c.Status >= 200 && execSteps[int(c.Status)] != "" && c.Ran < setupTime
}

// needsCommands reports whether the end of a unit cannot be told without the statuses of its
// commands, which no signal has: its main process was never started, or was ended because a
// hook had failed.
func needsCommands(def Program, f Facts) bool {
	if f.Commands != nil || f.ActiveState != "failed" || f.InvocationID == "" {
		return false
	}
	if f.ExecMainCode == 0 {
		return f.Result == "exit-code" || f.Result == "signal" || f.Result == "core-dump" || f.Result == "timeout"
	}
	for _, l := range def.Hooks.Lists() {
		if len(l.Hooks) > 0 {
			return true
		}
	}
	return false
}

// hookFailure tells an end that is due to a command before or behind the start, and not to
// the program. note is what is worth telling of others.
func hookFailure(def Program, f Facts, e policy.Exit) (_ policy.Exit, note string) {
	for _, c := range f.Commands {
		if !c.failed() {
			continue
		}
		start := c.Setting == "ExecStartPre" || c.Setting == "ExecStartPost"
		switch {
		case start && f.Result == "timeout":
			key := c.key(def.Hooks)
			if strings.HasPrefix(key, "systemd.") {
				return e, ""
			}
			e.Hook, e.Reason = key, "not started in time"
			if def.StartTimeout > 0 {
				e.Reason = fmt.Sprintf("not started within %s (start_timeout)", policy.Words(def.StartTimeout))
			}
			e.Reason += ": " + key + " " + c.Path + " had not ended"
			return e, ""
		case start && f.Result != "oom-kill" && f.Result != "watchdog":
			e.Cause, e.Code, e.Signal, e.Reason = policy.CauseStart, 0, 0, c.words(def.Hooks)
			e.Hook = c.key(def.Hooks)
			if c.executionFailed() {
				e.Cause, e.Code = policy.CauseExec, int(c.Status)
			}
			return e, ""
		case !start && c.Setting != "ExecReload":
			return e, c.words(def.Hooks)
		}
	}
	return e, ""
}
