package logview

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strconv"
	"time"
)

// journalPosition is a place in the journal and the entries right before it.
type journalPosition struct {
	// cursor is that of the last entry known, one of the sources' own: journalctl takes
	// the first match at or after a cursor for the entry of the cursor.
	cursor  string
	since   time.Time // where there is no cursor: entries from this time on
	backlog map[unitKey][]entry
	all     *Window  // instead of a backlog: all entries of it
	notes   []string // why it could not be read
}

// unitKey is a unit of the system manager or of the user manager.
type unitKey struct {
	unit string
	user bool
}

func (s Source) unit() unitKey { return unitKey{s.Unit, s.User} }

func journalSources(sources []Source) []Source {
	var out []Source
	for _, s := range sources {
		if s.File == "" && !slices.ContainsFunc(out, func(o Source) bool { return o.unit() == s.unit() }) {
			out = append(out, s)
		}
	}
	// A program with both streams in the journal has one source here.
	for i := range out {
		for _, s := range sources {
			if s.File == "" && s.unit() == out[i].unit() && s.Stream != out[i].Stream {
				out[i].Stream = Both
			}
		}
	}
	return out
}

// entry is one entry of the journal.
type entry struct {
	unit   unitKey
	text   []byte
	cursor string
	time   time.Time
	note   string // instead of an entry: a message of journalctl
}

// lines are the lines of an entry of a source.
func (e entry) lines(s Source) []Line {
	var lines []Line
	// Only what comes by the native protocol can have several lines.
	for text := range bytes.SplitSeq(bytes.TrimSuffix(e.text, []byte("\n")), []byte("\n")) {
		lines = append(lines, Line{Program: s.Program, Stream: s.Stream, Text: text})
	}
	return lines
}

// journalArgs are the arguments of journalctl that are the same in every call. The units
// are matched by the fields that journald itself adds: "-u" would also show what systemd
// tells about the unit and the copies of lines that are in files anyway, and would count
// both for --lines. Those of a source that is relayed are not in files: what a supervisor has
// given to the journal has a MSUP_STREAM.
func journalArgs(sources []Source) (options, matches []string) {
	options = []string{
		"--output=json", "--no-pager",
		"--all", // otherwise what is longer than 4096 bytes is null
		"--output-fields=MESSAGE,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,MSUP_STREAM,OBJECT_SYSTEMD_UNIT,OBJECT_SYSTEMD_USER_UNIT",
	}
	var system, user []string
	for _, s := range sources {
		if s.User {
			user = append(user, "_SYSTEMD_USER_UNIT="+s.Unit)
		} else {
			system = append(system, "_SYSTEMD_UNIT="+s.Unit)
		}
	}
	if user != nil {
		user = append(user, "_UID="+strconv.Itoa(os.Getuid())) // other users have units of that name
	}
	matches = system
	if system != nil && user != nil {
		matches = append(matches, "+")
	}
	for _, s := range sources {
		if s.Invocation != "" {
			matches = append(matches, "_SYSTEMD_INVOCATION_ID="+s.Invocation)
		}
	}
	if system == nil {
		options = append(options, "--quiet") // no hint that units of the system are not shown
	}
	matches = slices.Concat(matches, user)
	for _, s := range sources {
		if s.Relayed && s.Invocation == "" {
			matches = slices.Concat(matches, []string{"+"}, s.relayed())
		}
	}
	return options, matches
}

// relayed matches the entries that a supervisor has made of the lines of s.
func (s Source) relayed() []string {
	field, uid, streams := "OBJECT_SYSTEMD_UNIT=", 0, []string{Stdout, Stderr}
	if s.User {
		field, uid = "OBJECT_SYSTEMD_USER_UNIT=", os.Getuid()
	}
	if s.Stream != Both {
		streams = []string{s.Stream}
	}
	matches := []string{field + s.Unit, "_UID=" + strconv.Itoa(uid)}
	for _, name := range streams {
		matches = append(matches, "MSUP_STREAM="+name)
	}
	return matches
}

// lastEntries reads the last entries in the window of every source, which are not all.
//
// One journalctl reads backwards for all sources together, as many entries as could be
// wanted. If one program wrote most of these, the others are asked for again without it;
// every round satisfies at least one.
func lastEntries(ctx context.Context, sources []Source, w Window) journalPosition {
	n := w.Lines
	p := journalPosition{since: time.Now(), backlog: map[unitKey][]entry{}}
	var newest time.Time
	for want := sources; len(want) > 0 && ctx.Err() == nil; {
		limit := n * len(want)
		options, matches := journalArgs(want)
		options = append(options, "--reverse", "--lines="+strconv.Itoa(limit))
		options = append(options, w.journalArgs()...)
		found := map[unitKey][]entry{}
		got := 0
		runJournalctl(ctx, slices.Concat(options, matches), want, func(e entry) {
			if e.note != "" {
				if !slices.Contains(p.notes, e.note) {
					p.notes = append(p.notes, e.note)
				}
				return
			}
			got++
			if p.cursor == "" {
				p.cursor, newest = e.cursor, e.time
			}
			if e.time.After(newest) {
				return // came after the first round: it is not before the cursor
			}
			if len(found[e.unit]) < n {
				found[e.unit] = append(found[e.unit], e)
			}
		})
		var next []Source
		for _, s := range want {
			list := found[s.unit()]
			slices.Reverse(list)
			p.backlog[s.unit()] = list
			if got >= limit && len(list) < n {
				next = append(next, s)
			}
		}
		if len(next) == len(want) {
			break // entries came too fast for this; what there is must do
		}
		want = next
	}
	return p
}

// journal follows the sources that are in the journal.
type journal struct {
	sources []Source
	byUnit  map[unitKey]Source
	at      journalPosition
	cancel  context.CancelFunc
	told    bool // it was told why the journal cannot be read
}

func newJournal(sources []Source, from journalPosition) *journal {
	j := &journal{sources: journalSources(sources), byUnit: map[unitKey]Source{}, at: from, cancel: func() {}, told: len(from.notes) > 0}
	for _, s := range j.sources {
		j.byUnit[s.unit()] = s
	}
	return j
}

// feeds gives the entries before the position, and moves that on where it has none yet.
// The programs are numbered by order.
func (j *journal) feeds(ctx context.Context, order map[string]int) []*feed {
	if len(j.sources) == 0 {
		return nil
	}
	if j.at.all != nil {
		return []*feed{j.allFeed(ctx, order[j.sources[0].Program])}
	}
	var feeds []*feed
	for _, s := range j.sources {
		f := &feed{program: order[s.Program], timed: true}
		entries := j.at.backlog[s.unit()]
		f.more = func() (bool, error) {
			for _, e := range entries {
				f.entry(e, s)
			}
			return false, nil
		}
		if len(entries) > 0 {
			f.changed = entries[len(entries)-1].time
		}
		feeds = append(feeds, f)
	}
	return feeds
}

func (f *feed) entry(e entry, s Source) {
	for _, l := range e.lines(s) {
		f.lines = append(f.lines, stamped{l, e.time.UnixNano()})
	}
}

// allFeed has one journalctl read all entries of the window, of all sources.
func (j *journal) allFeed(ctx context.Context, program int) *feed {
	options, matches := journalArgs(j.sources)
	args := slices.Concat(options, j.at.all.journalArgs(), matches)
	entries := make(chan entry, 256)
	go func() {
		defer close(entries)
		runJournalctl(ctx, args, j.sources, func(e entry) {
			select {
			case entries <- e:
			case <-ctx.Done():
			}
		})
	}()
	f := &feed{program: program, timed: true}
	f.more = func() (bool, error) {
		e, ok := <-entries
		if !ok {
			return false, nil
		}
		if e.note != "" {
			if !j.told {
				j.told = true
				f.lines = append(f.lines, stamped{Line: Line{Text: []byte(e.note), Note: true}})
			}
			return true, nil
		}
		j.at.cursor = e.cursor
		if s, ok := j.byUnit[e.unit]; ok {
			f.entry(e, s)
		}
		return true, nil
	}
	return f
}

func (j *journal) give(o *output, e entry) error {
	if e.note != "" {
		if j.told {
			return nil
		}
		j.told = true
		return o.notes([]string{e.note})
	}
	j.at.cursor = e.cursor
	s, ok := j.byUnit[e.unit]
	if !ok {
		return nil
	}
	return o.give(e.lines(s))
}

// args are the arguments for everything after the position.
func (j *journal) args(more ...string) []string {
	options, matches := journalArgs(j.sources)
	if j.at.cursor != "" {
		options = append(options, "--after-cursor="+j.at.cursor)
	} else {
		options = append(options, "--since="+journalTime(j.at.since))
	}
	return slices.Concat(options, more, matches)
}

// follow starts one journalctl for all sources. The channel is closed at its end.
func (j *journal) follow(ctx context.Context) <-chan entry {
	if len(j.sources) == 0 {
		return nil
	}
	ctx, j.cancel = context.WithCancel(ctx)
	out := make(chan entry, 256)
	args := j.args("--follow", "--no-tail")
	go func() {
		defer close(out)
		send := func(e entry) {
			// After the end of ctx nothing is sent: finish reads on from the last cursor.
			if ctx.Err() != nil {
				return
			}
			select {
			case out <- e:
			case <-ctx.Done():
			}
		}
		runJournalctl(ctx, args, j.sources, send)
		send(entry{note: "the output of " + names(j.sources) + " is no longer followed: journalctl ended"})
	}()
	return out
}

// stop ends journalctl.
func (j *journal) stop() { j.cancel() }

// finish gives out what journalctl has read and what it has not come to yet.
func (j *journal) finish(o *output, entries <-chan entry) error {
	j.cancel()
	if entries == nil {
		return nil // never started, or ended with a note
	}
	var err error
	for e := range entries { // to the end, so that the goroutine ends too
		if err == nil && e.note == "" {
			err = j.give(o, e)
		}
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	runJournalctl(ctx, j.args(), j.sources, func(e entry) {
		if err == nil && e.note == "" {
			err = j.give(o, e)
		}
	})
	return err
}
