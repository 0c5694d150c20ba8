package main

import (
	"context"
	"time"

	"msup/explain"
	"msup/logview"
	"msup/units"
)

// lastOutput returns the last lines that the run that ended last has written.
func (g *gatherer) lastOutput(ctx context.Context, f explain.Facts, n int) []explain.Output {
	e := f.Ends[len(f.Ends)-1]
	var before *units.End
	if len(f.Ends) > 1 {
		before = &f.Ends[len(f.Ends)-2]
	}
	out := []explain.Output{}
	if n == 0 {
		return out
	}
	for _, s := range sources([]units.Program{f.Program}, g.a.user) {
		o := explain.Output{Stream: s.Stream, From: s.File}
		if s.Stream == logview.Both {
			o.Stream = "output"
		}
		if s.File == "" {
			o.From = "journal"
			o.Lines, o.ByTime, o.Note = fromJournal(ctx, s, e, n)
		} else {
			o.Lines, o.Note = fromFile(ctx, s, e, before, n)
		}
		if o.Lines == nil {
			o.Lines = []string{}
		}
		out = append(out, o)
	}
	return out
}

// fromFile reads the last lines of a run from a file, between the places that the
// supervisor has noted.
func fromFile(ctx context.Context, s logview.Source, e units.End, before *units.End, n int) (lines []string, note string) {
	from, to := placesIn(e, s.File)
	if from == nil && before != nil {
		_, from = placesIn(*before, s.File) // another supervisor was there then
	}
	if to == nil {
		return unplaced(ctx, s, e, n)
	}
	lines, err := logview.Between(s.File, place(from), place(to), n)
	if err != nil {
		return nil, err.Error()
	}
	return lines, ""
}

func placesIn(e units.End, file string) (begin, end *units.OutputMark) {
	for _, o := range e.Output {
		if o.File == file {
			return o.Begin, o.End
		}
	}
	return nil, nil
}

func place(m *units.OutputMark) *logview.Place {
	if m == nil {
		return nil
	}
	return &logview.Place{Inode: m.Inode, Offset: m.Offset}
}

// unplaced reads the last lines of a run of which nobody knows where they stand: by time,
// if they carry one.
func unplaced(ctx context.Context, s logview.Source, e units.End, n int) (lines []string, note string) {
	lines, notes := tailLines(ctx, s, spanOf(e, n))
	if len(notes) > 0 {
		// Without times the window means whole files.
		return lines, "where that run ended in it is not known, they may be of another one"
	}
	return lines, ""
}

// fromJournal reads the last lines of a run from the journal, by its invocation ID.
func fromJournal(ctx context.Context, s logview.Source, e units.End, n int) (lines []string, byTime bool, note string) {
	if e.Invocation != "" {
		run := s
		run.Invocation = e.Invocation
		lines, notes := tailLines(ctx, run, logview.Window{Lines: n})
		if len(notes) > 0 {
			return lines, false, notes[0]
		}
		if len(lines) > 0 {
			return lines, false, ""
		}
	}
	// journald does not know the ID of a run that was over before it looked.
	lines, notes := tailLines(ctx, s, spanOf(e, n))
	if len(notes) > 0 {
		return lines, true, notes[0]
	}
	return lines, len(lines) > 0, ""
}

// journalLate is how long after its end a program's last lines may get their time.
const journalLate = 100 * time.Millisecond

func spanOf(e units.End, n int) logview.Window {
	return logview.Window{Lines: n, Since: e.Started, Until: e.Ended.Add(journalLate)}
}

// tailLines collects lines, and what logview has to say of them.
func tailLines(ctx context.Context, s logview.Source, w logview.Window) (lines, notes []string) {
	const most = 4 << 10 // bytes of a line
	err := logview.Tail(ctx, []logview.Source{s}, w, func(some []logview.Line) error {
		for _, l := range some {
			text := string(l.Text)
			switch {
			case l.Note:
				notes = append(notes, text)
			case l.Rest && len(lines) > 0:
				if last := &lines[len(lines)-1]; len(*last) < most {
					*last += text
				}
			default:
				lines = append(lines, text)
			}
		}
		return nil
	})
	if err != nil {
		notes = append(notes, err.Error())
	}
	if extra := len(lines) - w.Lines; extra > 0 {
		lines = lines[extra:]
	}
	return lines, notes
}
