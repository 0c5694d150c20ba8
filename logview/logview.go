// Package logview reads the output of programs back: the last lines of it, and new lines
// as they come, from the files that the output goes to or from the journal. It prints
// lines with the names of their programs in front.
//
// It only reads. It imports no other package of msup.
package logview

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
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

// Positions says up to where the output of programs is already known.
type Positions struct {
	files   map[string]position
	journal journalPosition
}

// position is a place in a file. The zero value is the beginning of whatever file comes.
type position struct {
	dev, ino uint64
	offset   int64 // bytes
}

// Mark returns the present end of every source. Taken before programs start, it lets
// [Follow] show all output of this run and nothing older. It reads no output.
func Mark(sources []Source) *Positions {
	return mark(sources, 0)
}

// Last returns the positions n lines before the present end of every source, or the
// beginnings for a negative n: what [Follow] needs for "the last n lines and what comes".
func Last(ctx context.Context, sources []Source, n int) *Positions {
	p := mark(sources, n)
	if n != 0 {
		p.journal = lastEntries(ctx, journalSources(sources), n)
	}
	return p
}

func mark(sources []Source, n int) *Positions {
	p := &Positions{files: map[string]position{}}
	p.journal.since = time.Now()
	for _, s := range sources {
		if s.File == "" {
			continue
		}
		path := filepath.Clean(s.File)
		if _, done := p.files[path]; !done {
			p.files[path] = positionIn(path, n)
		}
	}
	return p
}

// positionIn finds the place n lines before the end of the file, the zero position when
// it cannot be read: a file that comes later is read from its beginning.
func positionIn(path string, n int) position {
	f, id, err := open(path)
	if err != nil {
		return position{}
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return position{}
	}
	id.offset = linesBack(f, end, n)
	return id
}

// linesBack returns the offset at which the last n lines before end begin. An incomplete
// last line counts as one.
func linesBack(f io.ReaderAt, end int64, n int) int64 {
	if n < 0 {
		return 0
	}
	if n == 0 {
		return end
	}
	buf := make([]byte, 32<<10)
	at := end
	for at > 0 {
		size := min(int64(len(buf)), at)
		block := buf[:size]
		if _, err := f.ReadAt(block, at-size); err != nil {
			return at // it shrinks under our hands; what is left begins here or before
		}
		if at == end {
			block = block[:size-1] // the newline that ends the last line begins no other
		}
		for {
			i := bytes.LastIndexByte(block, '\n')
			if i < 0 {
				break
			}
			if n--; n == 0 {
				return at - size + int64(i) + 1
			}
			block = block[:i]
		}
		at -= size
	}
	return 0
}

// Tail gives out the last n lines of every program, all for a negative n, and returns. The
// programs come in the order of sources. Files carry no times to merge them by, so a
// program with two streams gets the last n lines of each, the stream that was written to
// last at the end. A line that the program has not completed is given out as it is.
//
// The error is that of out, or of ctx. What cannot be read becomes a note.
func Tail(ctx context.Context, sources []Source, n int, out func([]Line) error) error {
	from := Last(ctx, sources, n)
	if n >= 0 {
		out = atMost(n, out)
	}
	f := newFollower(sources, from, out)
	defer f.close()
	if err := f.out.notes(from.journal.notes); err != nil {
		return err
	}
	type part struct {
		program int
		changed time.Time
		give    func() error
	}
	var parts []part
	order := map[string]int{}
	for _, s := range sources {
		if _, ok := order[s.Program]; !ok {
			order[s.Program] = len(order)
		}
	}
	for _, t := range f.tails {
		var changed time.Time
		if st, err := os.Stat(t.path); err == nil {
			changed = st.ModTime()
		}
		parts = append(parts, part{order[t.src.Program], changed, func() error { return t.drain(ctx, f.out) }})
	}
	for _, s := range journalSources(sources) {
		entries := from.journal.backlog[s.unit()]
		if len(entries) == 0 {
			continue
		}
		parts = append(parts, part{order[s.Program], entries[len(entries)-1].time, func() error {
			return f.out.entries(s, entries)
		}})
	}
	slices.SortStableFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.program, b.program), a.changed.Compare(b.changed))
	})
	for _, p := range parts {
		if err := p.give(); err != nil {
			return err
		}
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

// errNotRegular is the answer to following a device or a pipe: they have no past, and
// reading would take their contents away from others.
var errNotRegular = errors.New("not a regular file")

// open opens a regular file and says which one it is.
func open(path string) (*os.File, position, error) {
	// O_NONBLOCK: the open of a FIFO would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, position{}, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, position{}, err
	}
	return f, identity(st), nil
}

// identity is the position at the beginning of a file.
func identity(st os.FileInfo) position {
	sys := st.Sys().(*syscall.Stat_t)
	return position{dev: uint64(sys.Dev), ino: sys.Ino} //nolint:unconvert // not an uint64 everywhere
}
