package units

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"msup/policy"
	"msup/probe"
)

// This file asks programs whether they are ready and well. When the next probe is due is
// data; at most one of a kind is on its way for a program, and the next comes an interval
// after its end, so probes never pile up. Nothing of it is written down: a supervisor that
// takes over begins to ask anew, and what counts, the policy's state, it has.

// ProbeStatus is what a probe of the run under way has said.
type ProbeStatus struct {
	Of    string `json:"of"`     // "ready" or "alive"
	Probe string `json:"probe"`  // what is asked, in words
	Tries int    `json:"tries"`  // of the run, as far as this supervisor has seen it
	InRow int    `json:"in_row"` // the last so many had the same result
	// Threshold is how many in a row count.
	Threshold int    `json:"threshold"`
	Passed    bool   `json:"passed"` // the last one
	Error     string `json:"error"`  // of the last one; "" = it passed
	Output    string `json:"output"` // its last line
	// Told says that nobody is asked: the program tells systemd (sd_notify(3)), or writes a line.
	Told    bool  `json:"told,omitempty"`
	Latency int64 `json:"latency"` // of the last one, µs
	// At is when the last one ended; zero = none has.
	At time.Time `json:"at,omitzero"`
}

// probing is one of the two probes of a program in the loop.
type probing struct {
	of      string
	due     time.Time // of the next one; zero = not asked
	running bool      // one is on its way
	cancel  func()    // of that
	serial  int       // of what is asked; answers to another one mean nothing
	status  ProbeStatus
	ended   string // invocation ID of the last command it was
}

// onDuty reports whether the run of p is to be asked, for each probe.
func (p *program) onDuty(pr *probing) bool {
	if p.invocation == "" || p.over() {
		return false
	}
	if pr == &p.ready {
		return p.def.Ready.Kind.Asked() && p.def.Rules.WaitsForReady(p.state)
	}
	return p.def.Alive.Kind.Asked() && p.state.Phase == policy.Running
}

func (p *program) probe(pr *probing) Probe {
	if pr == &p.ready {
		return p.def.Ready
	}
	return p.def.Alive
}

func (p *program) probings() [2]*probing { return [2]*probing{&p.ready, &p.alive} }

// attend begins and ends the asking, as the state of p wants it.
func (s *Supervisor) attend(p *program) {
	if s.cfg.Probe == nil {
		return
	}
	for _, pr := range p.probings() {
		switch on := p.onDuty(pr); {
		case on && pr.due.IsZero() && !pr.running:
			pr.due = time.Now()
			if pr == &p.alive {
				pr.due = pr.due.Add(p.def.Alive.Interval)
			}
			pr.status = ProbeStatus{Of: pr.of, Probe: p.probe(pr).String()}
			pr.serial++
		case !on && !pr.due.IsZero():
			pr.due = time.Time{}
			if pr.running {
				pr.serial++
				pr.cancel()
			}
		}
	}
}

// reprobe begins anew where a definition asks otherwise.
func (s *Supervisor) reprobe(p *program, before Program) {
	for _, pr := range p.probings() {
		was, is := before.Ready, p.def.Ready
		if pr == &p.alive {
			was, is = before.Alive, p.def.Alive
		}
		if was.String() == is.String() && was.Interval == is.Interval {
			continue
		}
		if pr == &p.ready && p.listening && is.Kind == probe.Log && s.cfg.Listen != nil {
			s.cfg.Listen(p.def, p.attempt) // what was written is not looked at again
		}
		if pr.running {
			pr.cancel()
		}
		pr.due = time.Time{}
		pr.serial++
	}
	s.attend(p)
	s.listen(p)
}

// nextProbe is when the next probe of p is due, zero = none is.
func (p *program) nextProbe() time.Time {
	var next time.Time
	for _, pr := range p.probings() {
		if !pr.running && !pr.due.IsZero() && (next.IsZero() || pr.due.Before(next)) {
			next = pr.due
		}
	}
	return next
}

// probeDue sends the probes that are due on their way.
func (s *Supervisor) probeDue(p *program, now time.Time) {
	for _, pr := range p.probings() {
		if pr.running || pr.due.IsZero() || pr.due.After(now) {
			continue
		}
		pr.running = true
		ask, ctx := s.ask(p, pr), s.ctx
		if def := p.probe(pr); def.Kind == probe.Exec {
			ctx, pr.cancel = context.WithCancel(ctx) // systemd bounds it
		} else {
			ctx, pr.cancel = context.WithTimeout(ctx, def.Timeout)
		}
		cancel, serial := pr.cancel, pr.serial
		s.do(func(context.Context) func() {
			defer cancel()
			said, end := ask(ctx)
			return func() { s.onProbe(p, pr, serial, said, end) }
		})
	}
}

func (s *Supervisor) onProbe(p *program, pr *probing, serial int, said probe.Result, end Facts) {
	pr.running = false
	if end.InvocationID != "" {
		pr.ended = end.InvocationID
	}
	delete(s.probes, ProbeUnit(p.unit, pr.of))
	if serial != pr.serial || pr.due.IsZero() {
		s.attend(p) // it was waited for
		return
	}
	now, def := time.Now(), p.probe(pr)
	pr.due = now.Add(def.Interval)
	if errors.Is(said.Err, errUnasked) {
		return
	}
	st := &pr.status
	if st.Tries == 0 || st.Passed != said.OK() {
		st.InRow = 0
	}
	st.Tries++
	st.InRow++
	st.Passed, st.Error, st.Output = said.OK(), "", said.Output
	st.Latency, st.At = said.Latency.Microseconds(), now
	if !st.Passed {
		st.Error = said.Err.Error()
	}
	if errors.Is(said.Err, probe.ErrNoAnswer) {
		st.Error = "no answer within " + policy.Words(def.Timeout)
	}
	switch {
	case pr == &p.ready && st.Passed && st.InRow >= def.Threshold:
		s.step(p, policy.Ready{})
	case pr == &p.alive && !st.Passed && st.InRow >= def.Threshold:
		s.step(p, policy.Unhealthy{Reason: st.failures()})
	}
}

// errUnasked is the result of a probe that could not be made, which says nothing of the program.
var errUnasked = errors.New("not asked")

// failures is the failure of the last probes in words.
func (st ProbeStatus) failures() string {
	times := ""
	if st.InRow > 1 {
		times = fmt.Sprintf(" %d times in a row", st.InRow)
	}
	return st.Probe + " failed" + times + ": " + st.last()
}

// last is what the last probe said.
func (st ProbeStatus) last() string {
	if st.Output == "" {
		return st.Error
	}
	return fmt.Sprintf("%s, %q", st.Error, st.Output)
}

// lastProbe is what a program that is not ready says about it, "" = nothing.
func (p *program) lastProbe() string {
	if p.def.Ready.Kind == probe.Log {
		return "no line matches"
	}
	if st := p.ready.status; st.Tries > 0 && !st.Passed && p.def.Rules.WaitsForReady(p.state) {
		return st.last()
	}
	return ""
}

// waiting is the state of p with what it waits for told in full.
func (p *program) waiting() policy.State {
	st := p.state
	if waits := p.waits(); len(waits) > 0 {
		st.Reason = waitWords(waits) + ", " + policy.Words(time.Since(st.Started).Truncate(time.Second))
		return st
	}
	if p.onDemand() && (st.Phase == policy.Stopped || st.Phase == policy.Exited) {
		if !strings.HasSuffix(st.Reason, p.def.Rules.Awaits) {
			st.Reason += ", waits for " + p.def.Rules.Awaits
		}
		if worst, e := p.await(); worst != policy.Met {
			st.Reason += fmt.Sprintf(", refused until %s is %s", e.name(), e.Condition)
		}
		return st
	}
	waits := p.def.Rules.WaitsForReady(st)
	if text := said(p.said); waits && text != "" && p.def.Ready.Kind.Notifies() {
		st.Reason += fmt.Sprintf(" (%q)", text)
	}
	if !waits || p.ready.status.Tries == 0 {
		return st
	}
	tries := "1 try"
	if n := p.ready.status.Tries; n > 1 {
		tries = fmt.Sprintf("%d tries", n)
	}
	said := "passed"
	if !p.ready.status.Passed {
		said = p.ready.status.last()
	}
	st.Reason += fmt.Sprintf(" (%s, %s)", tries, said)
	return st
}

// probeStatuses are those of the run under way.
func (p *program) probeStatuses() []ProbeStatus {
	var out []ProbeStatus
	for _, pr := range p.probings() {
		if kind := p.probe(pr).Kind; kind != "" && !kind.Asked() && p.state.Phase.Up() {
			out = append(out, p.toldStatus(pr))
		} else if kind != "" && pr.status.Of != "" && p.state.Phase.Up() {
			pr.status.Threshold = p.probe(pr).Threshold // a reload may have changed it
			out = append(out, pr.status)
		}
	}
	return out
}

// healthy reports whether p is alive, as far as that is known.
func (p *program) healthy() bool {
	if kind := p.def.Alive.Kind; kind != "" && !kind.Asked() {
		return p.toldStatus(&p.alive).saysHealthy()
	}
	return p.alive.status.saysHealthy()
}

// saysHealthy reports whether it is a status of alive, and a good one.
func (s ProbeStatus) saysHealthy() bool {
	return s.Of == "alive" && s.Passed && (s.Tries > 0 || s.Told)
}

// ProbeFunc asks a program once, see [probe.Probe].
type ProbeFunc func(ctx context.Context, s probe.Spec, unit string, pid uint32) probe.Result
