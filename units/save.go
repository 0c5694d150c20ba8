package units

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// This file writes down what the next supervisor has to know, before anything is done
// about it or anybody told: so whoever takes over after a kill -9 finds every decision, and
// nothing is done or told that he would not know of.

// settle ends a turn of the loop.
func (s *Supervisor) settle() {
	for _, p := range s.touched {
		s.accompany(p)
		s.unpin(p)
	}
	for _, p := range s.programs {
		if p.state.Armed && len(p.needs) > 0 {
			s.accompany(p) // what it needs may have changed
		}
	}
	s.keep()
	s.pump()
	for _, f := range s.later {
		f()
	}
	clear(s.later)
	s.later = s.later[:0]
}

// then has f done at the end of the turn. It must not block, and the state is not its business.
func (s *Supervisor) then(f func()) { s.later = append(s.later, f) }

// touch notes that p has changed in a way that the next supervisor has to know.
func (s *Supervisor) touch(p *program) {
	if !p.touched {
		p.touched = true
		s.touched = append(s.touched, p)
	}
}

// keep writes down what the turn has changed.
func (s *Supervisor) keep() {
	if len(s.touched) == 0 && len(s.fresh) == 0 && len(s.freshEnds) == 0 && len(s.freshOutput) == 0 && len(s.dropped) == 0 && s.down == s.downKept {
		return
	}
	if s.cfg.Saved == nil && !s.begun {
		return // whoever comes next is not to believe that anything was started
	}
	c := Change{Records: s.fresh, Ends: s.freshEnds, Output: s.freshOutput, Down: s.down, Dropped: s.dropped}
	if len(s.newDefinitions) > 0 {
		c.Definitions, s.newDefinitions = s.newDefinitions, map[string][]Setting{}
	}
	s.downKept = s.down
	if len(s.touched) > 0 {
		c.Programs = make(map[string]SavedProgram, len(s.touched))
	}
	for _, p := range s.touched {
		c.Programs[p.def.Name] = s.savedProgram(p)
		p.touched = false
	}
	clear(s.touched)
	s.touched, s.fresh, s.freshEnds, s.freshOutput, s.dropped = s.touched[:0], nil, nil, nil, nil
	if s.cfg.Save == nil {
		return
	}
	err := s.cfg.Save(c, s.all)
	if err != nil && s.saveErr == nil {
		// The programs go on; what is not written down systemd has to tell.
		s.tell(Record{Time: time.Now(), Reason: "cannot save the state: " + err.Error()})
	}
	s.saveErr = err
}

func (s *Supervisor) savedProgram(p *program) SavedProgram {
	out := p.save()
	out.Actions = s.saveActions(p)
	if p.times.SavedTimes != (SavedTimes{}) {
		times := p.times.SavedTimes
		out.Times = &times
	}
	return out
}

func (p *program) save() SavedProgram {
	return SavedProgram{
		State: p.state, Invocation: p.invocation, Ended: p.ended, Result: p.result, PID: p.pid,
		Exit: p.exit, Digest: p.digest, Unit: p.unit, Applied: p.applied, Dropping: p.dropping, Awaits: p.def.Rules.Awaits, Alone: p.alone,
		Paired: p.pin.digest, Beside: p.beside,
		Started: p.started, OOMKills: p.oomKills, OOMAt: p.oomAt, Sent: p.sent,
	}
}

// all is everything that is written down.
func (s *Supervisor) all() Saved {
	out := Saved{
		Version: SavedVersion, Project: s.cfg.Project.Name, File: s.cfg.Project.File,
		Programs: make(map[string]SavedProgram, len(s.programs)), Records: s.history.all(), Ends: s.ends.all(), Down: s.down,
		Definitions: map[string][]Setting{},
	}
	for _, p := range s.programs {
		out.Programs[p.def.Name] = s.savedProgram(p)
		for _, digest := range []string{p.digest, p.pin.digest} {
			if d, ok := s.definitions[digest]; ok {
				out.Definitions[digest] = d
			}
		}
	}
	s.definitions = maps.Clone(out.Definitions) // those of runs that are over are not needed
	return out
}

// Apply brings in what a change has changed.
func (s *Saved) Apply(c Change) {
	if s.Programs == nil {
		s.Programs = map[string]SavedProgram{}
	}
	if s.Definitions == nil {
		s.Definitions = map[string][]Setting{}
	}
	maps.Copy(s.Programs, c.Programs)
	maps.Copy(s.Definitions, c.Definitions)
	for _, name := range c.Dropped {
		delete(s.Programs, name)
		s.Records = slices.DeleteFunc(s.Records, func(r Record) bool { return r.Program == name })
		s.Ends = slices.DeleteFunc(s.Ends, func(e End) bool { return e.Program == name })
	}
	s.Records = append(s.Records, c.Records...)
	s.Ends = append(s.Ends, c.Ends...)
	for _, o := range c.Output {
		applyOutput(s.Ends, o)
	}
	s.Down = s.Down || c.Down
}

// historyEach is how many records of each program, and of the supervisor, are remembered.
const historyEach = 20

// history is the last records of each program; "" = of the supervisor.
type history map[string][]Record

func newHistory(records []Record) history {
	h := history{}
	for _, r := range records {
		h.add(r)
	}
	return h
}

func (h history) add(r Record) {
	list := h[r.Program]
	if extra := len(list) + 1 - historyEach; extra > 0 {
		list = slices.Delete(list, 0, extra)
	}
	h[r.Program] = append(list, r)
}

// all returns the records of all in their order.
func (h history) all() []Record {
	var out []Record
	for _, list := range h {
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// record numbers a record, to be logged and told when it has been written down.
func (s *Supervisor) record(r Record) {
	s.seq++
	r.Seq, r.Time = s.seq, time.Now()
	s.history.add(r)
	s.fresh = append(s.fresh, r)
	s.then(func() { s.tell(r) })
}
