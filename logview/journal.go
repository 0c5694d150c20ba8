package logview

import (
	"bytes"
	"context"
	"fmt"
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

// entries gives out entries of one source.
func (o *output) entries(s Source, entries []entry) error {
	var lines []Line
	for _, e := range entries {
		// Only what comes by the native protocol can have several lines.
		for text := range bytes.SplitSeq(bytes.TrimSuffix(e.text, []byte("\n")), []byte("\n")) {
			lines = append(lines, Line{Program: s.Program, Stream: s.Stream, Text: text})
		}
	}
	return o.give(lines)
}

// journalArgs are the arguments of journalctl that are the same in every call. The units
// are matched by the fields that journald itself adds: "-u" would also show what systemd
// tells about the unit and the copies of lines that are in files anyway, and would count
// both for --lines.
func journalArgs(sources []Source) (options, matches []string) {
	options = []string{
		"--output=json", "--no-pager",
		"--all", // otherwise what is longer than 4096 bytes is null
		"--output-fields=MESSAGE,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT",
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
	if system == nil {
		options = append(options, "--quiet") // no hint that units of the system are not shown
	}
	return options, append(matches, user...)
}

// lastEntries reads the last n entries of every source, all for a negative n.
//
// One journalctl reads backwards for all sources together, as many entries as could be
// wanted. If one program wrote most of these, the others are asked for again without it;
// every round satisfies at least one.
func lastEntries(ctx context.Context, sources []Source, n int) journalPosition {
	p := journalPosition{since: time.Now(), backlog: map[unitKey][]entry{}}
	var newest time.Time
	for want := sources; len(want) > 0 && ctx.Err() == nil; {
		limit := n * len(want)
		options, matches := journalArgs(want)
		options = append(options, "--reverse")
		if n >= 0 {
			options = append(options, "--lines="+strconv.Itoa(limit))
		}
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
			if n < 0 || len(found[e.unit]) < n {
				found[e.unit] = append(found[e.unit], e)
			}
		})
		var next []Source
		for _, s := range want {
			list := found[s.unit()]
			slices.Reverse(list)
			p.backlog[s.unit()] = list
			if n >= 0 && got >= limit && len(list) < n {
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

// giveBacklog gives out the entries before the position, each program's in one piece.
func (j *journal) giveBacklog(o *output) error {
	for _, s := range j.sources {
		if err := o.entries(s, j.at.backlog[s.unit()]); err != nil {
			return err
		}
	}
	j.at.backlog = nil
	return nil
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
	return o.entries(s, []entry{e})
}

// args are the arguments for everything after the position.
func (j *journal) args(more ...string) []string {
	options, matches := journalArgs(j.sources)
	if j.at.cursor != "" {
		options = append(options, "--after-cursor="+j.at.cursor)
	} else {
		us := j.at.since.UnixMicro()
		options = append(options, fmt.Sprintf("--since=@%d.%06d", us/1e6, us%1e6))
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
