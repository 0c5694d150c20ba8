package logview

import (
	"context"
	"path/filepath"
	"slices"
	"time"
)

const (
	quietTime = time.Second            // an incomplete line is held back this long
	pollTime  = 250 * time.Millisecond // between looks at files that inotify does not tell about
	maxPieces = 16 << 20               // bytes of the past that wait in memory, about
)

// Follow gives out what the programs wrote since from, then new lines as they come, until
// ctx is done; then what is left, with incomplete lines ended, and returns nil. A nil from
// means the present end. It returns early only with the error of out.
//
// Files may be rotated, truncated, replaced, or come later, with their folders: what was
// written before is shown to its end, then what is in the rotated files that came in
// between, and each byte once. An incomplete line
// is given out (with More) when nothing came for a second. What cannot be read becomes a
// note. out is called from one goroutine.
func Follow(ctx context.Context, sources []Source, from *Positions, out func([]Line) error) error {
	if from == nil {
		from = Mark(sources)
	}
	f := newFollower(sources, from, out)
	defer f.close()
	return f.run(ctx)
}

type follower struct {
	out     *output
	from    *Positions
	sources []Source
	tails   []*tail
	queue   []*tail // tails that wait for their turn
	quiet   time.Duration
	poll    time.Duration
	polled  time.Time // when files were polled last

	watcher *watcher // nil: everything is polled
	folders map[string]*folder
	byWatch map[int32]map[string]bool // folders, and folders above them
}

// folder is a folder that has files to follow.
type folder struct {
	tails   map[string][]*tail // by name in the folder
	watched bool
}

func newFollower(sources []Source, from *Positions, out func([]Line) error) *follower {
	f := &follower{
		out: &output{out: out}, from: from, sources: sources, quiet: quietTime, poll: pollTime,
		folders: map[string]*folder{}, byWatch: map[int32]map[string]bool{},
	}
	seen := map[string]bool{}
	for _, s := range sources {
		if s.File == "" {
			continue
		}
		path := filepath.Clean(s.File)
		if seen[path] {
			continue // one file for both streams, given twice
		}
		seen[path] = true
		t := &tail{src: s, path: path}
		if at := from.files[path]; at != nil {
			t.begin(at.files)
			t.before, t.timed, t.trouble = at.before, at.timed, at.problems
		}
		f.tails = append(f.tails, t)
		dir, base := filepath.Split(path)
		dir = filepath.Clean(dir)
		d := f.folders[dir]
		if d == nil {
			d = &folder{tails: map[string][]*tail{}}
			f.folders[dir] = d
		}
		d.tails[base] = append(d.tails[base], t)
	}
	return f
}

func (f *follower) close() {
	if f.watcher != nil {
		f.watcher.close()
	}
	for _, t := range f.tails {
		t.close()
	}
}

// past gives out what the sources have now, and if final also incomplete last lines.
func (f *follower) past(ctx context.Context, j *journal, final bool) error {
	// A journalctl that is left behind, because out failed, is ended.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := f.out.notes(slices.Concat(f.from.notes, f.from.journal.notes)); err != nil {
		return err
	}
	order := map[string]int{}
	for _, s := range f.sources {
		if _, ok := order[s.Program]; !ok {
			order[s.Program] = len(order)
		}
	}
	w := f.from.window
	// Many files are read in smaller pieces: all wait with one in memory.
	buf := make([]byte, min(max(maxPieces/max(len(f.tails), 1), 4<<10), chunk))
	var feeds []*feed
	for _, t := range f.tails {
		feed := t.feed(ctx, buf, w, final)
		feed.program = order[t.src.Program]
		if !w.Until.IsZero() && w.Lines >= 0 {
			feed.keepLast(w.Lines)
		}
		feeds = append(feeds, feed)
	}
	return giveFeeds(append(feeds, j.feeds(ctx, order)...), f.out)
}

func (f *follower) run(ctx context.Context) error {
	var wake chan struct{}
	// Watch first, then read: what is written in between is seen twice, not never.
	if w, err := newWatcher(); err == nil {
		f.watcher, wake = w, w.wake
	}
	for _, t := range f.tails {
		f.enqueue(t, false) // in the order of sources
	}
	f.rewatch()
	j := newJournal(f.sources, f.from.journal)
	if err := f.past(ctx, j, false); err != nil {
		return err
	}
	entries := j.follow(ctx)
	defer j.stop()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		f.pollFiles(time.Now())
		if err := f.readAll(ctx); err != nil {
			return err
		}
		if err := f.flushQuiet(time.Now()); err != nil {
			return err
		}
		timer.Stop()
		if wait, ok := f.nextLook(time.Now()); ok {
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return f.finish(j, entries)
		case <-wake:
			f.handle(f.watcher.take())
		case <-timer.C: // pollFiles or flushQuiet has something to do
		case e, ok := <-entries:
			if !ok {
				entries = nil
				break
			}
			if err := j.give(f.out, e); err != nil {
				return err
			}
		}
	}
}

// pollFiles looks at the files that inotify does not tell about.
func (f *follower) pollFiles(now time.Time) {
	if now.Sub(f.polled) < f.poll {
		return
	}
	f.polled = now
	for _, t := range f.tails {
		if t.polled {
			f.enqueue(t, true)
		}
	}
}

func (f *follower) enqueue(t *tail, look bool) {
	t.look = t.look || look
	if !t.queued {
		t.queued = true
		f.queue = append(f.queue, t)
	}
}

// readAll reads files in turns of a chunk each, so that one that is written to without
// end does not keep the others waiting.
func (f *follower) readAll(ctx context.Context) error {
	for len(f.queue) > 0 && ctx.Err() == nil {
		turn := f.queue
		f.queue = nil
		for _, t := range turn {
			t.queued = false
			again, err := t.step(f.out)
			if err != nil {
				return err
			}
			if again {
				f.enqueue(t, false)
			}
		}
	}
	return nil
}

// finish gives out what came before the end of ctx.
func (f *follower) finish(j *journal, entries <-chan entry) error {
	for _, t := range f.tails {
		if err := t.drain(f.out); err != nil {
			return err
		}
	}
	return j.finish(f.out, entries)
}

// flushQuiet gives out incomplete lines that have waited long enough: a prompt, say.
func (f *follower) flushQuiet(now time.Time) error {
	for _, t := range f.tails {
		if len(t.files) == 0 {
			continue
		}
		if r := t.files[0]; len(r.hold) > 0 && now.Sub(r.held) >= f.quiet {
			if err := r.part(t.src, f.out); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextLook says when there is something to do without any event.
func (f *follower) nextLook(now time.Time) (time.Duration, bool) {
	wait, ok := time.Duration(0), false
	sooner := func(d time.Duration) {
		if d = max(d, 0); !ok || d < wait {
			wait, ok = d, true
		}
	}
	for _, t := range f.tails {
		if t.polled {
			sooner(f.polled.Add(f.poll).Sub(now))
		}
		if len(t.files) > 0 && len(t.files[0].hold) > 0 {
			sooner(t.files[0].held.Add(f.quiet).Sub(now))
		}
	}
	return wait, ok
}
