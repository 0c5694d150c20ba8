package units_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

func acting(p *units.Program) {
	h := &units.Hook{Path: "/bin/tell", Argv: []string{"tell"}}
	p.Actions = units.Actions{Failed: h, OOM: h, Restart: h}
	p.Rules.MaxRestarts = 1
}

// actionsOf are the starts of actions that systemd was asked for.
func actionsOf(f *fakeSystemd) (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range f.started {
		if strings.Contains(name, ":on-") {
			out = append(out, name)
		}
	}
	return out
}

// noActions looks for units of actions that are still loaded.
func (f *fakeSystemd) noActions(t *testing.T, when string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for name := range f.units {
		if strings.Contains(name, ":on-") {
			t.Errorf("%s: %s is left", when, name)
		}
	}
}

// actionsEnd has every action of a program end with a status soon.
func (f *fakeSystemd) actionsEnd(prefix string, code, status int32, result string) {
	for n := range 40 {
		for _, kind := range []string{"failed", "oom", "restart"} {
			f.outcomes[fmt.Sprintf("%s:on-%s:%d.service", prefix, kind, n)] = []outcome{{run: 50 * time.Millisecond, code: code, state: status, res: result}}
		}
	}
}

// Each kind at its time, with the facts, and nothing is left in systemd.
func TestActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 2, state: 9, res: "oom-kill"}, {run: time.Second, code: 1, state: 3, res: "exit-code"}}
		fake.actionsEnd("msup-web", 1, 0, "success")
		r := start(t, fake, nil, program("web", acting))
		seqs := map[policy.Phase]uint64{}
		r.after(time.Minute)
		for _, rec := range r.records {
			seqs[rec.To] = max(seqs[rec.To], rec.Seq)
		}
		want := []string{
			fmt.Sprintf("msup-web:on-oom:%d.service", seqs[policy.Backoff]), fmt.Sprintf("msup-web:on-restart:%d.service", seqs[policy.Backoff]),
			fmt.Sprintf("msup-web:on-failed:%d.service", seqs[policy.Failed]),
		}
		got := actionsOf(fake)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("started %q, want %q\n%s", got, want, r.log())
		}
		env := fake.environment(fmt.Sprintf("msup-web:on-failed:%d.service", seqs[policy.Failed]))
		for _, fact := range []string{
			"MSUP_PROGRAM=web", "MSUP_STATE=FAILED", "MSUP_CAUSE=exit", "MSUP_EXIT_CODE=3", "MSUP_RESTARTS=1", "MSUP_MAX_RESTARTS=1",
			"MSUP_PROJECT=default", "MSUP_CONFIG=/x/msup.conf", "MSUP_UNIT=msup-web.service", "MSUP_REASON=exit status 3, gave up after 1 restart",
		} {
			if !slices.Contains(env, fact) {
				t.Errorf("%s is not among %q", fact, env)
			}
		}
		fake.noActions(t, "at the end")
		if n := len(r.saved.Programs["web"].Actions); n > 0 {
			t.Errorf("%d actions are still written down", n)
		}
		r.stop()
	})
}

// One of a kind at a time, a skipped one and a failed one are told.
func TestActionsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		r := start(t, fake, nil, program("web", acting, func(p *units.Program) { p.Rules.MaxRestarts = 4 }))
		r.after(5500 * time.Millisecond)
		if got := actionsOf(fake); len(got) != 1 {
			t.Errorf("started %q", got)
		}
		if n := strings.Count(r.log(), "web: on_restart still runs, and is not run again for: exit status 3, restart "); n < 1 {
			t.Errorf("not told:\n%s", r.log())
		}
		name := actionsOf(fake)[0]
		fake.die(name, 1, 7, "exit-code")
		r.after(10 * time.Millisecond)
		if !strings.Contains(r.log(), "web: on_restart has failed: exit status 7\n") {
			t.Errorf("its failure is not told:\n%s", r.log())
		}
		r.after(4 * time.Second)
		if got := actionsOf(fake); len(got) != 2 && len(got) != 3 {
			t.Errorf("started %q", got)
		}
		r.stop()
	})
}

// Exactly once, whenever the supervisor is killed: before systemd was asked, while it runs,
// when it has ended, and when that was written down.
func TestActionsExactlyOnce(t *testing.T) {
	for _, when := range []time.Duration{0, 1, 2 * time.Millisecond, 4 * time.Millisecond, 30 * time.Millisecond, 53 * time.Millisecond, 54 * time.Millisecond, 60 * time.Millisecond, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
			fake.actionsEnd("msup-web", 1, 0, "success")
			once := program("web", acting, func(p *units.Program) { p.Rules.Autorestart, p.Actions.Restart = policy.Never, nil })
			r := start(t, fake, nil, once)
			time.Sleep(time.Second + jobDelay)
			time.Sleep(when)
			r.stop()
			time.Sleep(300 * time.Millisecond)
			fake.loseEvents()
			r2 := start(t, fake, r.saved, once)
			r2.after(5 * time.Second)
			if got := actionsOf(fake); len(got) != 1 {
				t.Errorf("killed after %s: started %q\n%s%s", when, got, r.log(), r2.log())
			}
			fake.noActions(t, "killed after "+when.String())
			r2.stop()
		})
	}
}

// The connection is away when it is due.
func TestActionsWithoutConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		fake.actionsEnd("msup-web", 1, 0, "success")
		r := start(t, fake, nil, program("web", acting, func(p *units.Program) { p.Rules.Autorestart = policy.Never }))
		r.after(500 * time.Millisecond)
		fake.disconnect()
		r.after(time.Second)
		fake.reconnect()
		r.after(time.Second)
		if got := actionsOf(fake); len(got) != 1 || r.phases() != "web FAILED" {
			t.Errorf("%s, started %q\n%s", r.phases(), got, r.log())
		}
		r.stop()
	})
}

// msup down starts none and leaves none.
func TestActionsAtDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		r := start(t, fake, nil, program("web", acting, func(p *units.Program) { p.Rules.Autorestart = policy.Never }))
		r.after(1500 * time.Millisecond)
		if got := actionsOf(fake); len(got) != 1 {
			t.Fatalf("started %q", got)
		}
		if _, err := r.sup.Do(context.Background(), units.Command{Verb: units.Down}); err != nil {
			t.Fatal(err)
		}
		<-r.done
		time.Sleep(time.Second)
		fake.noActions(t, "at the end")
	})
}
