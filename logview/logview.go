// Package logview reads the output of programs back: the last lines of it, and new lines
// as they come, from the files that the output goes to or from the journal. It prints
// lines with the names of their programs in front.
//
// It only reads. It imports no other package of msup.
package logview

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Streams of a program.
const (
	Stdout = "stdout"
	Stderr = "stderr"
	Both   = "" // both in one file, or in the journal, where they cannot be told apart
)

// Source is one place the output of a program goes to. A program has one or two.
type Source struct {
	Program string
	Stream  string // Stdout, Stderr or Both
	File    string // absolute path; "" = the journal

	// For a source without a File:
	Unit string // the program's unit, as the journal knows it
	User bool   // the unit belongs to the user manager of the calling user
	// Relayed says that its lines may have been given to the journal by a supervisor, which has
	// named unit and stream, and not by the program.
	Relayed bool
	// Invocation is the invocation ID of the run that is meant, 32 hex digits; "" = all. A
	// source that has one must be the only one.
	Invocation string
}

// Line is a line of output, or a part of one that is not complete yet.
type Line struct {
	Program string
	Stream  string
	// Text is the line without its newline. It is valid only until the function that was
	// given the line returns.
	Text []byte

	More bool // the line is not complete: what follows begins with Rest
	Rest bool // Text continues the line whose last part had More

	// Note marks a message of this package to the user, about why output of Program (or
	// of several, when that is "") cannot be shown. It is no output of a program.
	Note bool
}

// OfStream chooses the sources of a stream; Both is all. The notes are about those that
// hold the other stream too, since nothing tells these apart.
func OfStream(sources []Source, stream string) (chosen []Source, notes []string) {
	if stream == Both {
		return sources, nil
	}
	var inFile, inJournal []string
	for _, s := range sources {
		switch {
		case s.Stream != Both && s.Stream != stream:
			continue
		case s.Stream == Both && s.File != "":
			inFile = append(inFile, s.Program)
		case s.Stream == Both:
			inJournal = append(inJournal, s.Program)
		}
		chosen = append(chosen, s)
	}
	const together = "both streams of %s go to %s, which does not tell them apart: both are shown"
	if len(inFile) > 0 {
		notes = append(notes, fmt.Sprintf(together, few(inFile), "one file"))
	}
	if len(inJournal) > 0 {
		notes = append(notes, fmt.Sprintf(together, few(inJournal), "the journal"))
	}
	return chosen, notes
}

// Positions says where the reading of output begins. It holds files open, so that they are
// read to their end even if they are rotated or deleted, and serves one [Follow].
type Positions struct {
	files   map[string]*start // by path
	journal journalPosition
	window  Window
	notes   []string
}

// Mark returns the present end of every source. Taken before programs start, it lets
// [Follow] show all output of this run and nothing older. It reads no output.
func Mark(sources []Source) *Positions {
	return Last(context.Background(), sources, Window{})
}

// Last returns the positions where the window begins in every source: what [Follow] needs
// for "the last lines and what comes". Rotated files are gone back to as far as needed.
func Last(ctx context.Context, sources []Source, w Window) *Positions {
	p := &Positions{files: map[string]*start{}, window: w}
	p.journal.since = time.Now()
	var byFile []string
	for _, s := range sources {
		if s.File == "" || ctx.Err() != nil {
			continue
		}
		path := filepath.Clean(s.File)
		if _, done := p.files[path]; done {
			continue
		}
		p.files[path] = begin(path, w)
		if p.files[path].byFile && !slices.Contains(byFile, s.Program) {
			byFile = append(byFile, s.Program)
		}
	}
	if len(byFile) > 0 {
		p.notes = append(p.notes, "the lines of "+few(byFile)+" carry no time: shown are whole files of that time (log_timestamps = rfc3339 puts a time before each line)")
	}
	switch inJournal := journalSources(sources); {
	case len(inJournal) == 0 || w.Lines == 0:
	case w.Lines < 0:
		p.journal.all = &w
	default:
		p.journal = lastEntries(ctx, inJournal, w)
	}
	return p
}

// Tail gives out the lines in the window and returns. Lines of several programs are merged
// by their times; where they carry none, programs come one after the other, in the order
// of sources, and of two streams of a program the one that was written to last at the end.
// A line that the program has not completed is given out as it is.
//
// The number of lines is that of each stream where streams have files of their own. The
// error is that of out, or of ctx. What cannot be read becomes a note.
func Tail(ctx context.Context, sources []Source, w Window, out func([]Line) error) error {
	from := Last(ctx, sources, w)
	if w.Lines >= 0 {
		out = atMost(w.Lines, out)
	}
	f := newFollower(sources, from, out)
	defer f.close()
	if err := f.past(ctx, newJournal(sources, from.journal), true); err != nil {
		return err
	}
	return ctx.Err()
}

// atMost lets n lines of each stream through: more may have come since its last n lines
// were looked for.
func atMost(n int, out func([]Line) error) func([]Line) error {
	type stream struct{ program, stream string }
	given := map[stream]int{}
	return func(lines []Line) error {
		lines = slices.DeleteFunc(slices.Clone(lines), func(l Line) bool {
			s := stream{l.Program, l.Stream}
			if l.Note {
				return false
			}
			if given[s] >= n {
				return true
			}
			if !l.More {
				given[s]++
			}
			return false
		})
		if len(lines) == 0 {
			return nil
		}
		return out(lines)
	}
}
