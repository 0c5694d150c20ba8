package units

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"msup/policy"
)

// The loop's part of slices: a program is started when the slices it goes into are as the
// configuration says. The loop does not wait for that; starts do.

// sliceState is one slice in the loop.
type sliceState struct {
	def   Slice
	asked bool // it is being brought to what def says
	made  bool // it is so
	gone  bool // systemd has unloaded it since it was asked
	lost  bool // the answer was lost with the connection
	again bool // which has come back before that was known
	// old: it was asked for an earlier def. Only when that is done it is asked for the one of
	// now, so that this holds.
	old bool
}

// useSlices takes the definitions of slices of a project. What runs gets new limits at once.
func (s *Supervisor) useSlices(p Project) {
	before := s.slices
	s.slices = nil
	for _, def := range Slices(p) {
		sl := &sliceState{}
		if i := slices.IndexFunc(before, func(b *sliceState) bool { return b.def.Unit == def.Unit }); i >= 0 {
			sl = before[i]
		}
		sl.def, sl.old = def, sl.asked
		s.slices = append(s.slices, sl)
	}
	if s.ready && !s.down {
		s.makeSlices()
	}
}

// makeSlices looks at all slices, after the connection came: first at the project's own,
// because the start of any other has that come into being if it is not there.
func (s *Supervisor) makeSlices() {
	for _, sl := range s.slices {
		sl.made, sl.lost, sl.again = false, false, sl.asked
	}
	s.makeSlice(s.slices[0])
}

func (s *Supervisor) makeSlice(sl *sliceState) {
	if sl.asked || sl.lost {
		return
	}
	sl.asked, sl.gone, sl.again, sl.old = true, false, false, false
	bus, def := s.cfg.Bus, sl.def
	s.do(result{kind: resultSlice, slice: sl}, func(ctx context.Context, r *result) { r.err = EnsureSlice(ctx, bus, def) })
}

// placed reports whether the slices of p are made, and sees to it if not.
func (s *Supervisor) placed(p *program) bool {
	for _, sl := range s.slices { // the project's own is the first
		if sl.holds(p) && !sl.made {
			s.makeSlice(sl)
			return false
		}
	}
	return true
}

// holds reports whether p goes into the slice.
func (sl *sliceState) holds(p *program) bool {
	return sl.def.Group == "" || sl.def.Group == p.def.InGroup
}

// onSlice takes the answer about a slice.
func (s *Supervisor) onSlice(r result) {
	sl := r.slice
	sl.asked = false
	switch {
	case !slices.Contains(s.slices, sl):
		return
	case sl.old && !errors.Is(r.err, ErrDisconnected):
		s.makeSlice(sl)
		return
	case r.err == nil:
		sl.made = !sl.gone
		s.makeOthers(sl)
		return
	case errors.Is(r.err, ErrDisconnected):
		sl.lost = !sl.again
		if sl.again {
			s.makeSlice(sl)
		}
		return // else it is asked again when the connection is back
	}
	s.makeOthers(sl)
	text := fmt.Sprintf("cannot make %s: %v", sl.def.Unit, r.err)
	s.note(nil, "%s", text)
	for _, p := range s.programs {
		if p.wish == wishStart && sl.holds(p) {
			p.wish = noWish
			s.end(p, policy.Exit{Cause: policy.CauseStart, Final: true, Reason: text})
		}
	}
}

// makeOthers looks at the slices of groups when the project's own was looked at.
func (s *Supervisor) makeOthers(own *sliceState) {
	for _, sl := range s.slices {
		if own == s.slices[0] && !sl.made && sl != own && !s.down {
			s.makeSlice(sl)
		}
	}
}

// sliceRemoved notes that systemd has unloaded a slice: somebody has stopped it, with all
// that was in it. It is made again for the next start.
func (s *Supervisor) sliceRemoved(unit string) {
	for _, sl := range s.slices {
		if sl.def.Unit == unit {
			sl.made, sl.gone = false, true
		}
	}
}

// slicesAsked reports whether something is being done about a slice.
func (s *Supervisor) slicesAsked() bool {
	return slices.ContainsFunc(s.slices, func(sl *sliceState) bool { return sl.asked })
}
