package units_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

func stayUp(d time.Duration) func(*units.Program) {
	return func(p *units.Program) { p.Rules.StartPeriod = d }
}

// A program that is executed stays STARTING until it was up for start_seconds.
func TestStartSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-b.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}, {}}
		fake.outcomes["msup-c.service"] = []outcome{{run: time.Second, code: 1, res: "success"}}
		r := start(t, fake, nil, program("a", stayUp(5*time.Second)), program("b", stayUp(5*time.Second)), program("c", stayUp(5*time.Second)))
		r.after(4900 * time.Millisecond)
		r.wantPhases("a STARTING, b STARTING, c EXITED")
		if _, err := r.sup.Do(t.Context(), units.Command{Verb: units.Signal, Programs: []string{"a"}, Signal: 1}); err != nil {
			t.Errorf("cannot send a signal to what is executed: %v", err)
		}
		r.after(time.Minute)
		r.wantLog(`
a STOPPED -> STARTING: autostart
b STOPPED -> STARTING: autostart
c STOPPED -> STARTING: autostart
msup: supervises 3 programs of /x/msup.conf
b STARTING -> BACKOFF: exit status 3, restart 1 of 2 in 1s
c STARTING -> EXITED: exit status 0
b BACKOFF -> STARTING: restart 1
a STARTING -> RUNNING: started
b STARTING -> RUNNING: restarted
`)
		r.stop()
	})
}

// What has to stay up holds no job: many programs do not wait for each other.
func TestStartSecondsHoldsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.maxJobs = 2
		var programs []units.Program
		for i := range 20 {
			programs = append(programs, program(fmt.Sprint("p", i), stayUp(time.Minute)))
		}
		r := start(t, fake, nil, programs...)
		r.after(time.Second)
		if n := len(fake.started); n != 20 {
			t.Errorf("%d are executed after a second, want 20", n)
		}
		r.stop()
	})
}

// A supervisor that takes over goes on with the moment that was set; what has ended
// meanwhile has an answer by how long it ran.
func TestStartSecondsAcrossSupervisors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retries := 1
		retry := func(p *units.Program) {
			p.Rules.StartPeriod, p.Rules.StartRetries, p.Rules.RestartDelay = 10*time.Second, &retries, time.Minute
		}
		fake := newFake()
		programs := []units.Program{program("stays", stayUp(10*time.Second)), program("short", retry), program("long", retry), program("gone", stayUp(10*time.Second))}
		r := start(t, fake, nil, programs...)
		r.after(5 * time.Second)
		r.stop()
		if got := r.saved.Programs["stays"].State; got.Phase != policy.Starting || got.Deadline.IsZero() {
			t.Fatalf("saved %+v", got)
		}
		time.Sleep(time.Second)
		fake.die("msup-short.service", 1, 4, "exit-code")
		fake.set(func() { fake.stop("msup-gone.service", fake.units["msup-gone.service"]) })
		time.Sleep(6 * time.Second)
		fake.die("msup-long.service", 1, 5, "exit-code")
		fake.loseEvents()
		r2 := start(t, fake, r.saved, programs...)
		r2.after(time.Second)
		r2.wantLog(`
short STARTING -> BACKOFF: exit status 4, did not stay up for 10s, start retry 1 of 1 in 60s
long STARTING -> BACKOFF: exit status 5, restart 1 of 2 in 60s
gone STARTING -> STOPPING: stopped with systemctl
gone STOPPING -> STOPPED: stopped with systemctl: systemd has unloaded the unit
msup: supervises 4 programs of /x/msup.conf, has taken over 1 that run
stays STARTING -> RUNNING: started
`)
		r2.stop()
	})
}

// The clock was set back while no supervisor ran: nobody waits for the old time to come.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cool := func(p *units.Program) {
			p.Rules.MaxRestarts, p.Rules.RestartCooldown, p.Rules.RestartDelay = 1, time.Minute, time.Second
		}
		fake := newFake()
		for _, name := range []string{"waits", "gaveup"} {
			fake.outcomes["msup-"+name+".service"] = []outcome{{run: time.Millisecond, code: 1, state: 1, res: "exit-code"}}
		}
		programs := []units.Program{program("waits", func(p *units.Program) { p.Rules.RestartDelay = time.Minute }), program("gaveup", cool), program("starts", stayUp(time.Minute))}
		r := start(t, fake, nil, programs...)
		r.after(5 * time.Second)
		r.wantPhases("waits BACKOFF, gaveup FAILED, starts STARTING")
		r.stop()
		for name, p := range r.saved.Programs {
			p.State.Deadline, p.State.Started = p.State.Deadline.Add(24*time.Hour), p.State.Started.Add(24*time.Hour)
			r.saved.Programs[name] = p
		}
		fake.outcomes = map[string][]outcome{}
		r2 := start(t, fake, r.saved, programs...)
		r2.after(61 * time.Second)
		r2.wantPhases("waits RUNNING, gaveup RUNNING, starts RUNNING")
		r2.stop()
	})
}

// What was given up is tried again after a cooldown, also by the next supervisor, and a start
// or a stop does not wait for that.
func TestCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cool := func(p *units.Program) { p.Rules.MaxRestarts, p.Rules.RestartCooldown = 1, time.Hour }
		fake := newFake()
		for _, name := range []string{"a", "b", "c"} {
			fake.outcomes["msup-"+name+".service"] = []outcome{{run: 1, code: 1, state: 1, res: "exit-code"}, {run: 1, code: 1, state: 1, res: "exit-code"}, {}}
		}
		programs := []units.Program{program("a", cool), program("b", cool), program("c", cool)}
		r := start(t, fake, nil, programs...)
		r.after(10 * time.Second)
		r.wantPhases("a FAILED, b FAILED, c FAILED")
		r.do(units.Start, "b")
		r.do(units.Stop, "c")
		r.after(time.Second)
		r.wantPhases("a FAILED, b RUNNING, c STOPPED")
		r.stop()
		r2 := start(t, fake, r.saved, programs...)
		r2.after(2 * time.Hour)
		r2.wantPhases("a RUNNING, b RUNNING, c STOPPED")
		r2.wantLog(`
msup: supervises 3 programs of /x/msup.conf, has taken over 1 that run
a FAILED -> STARTING: tried again after a cooldown of 1h
a STARTING -> RUNNING: started
`)
		r2.stop()
	})
}

// The start that takes too long says which key it has exceeded.
func TestStartTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{fail: &units.Facts{ExecMainCode: 2, ExecMainStatus: 15, Result: "timeout"}}}
		r := start(t, fake, nil, program("web", func(p *units.Program) {
			p.StartTimeout, p.Rules.Autorestart = 5*time.Second, policy.Never
		}))
		r.after(time.Minute)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> KILLED: not started within 5s (start_timeout), autorestart is never
`)
		r.stop()
	})
}

// Without a delay a program that dies at once is started ten times a second.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Millisecond, code: 1, state: 1, res: "exit-code"}}
		r := start(t, fake, nil, program("web", func(p *units.Program) { p.Rules.RestartDelay, p.Rules.MaxRestarts = 0, 0 }))
		r.after(10 * time.Second)
		if n := len(fake.started); n < 95 || n > 101 {
			t.Errorf("%d starts in ten seconds", n)
		}
		want := "web STARTING -> RUNNING: restarted\nweb RUNNING -> BACKOFF: exit status 1, restart 2 in 196ms, held to ten starts a second\n"
		if got := r.log(); !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got[:2000])
		}
		r.stop()
	})
}

// A run that has ended does not become RUNNING, nor are its restarts forgiven, while what it
// left behind is being stopped.
func TestDeadlineOfARunThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", stayUp(2*time.Second), func(p *units.Program) { p.Rules.Autorestart = policy.Always }))
		r.after(time.Second)
		fake.set(func() { fake.units["msup-web.service"].slow = time.Minute })
		fake.die("msup-web.service", 1, 0, "success")
		r.after(65 * time.Second)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> BACKOFF: exit status 0, autorestart is always, restart 1 of 2 in 1s
web BACKOFF -> STARTING: restart 1
web STARTING -> RUNNING: restarted
`)
		r.stop()
	})
}
