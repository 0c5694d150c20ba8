package config

import (
	"path/filepath"
	"slices"
	"strings"

	"msup/units"
)

const hookWords = "a program and its arguments; a - before it lets it fail"

// hookKeys are commands that run beside a program.
var hookKeys = []Key{
	hookKey("before_start", "Run before each start; if it fails, so does the start (ExecStartPre).", "/srv/web/migrate --check",
		func(h *units.Hooks) *[]units.Hook { return &h.BeforeStart }, "ExecStartPre", "pre_start"),
	hookKey("after_start", "Run when the program has been executed; if it fails, the start has failed and the program is ended (ExecStartPost).", "/srv/web/announce up",
		func(h *units.Hooks) *[]units.Hook { return &h.AfterStart }, "ExecStartPost", "post_start"),
	hookKey("before_stop", "Run before the stop signal is sent; MAINPID is in its environment (ExecStop).", "-/srv/web/drain",
		func(h *units.Hooks) *[]units.Hook { return &h.BeforeStop }, "pre_stop"),
	hookKey("stop_command", "How it is stopped, and should wait until it has ended: stop_signal follows if it has not (ExecStop).", "/srv/web/ctl shutdown --wait",
		func(h *units.Hooks) *[]units.Hook { return &h.StopCommand }, "ExecStop", "stopcmd"),
	hookKey("reload_command", "What msup reload-program runs; MAINPID is in its environment (ExecReload).", `/bin/sh -c 'kill -HUP "$MAINPID"'`,
		func(h *units.Hooks) *[]units.Hook { return &h.ReloadCommand }, "ExecReload"),
	hookKey("after_stop", "Run after each end, also of a start that failed; SERVICE_RESULT, EXIT_CODE and EXIT_STATUS say how it was (ExecStopPost).", "/srv/web/cleanup",
		func(h *units.Hooks) *[]units.Hook { return &h.AfterStop }, "ExecStopPost", "post_stop"),
}

// actionKeys are commands that are run when something has happened to a program.
var actionKeys = []Key{
	actionKey("on_failed", "Run when it gave up (FAILED, KILLED), in a unit of its own: msup-NAME:on-failed:N.service. MSUP_PROGRAM, MSUP_STATE, MSUP_REASON, MSUP_CAUSE and so on are in its environment.", "/usr/local/bin/page-me",
		func(a *units.Actions) **units.Hook { return &a.Failed }, "OnFailure"),
	actionKey("on_oom_command", "Run in the same way when it was killed for memory, whatever on_oom has follow.", "/usr/local/bin/save-heap",
		func(a *units.Actions) **units.Hook { return &a.OOM }),
	actionKey("on_restart", "Run in the same way when it has ended and its policy starts it again.", "/usr/local/bin/count-restarts",
		func(a *units.Actions) **units.Hook { return &a.Restart }),
}

func actionKey(name, doc, example string, field func(*units.Actions) **units.Hook, other ...string) Key {
	return Key{
		Section: programSection, Name: name, Kind: Words, Unset: "none", Allowed: hookWords, Example: example, Doc: doc, Other: other,
		set: func(t *target, s setting) error {
			h, err := parseHook(s.value)
			if err != nil {
				return err
			}
			if len(h.Argv) == 0 || h.Argv[0] == "" {
				return hinted("write the program to run, for example "+s.key.Example, "there is no program in %s", quote(s.value))
			}
			t.prog.actions = append(t.prog.actions, actionAt{s, &h})
			*field(&t.prog.Actions) = &h
			warnShell(t, s, h.Argv[0])
			return nil
		},
	}
}

// actionAt is an action of a program, and where it stands.
type actionAt struct {
	setting
	hook *units.Hook
}

func hookKey(name, doc, example string, list func(*units.Hooks) *[]units.Hook, other ...string) Key {
	return Key{
		Section: programSection, Name: name, Kind: Words, Unset: "none", Repeats: true, Allowed: hookWords, Example: example, Doc: doc, Other: other,
		set: func(t *target, s setting) error { return setHook(t, s, list) },
	}
}

// hookAt is a hook of a program, and where it stands.
type hookAt struct {
	setting
	list func(*units.Hooks) *[]units.Hook
	n    int
}

func setHook(t *target, s setting, list func(*units.Hooks) *[]units.Hook) error {
	h, err := parseHook(s.value)
	if err != nil {
		return err
	}
	if len(h.Argv) == 0 || h.Argv[0] == "" {
		return hinted("write the program to run, for example "+s.key.Example, "there is no program in %s", quote(s.value))
	}
	hooks := list(&t.prog.Hooks)
	t.prog.hooks = append(t.prog.hooks, hookAt{s, list, len(*hooks)})
	*hooks = append(*hooks, h)
	warnShell(t, s, h.Argv[0])
	return nil
}

// parseHook splits a command into words and takes the - off that lets it fail.
func parseHook(value string) (units.Hook, error) {
	words, err := splitWords(value)
	if err != nil || len(words) == 0 {
		return units.Hook{}, err
	}
	h := units.Hook{Argv: words}
	if rest, ok := strings.CutPrefix(words[0], "-"); ok {
		h.MayFail, words[0] = true, rest
		if rest == "" {
			h.Argv = words[1:]
		}
	}
	return h, nil
}

// fillHooks finds the executables of a program's hooks, and sees what systemd cannot do.
func (l *loader) fillHooks(t *target) {
	d := t.prog
	for _, at := range d.actions {
		at.hook.Path = l.executable(t, at.setting, at.hook.Argv[0])
	}
	if d.Type == units.Scope {
		for _, at := range d.hooks {
			l.scopeCannot(d, at.setting)
		}
		d.hooks, d.Hooks = nil, units.Hooks{}
		return
	}
	for _, at := range d.hooks {
		h := &(*at.list(&d.Hooks))[at.n]
		h.Path = l.executable(t, at.setting, h.Argv[0])
		// What runs later than the start is read back by then at a daemon-reload.
		later := !slices.Contains([]string{"before_start", "after_start"}, at.key.Name)
		if later && slices.ContainsFunc(h.Argv, func(a string) bool { return strings.ContainsAny(a, "$;'") }) {
			l.cfg.newer = append(l.cfg.newer, newer{at.setting, 254, true, ""})
		}
	}
}

// executable finds the program that a command begins with. A word with a slash is a path and
// starts at the program's directory; a bare name is looked up in the PATH the program will
// have. It is "" where there is none, which is reported if the machine is asked.
func (l *loader) executable(t *target, s setting, name string) string {
	d := t.prog
	found, why := "", ""
	switch {
	case filepath.IsAbs(name):
		found = filepath.Clean(name)
	case strings.Contains(name, "/"):
		found = filepath.Join(d.Directory, name)
	default:
		found, why = l.lookPath(programPath(d), name)
	}
	switch {
	case !l.check:
	case found == "":
		l.absent(d, s.src, s.diagnostic(quote(name)+" is not found"+why, l.notFoundHint(name)))
		found = firstIn(programPath(d), name) // where it may come to be
	case !filepath.IsAbs(name) && strings.Contains(name, "/") && !l.host.isDir(d.Directory):
		// The folder is the mistake, see checkDirectory.
	default:
		l.checkExecutable(t, s, found, name)
	}
	return found
}
