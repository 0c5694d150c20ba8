package units_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/probe"
	"msup/units"
)

func notify(p *units.Program) {
	p.Ready = units.Probe{Spec: probe.Spec{Kind: probe.Notify}, Threshold: 1}
	p.Rules.Ready, p.StartTimeout = p.Ready.String(), 30*time.Second
}

func watchdog(p *units.Program) {
	p.Alive = units.Probe{Spec: probe.Spec{Kind: probe.Watchdog, Where: "5s", Every: 5 * time.Second}, Threshold: 1}
}

func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", notify))
		r.after(20 * time.Second)
		r.wantReason("STARTING: executed, waits for READY=1")
		fake.tell(web, "loading 40%\x1b[31m", false)
		r.after(time.Second)
		r.wantReason(`STARTING: executed, waits for READY=1 ("loading 40%` + "\ufffd[31m" + `")`)
		fake.tell(web, "serves", true)
		r.after(time.Minute)
		r.wantReason("RUNNING: started")
		snap, _ := r.sup.Snapshot(t.Context())
		p := snap.Programs[0]
		if p.Said != "serves" || len(p.Probes) != 1 || !p.Probes[0].Told || !p.Probes[0].Passed || p.Probes[0].At.IsZero() {
			t.Errorf("%+v", p)
		}
		fake.die(web, 1, 3, "exit-code")
		r.after(2 * time.Second)
		r.wantReason("STARTING: executed, waits for READY=1")
		r.do(units.Stop, "web")
		r.after(time.Second)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> RUNNING: started
web RUNNING -> BACKOFF: exit status 3, restart 1 of 2 in 1s
web BACKOFF -> STARTING: restart 1
web STARTING -> STOPPING: by the test
web STOPPING -> STOPPED: by the test: killed by SIGTERM
`)
		r.stop()
	})
}

// How a program that is not ready yet can end.
func TestNotifyThatNeverComes(t *testing.T) {
	for _, tt := range []struct {
		name, status string
		end          *units.Facts // nil = it hangs
		want         string
	}{
		{"hangs", "", nil, "KILLED: not ready within 30s (start_timeout), autorestart is never"},
		{"hangs and says where", "opens the database", nil, `KILLED: not ready within 30s (start_timeout): "opens the database", autorestart is never`},
		{"fails", "", &units.Facts{ExecMainCode: 1, ExecMainStatus: 3, Result: "exit-code"}, "FAILED: exit status 3, was not ready yet, autorestart is never"},
		{"ends well", "", &units.Facts{ExecMainCode: 1, Result: "protocol"}, "FAILED: exit status 0 before it said that it is ready, autorestart is never"},
		{"is killed by SIGTERM", "", &units.Facts{ExecMainCode: 2, ExecMainStatus: 15, Result: "protocol"}, "FAILED: killed by SIGTERM before it said that it is ready, autorestart is never"},
		{
			"is not executed", "", &units.Facts{ExecMainCode: 1, ExecMainStatus: 203, Result: "exit-code"},
			"FAILED: systemd could not execute it: cannot execute the command (status 203), unless that is its own exit status, autorestart is never",
		},
		{"ends with a status of systemd's", "hello", &units.Facts{ExecMainCode: 1, ExecMainStatus: 203, Result: "exit-code"}, "FAILED: exit status 203, was not ready yet, autorestart is never"},
		{"is killed for memory", "", &units.Facts{ExecMainCode: 2, ExecMainStatus: 9, Result: "oom-kill"}, "KILLED: killed for memory, was not ready yet, autorestart is never"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake()
				r := start(t, fake, nil, program("web", notify, func(p *units.Program) { p.Rules.Autorestart = policy.Never }))
				r.after(100 * time.Millisecond)
				fake.tell(web, tt.status, false)
				if tt.end != nil {
					fake.unready(web, *tt.end)
				}
				r.after(time.Minute)
				r.wantReason(tt.want)
				r.stop()
			})
		})
	}
}

// A supervisor that takes over finds it waiting, ready, or ended meanwhile.
func TestNotifyAcrossSupervisors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		def := program("web", notify, func(p *units.Program) {
			p.Rules.StartPeriod = 10 * time.Second
			p.Rules.RestartReset = 20 * time.Second
		})
		first := start(t, fake, nil, def)
		first.after(5 * time.Second)
		first.stop()
		second := start(t, fake, first.saved, def)
		second.after(time.Second)
		second.wantReason("STARTING: executed, waits for READY=1")
		second.stop()
		fake.tell(web, "", true)
		time.Sleep(time.Second)
		third := start(t, fake, second.saved, def)
		third.after(time.Second)
		third.wantReason("STARTING: ready, must stay up for 10s")
		third.after(5 * time.Second)
		third.wantReason("RUNNING: started")
		third.do(units.Restart, "web")
		third.after(time.Second)
		third.stop()
		// Ready, up for long and ended, all unseen: what it has used up is forgiven.
		third.saved.Programs["web"] = func() units.SavedProgram { p := third.saved.Programs["web"]; p.State.Restarts = 2; return p }()
		fake.tell(web, "", true)
		time.Sleep(30 * time.Second)
		fake.die(web, 1, 3, "exit-code")
		time.Sleep(time.Second)
		fourth := start(t, fake, third.saved, def)
		fourth.after(10 * time.Millisecond)
		fourth.wantReason("BACKOFF: exit status 3, restart 1 of 2 in 1s")
		// Executed when nobody was there.
		fake.set(func() { fake.hold = make(chan struct{}) })
		fourth.after(2 * time.Second)
		fourth.stop()
		close(fake.hold)
		time.Sleep(time.Second)
		fifth := start(t, fake, fourth.saved, def)
		fifth.after(time.Second)
		fifth.wantReason("STARTING: executed, waits for READY=1")
		fake.tell(web, "", true)
		fifth.after(20 * time.Second)
		fifth.wantReason("RUNNING: restarted")
		fifth.stop()
		if n := len(fake.started); n != 3 {
			t.Errorf("started %v", fake.started)
		}
	})
}

// Somebody starts it with systemctl: it is not RUNNING before it says so.
func TestNotifyStartedBySystemctl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", notify, func(p *units.Program) { p.Autostart = false }))
		r.after(time.Second)
		if err := fake.Start(t.Context(), web, units.Properties(program("web", notify), units.Runtime{Project: units.DefaultProject, Version: 252}), false); err != nil {
			t.Fatal(err)
		}
		r.after(time.Second)
		r.wantReason("STARTING: started with systemctl, waits for READY=1")
		fake.tell(web, "", true)
		r.after(time.Second)
		r.wantReason("RUNNING: started")
		r.stop()
	})
}

// Programs that take long to be ready do not hold up the others, and are not without number.
func TestManyThatAreNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.maxJobs = 2
		var programs []units.Program
		for i := range 20 {
			programs = append(programs, program(fmt.Sprint("slow", i), notify, func(p *units.Program) { p.StartTimeout = time.Hour }))
		}
		programs = append(programs, program("web"))
		r := start(t, fake, nil, programs...)
		r.after(time.Second)
		if got := r.reason(20); got != "RUNNING: started" {
			t.Error(got)
		}
		waiting := func() (n int) {
			snap, _ := r.sup.Snapshot(t.Context())
			for _, p := range snap.Programs {
				if p.State.Phase == policy.Starting && p.State.IsActive() {
					n++
				}
			}
			return n
		}
		// (Calls that were on their way at that moment come on top.)
		if n := waiting(); n < 16 || n > 18 {
			t.Errorf("%d wait for READY=1", n)
		}
		for i := range 6 {
			fake.tell(fmt.Sprintf("msup-slow%d.service", i), "", true)
		}
		r.after(time.Second)
		if n := waiting(); n != 14 {
			t.Errorf("%d wait for READY=1", n)
		}
		r.do(units.Stop, "slow9")
		r.after(time.Second)
		if got := r.reason(9); got != "STOPPED: by the test: killed by SIGTERM" {
			t.Error(got)
		}
		fake.set(func() { fake.prompt = true })
		for i := range 20 {
			fake.set(func() {
				if u := fake.units[fmt.Sprintf("msup-slow%d.service", i)]; u != nil {
					u.leave()
				}
			})
		}
		r.after(10 * time.Second)
		r.stop()
	})
}

func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", watchdog))
		r.after(time.Minute)
		snap, _ := r.sup.Snapshot(t.Context())
		if ps := snap.Programs[0].Probes; len(ps) != 1 || ps[0].Probe != "watchdog 5s" || !ps[0].Passed || !ps[0].Told {
			t.Errorf("probes %+v", ps)
		}
		fake.stopNow(web, 3, 6, "watchdog")
		r.after(2 * time.Second)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> RUNNING: started
web RUNNING -> BACKOFF: unhealthy: no WATCHDOG=1 for 5s, killed by SIGABRT, core dumped, restart 1 of 2 in 1s
web BACKOFF -> STARTING: restart 1
web STARTING -> RUNNING: restarted
`)
		if ends := r.saved.EndsOf("web"); len(ends) != 1 || ends[0].Exit.Cause != policy.CauseUnhealthy || ends[0].Result != "watchdog" {
			t.Errorf("ends %+v", ends)
		}
		r.stop()
	})
}

func TestReloadByNotification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", notify, func(p *units.Program) { p.Ready.Kind = probe.NotifyReload }))
		r.after(time.Second)
		if _, err := r.sup.Do(t.Context(), units.Command{Verb: units.ReloadProgram, Programs: []string{"web"}}); err == nil || err.Error() != "cannot reload web: it is not ready yet" {
			t.Error(err)
		}
		fake.tell(web, "", true)
		r.after(time.Second)
		r.do(units.ReloadProgram, "web")
		// It does not say that it has reloaded.
		fake.set(func() {
			fake.reloadTakes, fake.reloadErr = 40*time.Second, fmt.Errorf("systemd has not answered: %w", context.DeadlineExceeded)
		})
		if _, err := r.sup.Do(t.Context(), units.Command{Verb: units.ReloadProgram, Programs: []string{"web"}}); err == nil ||
			err.Error() != "cannot reload web: it has not said within 30s that it has reloaded (READY=1, start_timeout)" {
			t.Error(err)
		}
		r.stop()
	})
}
