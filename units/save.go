package units

import (
	"context"
	"time"
)

// This file writes down what the next supervisor has to know.

// touch has the state written soon: at once where that is cheap, and where it is dear not
// so often that it takes more than a small share of the time.
func (s *Supervisor) touch() {
	if !s.dirty {
		s.dirty, s.saveAt = true, time.Now().Add(saveShare*s.saveTook)
	}
}

// saveShare is how many times longer than the last write the next one waits.
const saveShare = 20

func (s *Supervisor) toSave() Saved {
	out := Saved{
		Version: SavedVersion, Project: s.cfg.Project.Name, File: s.cfg.Project.File, Time: time.Now(),
		Programs: make(map[string]SavedProgram, len(s.programs)),
	}
	for _, p := range s.programs {
		out.Programs[p.def.Name] = SavedProgram{
			State: p.state, Invocation: p.invocation, Ended: p.ended, Result: p.result, PID: p.pid,
		}
	}
	return out
}

func (s *Supervisor) save() {
	s.dirty = false
	if s.cfg.Save == nil {
		return
	}
	s.saving = true
	saved := s.toSave()
	s.do(result{kind: resultSaved}, func(_ context.Context, r *result) {
		s.saver.Lock()
		defer s.saver.Unlock()
		if s.flushed {
			return
		}
		begun := time.Now()
		r.err = s.cfg.Save(saved)
		r.took = time.Since(begun)
	})
}

// flush writes the state before Run returns; no write comes after it.
func (s *Supervisor) flush() {
	if s.cfg.Save == nil {
		return
	}
	s.saver.Lock()
	defer s.saver.Unlock()
	s.flushed = true
	if s.dirty || s.saving {
		_ = s.cfg.Save(s.toSave()) // nobody is left to tell; the next supervisor asks systemd
	}
}
