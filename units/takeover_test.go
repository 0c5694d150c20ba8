package units_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

// A start that comes while the exit of a run is being collected is not lost: what the run
// left behind may take a whole stop_timeout to go.
func TestStartWhileAnExitIsTaken(t *testing.T) {
	for _, verb := range []units.Verb{units.Start, units.Restart} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			r := start(t, fake, nil, program("web"))
			r.after(time.Second)
			fake.set(func() { fake.units["msup-web.service"].slow = time.Minute })
			fake.die("msup-web.service", 1, 0, "success")
			r.after(time.Second)
			r.do(verb, "web")
			r.after(2 * time.Minute)
			r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> RUNNING: started
web RUNNING -> STOPPING: by the test
web STOPPING -> STARTING: by the test: exit status 0
web STARTING -> RUNNING: started
`)
			r.stop()
		})
	}
}

// A supervisor that dies before it has started anything leaves that to the next one,
// although there was something to write down already.
func TestDiesBeforeItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.cut = true
		r := start(t, fake, nil, program("web"))
		fake.events <- units.Connected{}
		fake.events <- units.Disconnected{Err: errors.New("connection reset")}
		r.after(time.Second)
		r.stop()
		if !strings.Contains(r.log(), "lost the connection") {
			t.Fatalf("nothing happened: %q", r.log())
		}
		fake.cut = false
		r2 := start(t, fake, r.saved, program("web"))
		r2.after(time.Second)
		r2.wantPhases("web RUNNING")
		r2.stop()
	})
}

// One that takes over starts nothing that was stopped; one that another msup up has asked
// for does.
func TestStartsWhatWasStopped(t *testing.T) {
	for want, anew := range map[string]bool{"web STOPPED": false, "web RUNNING": true} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			r := start(t, fake, nil, program("web"))
			r.after(time.Second)
			r.do(units.Stop, "web")
			r.after(time.Second)
			r.stop()
			r.saved.Anew = anew
			r2 := start(t, fake, r.saved, program("web"))
			r2.after(time.Second)
			if got := r2.phases(); got != want {
				t.Errorf("anew %t: got %s", anew, got)
			}
			r2.stop()
		})
	}
}

// A stop that was meant for a run that has ended, and could not be sent, does not reach the
// one that systemctl restart has put in its place.
func TestStopOfARunThatWasReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		fake.disconnect()
		r.after(time.Second)
		fake.set(func() {
			fake.late = time.Second // the list; until then nothing is sent
			u := fake.units["msup-web.service"]
			exited := u.facts
			exited.SubState, exited.MainPID, exited.ExecMainCode = "exited", 0, 1
			u.facts.InvocationID = "00000000000000000000000000000abc"
			fake.cut = false
			fake.emit(units.Connected{})
			fake.emit(units.UnitChanged{Facts: exited})
			fake.changed(u)
		})
		r.after(time.Minute)
		if got := r.phases(); got != "web RUNNING" || len(fake.stopped) > 0 {
			t.Errorf("got %s, stopped %v\n%s", got, fake.stopped, r.log())
		}
		r.stop()
	})
}

// A scope's leftovers are stopped whatever happens to the connection meanwhile, and only
// then is it started again.
func TestScopeLeftoversAcrossAReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, forker := newFake(), &fakeForker{}
		p := scopeProgram()
		p.Rules.Autorestart, p.Rules.RestartDelay = policy.Always, 0
		r := startWith(t, fake, nil, forker, p)
		r.after(time.Second)
		fake.disconnect()
		forker.children[0].exit(4 << 8)
		r.after(time.Second)
		fake.reconnect()
		r.after(time.Minute)
		r.wantLog(`
job STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
job STARTING -> RUNNING: started
msup: lost the connection to systemd: connection reset; the programs run on
job RUNNING -> BACKOFF: exit status 4, restart 1 of 2 in 0s
job BACKOFF -> STARTING: restart 1
job STARTING -> RUNNING: restarted
`)
		r.stop()
		for _, c := range forker.children {
			c.exit(0)
		}
	})
}
