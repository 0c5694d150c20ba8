package units

import (
	"context"

	"msup/policy"
	"msup/probe"
)

// This file is about programs that are ready when they have written a certain line. Who moves
// the output looks for it and leaves the line in the pipe until the loop has written down that
// it was seen: so it is not missed by a supervisor that takes over after a kill.

type lineRequest struct {
	program string
	attempt int
	line    string
	reply   chan bool
}

// Heard tells of a line that a program is ready by, and returns when that is written down, or
// means nothing any more. false = the supervisor ends before, and the line is for the next one.
func (s *Supervisor) Heard(program string, attempt int, line string) bool {
	r := lineRequest{program, attempt, line, make(chan bool, 1)}
	if s.send(context.Background(), r) != nil {
		return false
	}
	select {
	case <-r.reply:
		return true
	case <-s.done:
	}
	select {
	case <-r.reply: // it was written down behind which the supervisor has ended
		return true
	default:
		return false
	}
}

func (r lineRequest) serve(s *Supervisor) {
	p := s.byName[r.program]
	if p == nil || r.attempt != p.attempt || !p.listening {
		s.then(func() { r.reply <- true })
		return
	}
	p.lines = append(p.lines, r)
	s.listen(p)
}

// awaits reports whether p is ready by a line that has not come yet.
func (p *program) awaits() bool {
	return p.def.Ready.Kind == probe.Log && p.state.Phase == policy.Starting && p.state.Ready.IsZero()
}

// Listens reports whether the output of a program is to be looked at, from what a supervisor
// has left behind.
func (o SavedProgram) Listens(def Program) bool {
	p := program{def: def, state: o.State}
	return p.awaits()
}

// listen answers for lines when it is known what they mean, and ends the looking.
func (s *Supervisor) listen(p *program) {
	if lines := p.lines; len(lines) > 0 && (p.def.Rules.WaitsForReady(p.state) || !p.awaits()) {
		p.lines = nil
		if p.awaits() {
			p.heard = said(lines[0].line)
			s.step(p, policy.Ready{})
		}
		for _, r := range lines {
			s.then(func() { r.reply <- true })
		}
	}
	if awaits := p.awaits(); awaits != p.listening {
		p.listening = awaits
		if !awaits && s.cfg.Unlisten != nil {
			s.cfg.Unlisten(p.def.Name)
		}
	}
}
