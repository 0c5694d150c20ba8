package logview

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"
	"time"
)

// stamped is a line of the past and its time, in nanoseconds since 1970: that of the line
// itself, or of the one before it. 0 = none yet.
type stamped struct {
	Line
	stamp int64
}

// feed gives the lines of one log, or of the journal, in their order.
type feed struct {
	program int       // the place of its program among the sources
	changed time.Time // when it was last written to
	timed   bool      // its lines have times, known after the first prime
	// more adds to lines. It reports whether there may be more.
	more func() (bool, error)

	lines []stamped
	arena []byte // of the texts of lines, where these are copied
	at    int    // in lines
	over  bool
	stamp int64 // of the last line
	place int   // among the feeds, decides between equal times
}

// prime makes sure that there is a next line, if there is one. The texts of the lines
// before become invalid.
func (f *feed) prime() error {
	for f.at == len(f.lines) && !f.over {
		f.lines, f.at, f.arena = f.lines[:0], 0, f.arena[:0]
		if err := f.read(); err != nil {
			return err
		}
	}
	return nil
}

func (f *feed) read() error {
	again, err := f.more()
	f.over = !again
	return err
}

// findTime looks for a line with a time, not too far.
func (f *feed) findTime() error {
	err := f.prime()
	for err == nil && !f.timed && !f.over && len(f.arena) < sample {
		err = f.read()
	}
	return err
}

func (f *feed) head() *stamped { return &f.lines[f.at] }

func (f *feed) done() bool { return f.over && f.at == len(f.lines) }

// stampAll gives lines from an index on their times. Before the first time of all stands
// what belongs to it: a banner, or the end of something longer.
func (f *feed) stampAll(from int) {
	for i := from; i < len(f.lines); i++ {
		l := &f.lines[i]
		stamp := int64(0)
		if !l.Rest && !l.Note {
			stamp = stampOf(l.Text)
		}
		if stamp != 0 {
			f.stamp = stamp
			if !f.timed {
				f.timed = true
				for j := range f.lines[:i] {
					f.lines[j].stamp = stamp
				}
			}
		}
		l.stamp = f.stamp
	}
}

// feed gives what a log has now, and if final also an incomplete last line. The end of ctx
// ends it: what was read until then is still given. Texts are copied: several feeds wait
// for their turn.
func (t *tail) feed(ctx context.Context, buf []byte, w Window, final bool) *feed {
	f := &feed{}
	o := &output{buf: buf, out: func(lines []Line) error {
		at := len(f.lines)
		for _, l := range lines {
			begin := len(f.arena)
			f.arena = append(f.arena, l.Text...)
			l.Text = f.arena[begin:len(f.arena):len(f.arena)]
			f.lines = append(f.lines, stamped{Line: l})
		}
		f.stampAll(at)
		return nil
	}}
	limit := int64(-1)
	narrow := w.timed() && t.timed
	f.more = func() (bool, error) {
		if ctx.Err() != nil {
			return false, nil
		}
		if len(t.files) == 0 {
			t.open()
		}
		if limit < 0 && len(t.files) > 0 {
			limit = max(t.last().opened, t.last().size())
			for _, r := range t.files {
				if r.size() > 0 {
					f.changed = r.place().mtime
				}
			}
		}
		again, err := t.step(o)
		if err == nil && (!again || len(t.files) == 1 && t.files[0].at.offset >= limit) {
			again = false
			if final {
				err = t.end(o)
			}
		}
		if narrow {
			past := !w.Until.IsZero() && f.stamp > w.Until.Add(outOfOrder).UnixNano()
			again = again && !past
			f.lines = slices.DeleteFunc(f.lines, func(l stamped) bool { return !l.Note && l.stamp != 0 && !w.has(l.stamp) })
		}
		return again, err
	}
	return f
}

// keepLast makes a feed give only its last n lines.
func (f *feed) keepLast(n int) {
	more := f.more
	f.more = func() (bool, error) {
		var ring []stamped
		for again := true; again; {
			f.lines, f.arena = f.lines[:0], f.arena[:0]
			var err error
			if again, err = more(); err != nil {
				return false, err
			}
			for _, l := range f.lines {
				l.Text = slices.Clone(l.Text)
				ring = append(ring, l)
			}
			if len(ring) > 2*n+1000 {
				ring = slices.Clone(ring[len(ring)-n:])
			}
		}
		f.lines = append(f.lines[:0], ring[max(0, len(ring)-n):]...)
		return false, nil
	}
}

// giveFeeds gives out all lines of feeds: those with times merged by them, the others in
// blocks, in the order of their programs.
func giveFeeds(feeds []*feed, o *output) error {
	type part struct {
		program int
		changed time.Time
		feeds   []*feed
	}
	var parts []part
	merged := part{program: math.MaxInt}
	for i, f := range feeds {
		f.place = i
		if err := f.findTime(); err != nil {
			return err
		}
		switch {
		case f.done():
		case f.timed:
			merged.feeds = append(merged.feeds, f)
			if f.program < merged.program {
				merged.program, merged.changed = f.program, f.changed
			}
		default:
			parts = append(parts, part{f.program, f.changed, []*feed{f}})
		}
	}
	if len(merged.feeds) > 0 {
		parts = append(parts, merged)
	}
	slices.SortStableFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.program, b.program), a.changed.Compare(b.changed))
	})
	for _, p := range parts {
		if err := merge(p.feeds, o); err != nil {
			return err
		}
	}
	return nil
}

// batch is how many lines are given out together at most.
const batch = 512

// merge gives out the lines of feeds in the order of their times. Each feed stays in its
// own order.
func merge(feeds []*feed, o *output) error {
	h := byTime(feeds)
	heap.Init(&h)
	lines := make([]Line, 0, batch)
	give := func() error {
		err := o.give(lines)
		lines = lines[:0]
		return err
	}
	for len(h) > 0 {
		f := h[0]
		l := f.head().Line
		lines = append(lines, l)
		f.at++
		if f.at == len(f.lines) || len(lines) == batch {
			if err := give(); err != nil { // before the texts become invalid
				return err
			}
		}
		if err := f.prime(); err != nil {
			return err
		}
		switch {
		case f.done():
			heap.Pop(&h)
		case l.More && f.head().Rest: // one line stays in one piece
		default:
			heap.Fix(&h, 0)
		}
	}
	return give()
}

type byTime []*feed

func (h byTime) Len() int      { return len(h) }
func (h byTime) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h byTime) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(cmp.Compare(a.head().stamp, b.head().stamp), cmp.Compare(a.place, b.place)) < 0
}
func (h *byTime) Push(x any) { *h = append(*h, x.(*feed)) }
func (h *byTime) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
