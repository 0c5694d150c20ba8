package units_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/probe"
	"msup/units"
)

// oracle answers probes, by what is asked, and watches that no two of one kind overlap.
type oracle struct {
	mu      sync.Mutex
	answers map[string]error
	takes   time.Duration
	asked   map[string]int
	under   map[string]int
	overlap bool
}

func newOracle() *oracle {
	return &oracle{answers: map[string]error{}, asked: map[string]int{}, under: map[string]int{}}
}

func (o *oracle) say(what string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[what] = err
}

func (o *oracle) count(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[what]
}

func (o *oracle) ask(ctx context.Context, s probe.Spec, unit string, pid uint32) probe.Result {
	if unit == "" || pid == 0 {
		panic("who is asked?")
	}
	o.mu.Lock()
	o.asked[s.Where]++
	o.under[s.Where]++
	o.overlap = o.overlap || o.under[s.Where] > 1
	takes := o.takes
	o.mu.Unlock()
	begin := time.Now()
	var err error
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.under[s.Where]--
	if err == nil {
		err = o.answers[s.Where]
	}
	return probe.Result{Err: err, Latency: time.Since(begin), Output: "said " + s.Where}
}

func ready(p *units.Program) {
	p.Ready = units.Probe{Spec: probe.Spec{Kind: probe.TCP, Where: "r"}, Interval: time.Second, Timeout: 3 * time.Second, Threshold: 1}
	p.Rules.Ready, p.Rules.ReadyTimeout = p.Ready.String(), 30*time.Second
}

func alive(p *units.Program) {
	p.Alive = units.Probe{Spec: probe.Spec{Kind: probe.TCP, Where: "a"}, Interval: 10 * time.Second, Timeout: 3 * time.Second, Threshold: 3}
}

func TestReadyProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		o.say("r", syscall.ECONNREFUSED)
		r := start(t, fake, nil, program("web", ready))
		r.after(10 * time.Millisecond)
		r.wantReason(`STARTING: executed, waits for tcp r (1 try, connection refused, "said r")`)
		r.after(2 * time.Second)
		r.wantReason(`STARTING: executed, waits for tcp r (3 tries, connection refused, "said r")`)
		o.say("r", nil)
		r.after(time.Second)
		r.wantReason("RUNNING: started")
		r.after(time.Minute)
		if n := o.count("r"); n != 4 {
			t.Errorf("asked %d times", n)
		}
		snap, _ := r.sup.Snapshot(t.Context())
		if ps := snap.Programs[0].Probes; len(ps) != 1 || !ps[0].Passed || ps[0].Tries != 4 || ps[0].InRow != 1 || ps[0].Output != "said r" {
			t.Errorf("probes %+v", ps)
		}
		r.stop()
	})
}

func TestReadyThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		r := start(t, fake, nil, program("web", ready, func(p *units.Program) { p.Ready.Threshold = 3 }))
		r.after(1100 * time.Millisecond)
		r.wantReason("STARTING: executed, waits for tcp r (2 tries, passed)")
		o.say("r", syscall.ECONNREFUSED)
		r.after(time.Second)
		o.say("r", nil)
		r.after(2 * time.Second)
		r.wantReason("STARTING: executed, waits for tcp r (5 tries, passed)")
		r.after(time.Second)
		r.wantReason("RUNNING: started")
		r.stop()
	})
}

func TestNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		o.say("r", syscall.ECONNREFUSED)
		r := start(t, fake, nil, program("web", ready, func(p *units.Program) { p.Rules.MaxRestarts = 1 }))
		r.after(2 * time.Minute)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> STOPPING: not ready within 30s (start_timeout): connection refused, "said r"
web STOPPING -> BACKOFF: not ready within 30s (start_timeout): connection refused, "said r", restart 1 of 1 in 1s
web BACKOFF -> STARTING: restart 1
web STARTING -> STOPPING: not ready within 30s (start_timeout): connection refused, "said r"
web STOPPING -> KILLED: not ready within 30s (start_timeout): connection refused, "said r", gave up after 1 restart
`)
		ends := r.saved.EndsOf("web")
		if len(ends) != 2 || ends[1].Exit.Cause != policy.CauseTimeout || ends[1].During != policy.Starting || ends[1].By != "" || ends[1].To != policy.Killed {
			t.Errorf("ends %+v", ends)
		}
		n := o.count("r")
		r.after(time.Minute)
		if o.count("r") != n {
			t.Error("asks what is not there")
		}
		r.stop()
	})
}

func TestUnhealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		r := start(t, fake, nil, program("web", ready, alive))
		r.after(25 * time.Second)
		if o.count("a") != 2 {
			t.Errorf("asked %d times", o.count("a"))
		}
		o.say("a", errors.New("status 503"))
		r.after(20 * time.Second)
		o.say("a", nil) // two failures are not three
		r.after(10 * time.Second)
		o.say("a", errors.New("status 503"))
		r.after(25*time.Second + 500*time.Millisecond)
		r.wantReason(`BACKOFF: unhealthy: tcp a failed 3 times in a row: status 503, "said a", restart 1 of 2 in 1s`)
		o.say("a", nil)
		r.after(5 * time.Second)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> RUNNING: started
web RUNNING -> STOPPING: unhealthy: tcp a failed 3 times in a row: status 503, "said a"
web STOPPING -> BACKOFF: unhealthy: tcp a failed 3 times in a row: status 503, "said a", restart 1 of 2 in 1s
web BACKOFF -> STARTING: restart 1
web STARTING -> RUNNING: restarted
`)
		if ends := r.saved.EndsOf("web"); len(ends) != 1 || ends[0].Exit.Cause != policy.CauseUnhealthy || ends[0].During != policy.Running {
			t.Errorf("ends %+v", ends)
		}
		r.stop()
	})
}

// A supervisor that is killed at any of these moments is followed by one that goes on.
func TestProbesAfterATakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		o.say("r", syscall.ECONNREFUSED)
		def := program("web", ready, alive)
		first := start(t, fake, nil, def)
		first.after(5 * time.Second)
		first.stop() // while it waits

		second := start(t, fake, first.saved, def)
		second.after(time.Second)
		second.wantReason(`STARTING: executed, waits for tcp r (2 tries, connection refused, "said r")`)
		o.say("r", nil)
		second.after(time.Second)
		second.wantReason("RUNNING: started")
		o.say("r", syscall.ECONNREFUSED)
		second.stop() // while it runs

		third := start(t, fake, second.saved, def)
		third.after(11 * time.Second)
		third.wantReason("RUNNING: started")
		if o.count("a") != 1 {
			t.Errorf("asked %d times", o.count("a"))
		}
		fake.set(func() { fake.units["msup-web.service"].slow = time.Minute })
		o.say("a", errors.New("ill"))
		third.after(30 * time.Second)
		third.wantReason(`STOPPING: unhealthy: tcp a failed 3 times in a row: ill, "said a"`)
		third.stop() // while it stops

		fourth := start(t, fake, third.saved, def)
		fourth.after(65 * time.Second)
		fourth.wantReason(`STARTING: executed, waits for tcp r (` + fmt.Sprint(probesSince(fourth)) + ` tries, connection refused, "said r")`)
		fourth.after(30 * time.Second)
		fourth.stop()
		if ends := fourth.saved.EndsOf("web"); len(ends) != 2 || ends[0].Exit.Cause != policy.CauseUnhealthy || ends[1].Exit.Cause != policy.CauseTimeout {
			t.Errorf("ends %+v", ends)
		}
		if n := len(fake.started); n != 3 {
			t.Errorf("started %v", fake.started)
		}
	})
}

func probesSince(r *run) int {
	snap, _ := r.sup.Snapshot(r.t.Context())
	if ps := snap.Programs[0].Probes; len(ps) > 0 {
		return ps[0].Tries
	}
	return 0
}

// Probes that take for ever neither overlap nor pile up, and what they say of a run that has
// ended does not count.
func TestProbesDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe, o.takes = o.ask, time.Hour
		var programs []units.Program
		for i := range 100 {
			programs = append(programs, program(fmt.Sprint("p", i), ready, func(p *units.Program) {
				p.Ready.Where, p.Ready.Interval = p.Name, 100*time.Millisecond
			}))
		}
		r := start(t, fake, nil, programs...)
		r.after(20 * time.Second)
		for _, p := range programs {
			if n := o.count(p.Name); n < 6 || n > 7 {
				t.Errorf("%s was asked %d times", p.Name, n)
			}
		}
		for range 20 { // each stop cancels one on its way, each start asks anew
			r.do(units.Restart, "p1")
			r.after(40 * time.Millisecond)
		}
		o.mu.Lock()
		o.takes = 0
		o.mu.Unlock()
		r.after(5 * time.Second)
		if got := r.reason(1); got != "RUNNING: started" {
			t.Error(got)
		}
		if o.overlap {
			t.Error("two probes of one kind were on their way")
		}
		r.stop()
	})
}

// A definition that asks otherwise, while it waits and while it runs.
func TestProbesRedefined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		o.say("r", syscall.ECONNREFUSED)
		def := program("web", ready)
		r := start(t, fake, nil, def)
		redefine := func(change ...func(*units.Program)) {
			t.Helper()
			r.redefine(nil, program("web", change...))
		}
		r.after(2500 * time.Millisecond)
		redefine(ready, func(p *units.Program) { p.Ready.Where = "other"; p.Rules.Ready = "tcp other" })
		r.after(time.Millisecond)
		r.wantReason("RUNNING: started")
		redefine(alive)
		r.after(10 * time.Second)
		redefine(alive, func(p *units.Program) { p.Alive.Where = "b" })
		o.say("b", errors.New("ill"))
		r.after(25 * time.Second)
		redefine() // nobody asks any more
		r.after(time.Minute)
		r.wantReason("RUNNING: started")
		if o.count("a") != 1 || o.count("b") != 2 || o.count("other") != 1 {
			t.Errorf("asked %v", o.asked)
		}
		r.stop()
	})
}
