package units

import "fmt"

// tell logs a record and tells those who watch.
func (s *Supervisor) tell(r Record) {
	if s.cfg.Log != nil {
		s.cfg.Log(r)
	}
	for w := range s.watchers {
		select {
		case w <- r:
		default:
			// It does not keep up. It sees its channel closed and starts anew from a snapshot.
			delete(s.watchers, w)
			close(w)
		}
	}
}

// dismiss tells those who watch that nothing more comes.
func (s *Supervisor) dismiss() {
	for w := range s.watchers {
		delete(s.watchers, w)
		close(w)
	}
}

func (s *Supervisor) note(p *program, format string, args ...any) {
	r := Record{Reason: fmt.Sprintf(format, args...)}
	if p != nil {
		r.Program, r.Unit, r.Armed, r.Stuck = p.def.Name, p.unit, p.state.Armed, p.stuck
	}
	s.record(r)
}
