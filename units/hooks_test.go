package units_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/property"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

func hooked(p *units.Program) {
	p.Hooks = units.Hooks{
		BeforeStart:   []units.Hook{{Path: "/bin/a", Argv: []string{"a", "$X"}}, {Path: "/bin/b", Argv: []string{"b"}, MayFail: true}},
		BeforeStop:    []units.Hook{{Path: "/bin/drain", Argv: []string{"drain"}}},
		StopCommand:   []units.Hook{{Path: "/bin/halt", Argv: []string{"halt", "100%"}}},
		ReloadCommand: []units.Hook{{Path: "/bin/again", Argv: []string{"again"}}},
		AfterStop:     []units.Hook{{Path: "/bin/tidy", Argv: []string{"tidy"}}},
	}
	p.Systemd = []property.Setting{{Name: "ExecStartPre", Value: "/bin/last"}}
}

// The hooks come before systemd's own settings, and their arguments arrive as they are.
func TestHookProperties(t *testing.T) {
	execs := func(version int) (out []string) {
		for _, p := range units.Properties(program("web", hooked), units.Runtime{Project: "default", Version: version}) {
			if strings.HasPrefix(p.Name, "Exec") {
				out = append(out, fmt.Sprintf("%s %v", p.Name, p.Value))
			}
		}
		return out
	}
	want := map[int][]string{
		252: {
			"ExecStart [{/bin/web [web] false}]",
			"ExecStartPre [{/bin/a [a $$X] false} {/bin/b [b] true}]",
			"ExecReload [{/bin/again [again] false}]",
			"ExecStop [{/bin/drain [drain] false}]",
			"ExecStop [{/bin/halt [halt 100%] false}]",
			"ExecStopPost [{/bin/tidy [tidy] false}]",
			"ExecStartPre [{/bin/last [/bin/last] false}]",
		},
		254: {
			"ExecStartEx [{/bin/web [web] [no-env-expand]}]",
			"ExecStartPreEx [{/bin/a [a $X] [no-env-expand]} {/bin/b [b] [ignore-failure no-env-expand]}]",
			"ExecReloadEx [{/bin/again [again] [no-env-expand]}]",
			"ExecStopEx [{/bin/drain [drain] [no-env-expand]}]",
			"ExecStopEx [{/bin/halt [halt 100%] [no-env-expand]}]",
			"ExecStopPostEx [{/bin/tidy [tidy] [no-env-expand]}]",
			"ExecStartPreEx [{/bin/last [/bin/last] []}]",
		},
	}
	for version, want := range want {
		if diff := cmp.Diff(want, execs(version)); diff != "" {
			t.Errorf("systemd %d (-want +got):\n%s", version, diff)
		}
	}
	if got := program("web", hooked).StopTime(); got != 40*time.Second {
		t.Errorf("a stop takes up to %s", got)
	}
}

// What a hook did is the reason of a failed start, with its key; of a stop it is a note.
func TestHookFailures(t *testing.T) {
	cmd := func(setting string, n int, path string, code, status int32) units.CommandStatus {
		return units.CommandStatus{Setting: setting, N: n, Path: path, PID: 7, Ended: true, Code: code, Status: status}
	}
	fails := func(result string, code, status int32, commands ...units.CommandStatus) outcome {
		return outcome{fail: &units.Facts{Result: result, ExecMainCode: code, ExecMainStatus: status, Commands: commands}}
	}
	mayFail := cmd("ExecStartPre", 1, "/bin/b", 1, 1)
	mayFail.MayFail = true
	for _, tt := range []struct {
		name, want string
		out        outcome
	}{
		{"before_start", "before_start /bin/a: exit status 3, ", fails("exit-code", 0, 0, cmd("ExecStartPre", 0, "/bin/a", 1, 3))},
		{"one that may fail, and systemd's own", "systemd.ExecStartPre /bin/last: killed by SIGKILL, ", fails("signal", 0, 0, mayFail, cmd("ExecStartPre", 2, "/bin/last", 2, 9))},
		{"one that is missing", "before_start /bin/a: systemd could not execute it: cannot execute the command (status 203), ", fails("exit-code", 0, 0, cmd("ExecStartPre", 0, "/bin/a", 1, 203))},
		{"after_start", "after_start /bin/up: exit status 1, ", fails("exit-code", 2, 15, cmd("ExecStartPre", 0, "/bin/a", 1, 0), cmd("ExecStartPost", 0, "/bin/up", 1, 1))},
		{"a start that takes too long", "not started within 5s (start_timeout): before_start /bin/a had not ended, ", fails("timeout", 0, 0, cmd("ExecStartPre", 0, "/bin/a", 2, 15))},
		{"the program itself", "systemd could not execute it: cannot execute the command (status 203), ", fails("exit-code", 1, 203, cmd("ExecStartPre", 0, "/bin/a", 1, 0))},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			fake.outcomes["msup-web.service"] = []outcome{tt.out, {}}
			r := start(t, fake, nil, program("web", hooked, func(p *units.Program) {
				p.StartTimeout = 5 * time.Second
				p.Hooks.AfterStart = []units.Hook{{Path: "/bin/up", Argv: []string{"up"}}}
			}))
			r.after(500 * time.Millisecond)
			if want := "web STARTING -> BACKOFF: " + tt.want + "restart 1 of 2 in 1s\n"; !strings.Contains(r.log(), want) {
				t.Errorf("%s: got\n%swant %s", tt.name, r.log(), want)
			}
			r.after(time.Minute)
			if got := r.phases(); got != "web RUNNING" {
				t.Errorf("%s: %s", tt.name, got)
			}
			r.stop()
		})
	}
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", hooked))
		r.after(time.Second)
		fake.set(func() {
			fake.units["msup-web.service"].facts.Commands = []units.CommandStatus{cmd("ExecStop", 0, "/bin/drain", 1, 4)}
		})
		fake.stopNow("msup-web.service", 2, 15, "exit-code")
		r.after(time.Second)
		if want := "web: before_stop /bin/drain: exit status 4\n"; !strings.Contains(r.log(), want) {
			t.Errorf("got\n%swant %s", r.log(), want)
		}
		r.stop()
	})
}

// A reload is answered when it is done, the loop goes on meanwhile.
func TestReloadProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.reloadTakes = 5 * time.Second
		r := start(t, fake, nil, program("web", hooked), program("db", hooked), program("plain"), program("off", hooked, func(p *units.Program) { p.Autostart = false }))
		r.after(time.Second)
		reload := func(names ...string) error {
			_, err := r.sup.Do(t.Context(), units.Command{Verb: units.ReloadProgram, Programs: names})
			return err
		}
		begin := time.Now()
		if err := reload("web", "db"); err != nil || time.Since(begin) != 5*time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		fake.set(func() {
			fake.reloadErr = fmt.Errorf("the job: %w", units.ErrJob)
			fake.units["msup-web.service"].facts.Commands = []units.CommandStatus{{Setting: "ExecReload", Path: "/bin/again", PID: 1, Ended: true, Code: 1, Status: 5}}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failed := make(chan error)
		go func() { failed <- reload("web") }()
		r.after(time.Second)
		if _, err := r.sup.Snapshot(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the loop waits: %v", err)
		}
		const want = "cannot reload web: reload_command /bin/again: exit status 5"
		if err := <-failed; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		r.after(time.Second)
		if got := r.phases(); !strings.HasPrefix(got, "web RUNNING") || !strings.HasSuffix(r.log(), "web: "+want+"\n") {
			t.Errorf("%s\n%s", got, r.log())
		}
		for name, want := range map[string]string{
			"plain": "cannot reload plain: it has no reload_command; msup hup plain sends it SIGHUP, which makes many programs read their configuration again",
			"off":   "cannot reload off: it is STOPPED",
			"none":  `no program "none"`,
		} {
			if err := reload(name); err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
		r.stop()
	})
}
