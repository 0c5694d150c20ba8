package units_test

import (
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/probe"
	"msup/units"
)

func byLine(p *units.Program) {
	p.Ready = units.Probe{Spec: probe.Spec{Kind: probe.Log, Where: "listening on"}, Threshold: 1}
	p.Rules.Ready, p.Rules.ReadyTimeout = p.Ready.String(), 30*time.Second
}

// heard calls Heard and sends what it returns.
func (r *run) heard(attempt int, line string) chan bool {
	told := make(chan bool, 1)
	go func() { told <- r.sup.Heard("web", attempt, line) }()
	return told
}

func (r *run) wantTold(told chan bool, want string) {
	r.t.Helper()
	synctest.Wait()
	got := "waits"
	select {
	case ok := <-told:
		got = map[bool]string{true: "taken", false: "left"}[ok]
	default:
	}
	if got != want {
		r.t.Errorf("the line is %s, want %s", got, want)
	}
}

func TestReadyByALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", byLine, func(p *units.Program) { p.Rules.StartPeriod = time.Second }))
		r.after(500 * time.Millisecond)
		r.wantReason("STARTING: executed, waits for a line that matches listening on")
		told := r.heard(1, "listening on 80\x1b[1m")
		r.wantTold(told, "taken")
		r.wantReason("STARTING: ready, must stay up for 1s")
		r.after(time.Second)
		r.wantReason("RUNNING: started")
		snap, _ := r.sup.Snapshot(t.Context())
		if ps := snap.Programs[0].Probes; len(ps) != 1 || !ps[0].Told || !ps[0].Passed || ps[0].Output != "listening on 80\ufffd[1m" {
			t.Errorf("probes %+v", ps)
		}
		// It means nothing any more.
		r.wantTold(r.heard(1, "listening on 80"), "taken")
		r.do(units.Restart, "web")
		r.after(100 * time.Millisecond)
		r.wantTold(r.heard(1, "of the run before"), "taken")
		r.wantReason("STARTING: executed, waits for a line that matches listening on")
		r.do(units.Stop, "web")
		r.after(time.Second)
		r.wantTold(r.heard(2, "of one that is stopped"), "taken")
		r.stop()
	})
}

// A line may be faster than systemd says that the program was executed.
func TestALineThatIsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.hold = make(chan struct{})
		r := start(t, fake, nil, program("web", byLine))
		r.after(time.Second)
		told := r.heard(1, "listening on 80")
		r.wantTold(told, "waits")
		close(fake.hold)
		r.after(time.Second)
		r.wantTold(told, "taken")
		r.wantReason("RUNNING: started")

		// Or it ends, or is stopped, before that.
		fake.set(func() { fake.hold = make(chan struct{}) })
		r.do(units.Restart, "web")
		r.after(time.Second)
		told = r.heard(2, "listening on 80")
		r.wantTold(told, "waits")
		r.do(units.Stop, "web")
		r.wantTold(told, "taken")
		close(fake.hold)
		r.after(time.Second)
		r.stop()
	})
}

func TestALineThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", byLine, func(p *units.Program) { p.Rules.Autorestart = policy.Never }))
		r.after(time.Minute)
		r.wantReason("KILLED: not ready within 30s (start_timeout): no line matches, autorestart is never")
		r.stop()
	})
}

// A supervisor that ends before the line is written down leaves it to the next one, which has
// counted no attempts.
func TestALineAcrossSupervisors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.hold = make(chan struct{})
		def := program("web", byLine)
		first := start(t, fake, nil, def)
		first.after(time.Second)
		told := first.heard(1, "listening on 80")
		first.stop()
		first.wantTold(told, "left")
		if !first.saved.Programs["web"].Listens(def) || first.saved.Programs["web"].Listens(program("web")) {
			t.Error("who takes over does not look at the output")
		}
		close(fake.hold)
		time.Sleep(time.Second)
		second := start(t, fake, first.saved, def)
		second.after(time.Second)
		second.wantTold(second.heard(0, "listening on 80"), "taken")
		second.wantReason("RUNNING: started")
		second.stop()
		if second.saved.Programs["web"].Listens(def) {
			t.Error("who takes over looks at the output")
		}
		if n := len(fake.started); n != 1 {
			t.Errorf("started %v", fake.started)
		}
	})
}

// Who moves the output is told when it need not be looked at any more, and of another line.
func TestListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		var told []string
		fake.listen = func(def units.Program) { told = append(told, "listen "+def.Ready.Where) }
		fake.unlisten = func(program string) { told = append(told, "unlisten "+program) }
		def := program("web", byLine)
		r := start(t, fake, nil, def)
		r.after(time.Second)
		other := program("web", byLine)
		other.Ready.Where = "other"
		r.redefine(nil, other)
		r.redefine(nil, program("web"))
		r.after(time.Second)
		r.do(units.Stop, "web")
		r.redefine(nil, def)
		r.after(time.Second)
		r.do(units.Start, "web")
		r.after(time.Second)
		r.wantTold(r.heard(2, "x"), "taken")
		want := "[listen other unlisten web unlisten web]"
		if got := told; len(got) != 3 || got[0] != "listen other" || got[1] != "unlisten web" || got[2] != "unlisten web" {
			t.Errorf("told %v, want %s", got, want)
		}
		r.stop()
	})
}
