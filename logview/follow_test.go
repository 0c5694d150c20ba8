package logview

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// recorder is an out function that a test can wait on.
type recorder struct {
	mu    sync.Mutex
	lines []string
	grown chan struct{}
}

func newRecorder() *recorder { return &recorder{grown: make(chan struct{}, 1)} }

// show writes a line as "program/stream text", with what makes it special.
func show(l Line) string {
	s := l.Program
	if l.Stream != Both {
		s += "/" + l.Stream
	}
	if l.Note {
		s += " NOTE"
	}
	if l.Rest {
		s += " ..."
	}
	s += " " + string(l.Text)
	if l.More {
		s += " ..."
	}
	return s
}

func (r *recorder) out(lines []Line) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range lines {
		r.lines = append(r.lines, show(l))
	}
	select {
	case r.grown <- struct{}{}:
	default:
	}
	return nil
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// wait waits until exactly these lines have come.
func (r *recorder) wait(t *testing.T, want ...string) {
	t.Helper()
	r.until(t, fmt.Sprintf("%q", want), func(got []string) bool { return slices.Equal(got, want) })
}

func (r *recorder) until(t *testing.T, what string, ok func([]string) bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for !ok(r.all()) {
		select {
		case <-r.grown:
		case <-late:
			t.Fatalf("got  %q\nwant %s", r.all(), what)
		}
	}
}

// following runs a follower until the test ends, or stop is called.
func following(t *testing.T, sources []Source, from *Positions, change func(*follower)) (*recorder, func()) {
	t.Helper()
	r := newRecorder()
	if from == nil {
		from = Mark(sources)
	}
	return r, run(t, newFollower(sources, from, r.out), change)
}

// run runs a follower until the test ends, or stop is called.
func run(t *testing.T, f *follower, change func(*follower)) (stop func()) {
	if change != nil {
		change(f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		defer f.close()
		done <- f.run(ctx)
	}()
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("does not end")
		}
	}
	t.Cleanup(stop)
	return stop
}

func add(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bothWays runs a test with both ways to learn of a change.
func bothWays(t *testing.T, test func(t *testing.T, change func(*follower))) {
	t.Run("inotify", func(t *testing.T) {
		test(t, nil)
	})
	t.Run("polled", func(t *testing.T) {
		test(t, func(f *follower) {
			f.poll = time.Millisecond
			for _, tl := range f.tails {
				tl.polled = true
			}
		})
	})
}

func TestFollowFromMark(t *testing.T) {
	bothWays(t, func(t *testing.T, change func(*follower)) {
		dir := t.TempDir()
		out, errs := filepath.Join(dir, "web.log"), filepath.Join(dir, "web.err")
		add(t, out, "of an older run\nwithout an end")
		sources := []Source{{Program: "web", Stream: Stdout, File: out}, {Program: "web", Stream: Stderr, File: errs}}
		from := Mark(sources)
		add(t, out, "first\n")
		add(t, errs, "trouble\n")
		r, stop := following(t, sources, from, change)
		r.wait(t, "web/stdout first", "web/stderr trouble")
		add(t, out, "second\n\nthird\nfour")
		r.wait(t, "web/stdout first", "web/stderr trouble", "web/stdout second", "web/stdout ", "web/stdout third")
		add(t, out, "th\n")
		r.until(t, "fourth", func(got []string) bool { return slices.Contains(got, "web/stdout fourth") })
		add(t, errs, "last words")
		stop()
		if got := r.all(); got[len(got)-1] != "web/stderr last words" {
			t.Errorf("the end is missing: %q", got)
		}
	})
}

func TestFollowTruncated(t *testing.T) {
	bothWays(t, func(t *testing.T, change func(*follower)) {
		file := filepath.Join(t.TempDir(), "web.log")
		add(t, file, "a long line of the past\n")
		r, _ := following(t, []Source{{Program: "web", File: file}}, nil, change)
		add(t, file, "one\nincomplete")
		r.wait(t, "web one")
		must(t, os.Truncate(file, 0))
		r.wait(t, "web one", "web incomplete")
		add(t, file, "two\n")
		r.wait(t, "web one", "web incomplete", "web two")
	})
}

// TestFollowReplaced is logrotate with a writer that goes on with the old file at first.
func TestFollowReplaced(t *testing.T) {
	bothWays(t, func(t *testing.T, change func(*follower)) {
		file := filepath.Join(t.TempDir(), "web.log")
		w, err := os.Create(file)
		must(t, err)
		defer w.Close()
		r, _ := following(t, []Source{{Program: "web", File: file}}, nil, change)
		w.WriteString("one\n")
		r.wait(t, "web one")
		must(t, os.Rename(file, file+".1"))
		w.WriteString("two\n")
		r.wait(t, "web one", "web two")
		add(t, file, "") // logrotate's "create"
		w.WriteString("three\n")
		r.wait(t, "web one", "web two", "web three")
		w.WriteString("fo")
		add(t, file, "five\n")
		// The line that was cut in two is one, as in what cat(1) makes of both files.
		r.wait(t, "web one", "web two", "web three", "web fofive")
		add(t, file, "si")
		must(t, os.Remove(file))
		add(t, file, "seven\n")
		r.wait(t, "web one", "web two", "web three", "web fofive", "web si", "web seven")
	})
}

func TestFollowLater(t *testing.T) {
	bothWays(t, func(t *testing.T, change func(*follower)) {
		dir := filepath.Join(t.TempDir(), "var", "log", "shop")
		file := filepath.Join(dir, "web.log")
		r, _ := following(t, []Source{{Program: "web", File: file}}, nil, change)
		must(t, os.MkdirAll(dir, 0o755))
		add(t, file, "one\n")
		r.wait(t, "web one")
		// The folder goes, and comes again.
		must(t, os.RemoveAll(filepath.Dir(dir)))
		must(t, os.MkdirAll(dir, 0o755))
		add(t, file, "two\n")
		r.wait(t, "web one", "web two")
		// It is moved away, and another takes its place.
		must(t, os.Rename(dir, dir+".old"))
		must(t, os.MkdirAll(dir, 0o755))
		add(t, file, "three\n")
		r.wait(t, "web one", "web two", "web three")
		// The same with the folder above it.
		must(t, os.Rename(filepath.Dir(dir), filepath.Dir(dir)+".old"))
		must(t, os.MkdirAll(dir, 0o755))
		add(t, file, "four\n")
		r.wait(t, "web one", "web two", "web three", "web four")
	})
}

func TestFollowQuiet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	r, _ := following(t, []Source{{Program: "web", File: file}}, nil, func(f *follower) { f.quiet = time.Millisecond })
	add(t, file, "Password: ")
	r.wait(t, "web Password:  ...")
	add(t, file, "\nwelcome\n")
	r.wait(t, "web Password:  ...", "web ... ", "web welcome")
}

func TestFollowLongLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	long := strings.Repeat("ä", maxLine) // two bytes each: no part may end between them
	r, _ := following(t, []Source{{Program: "web", File: file}}, nil, nil)
	add(t, file, "x"+long+"\nnext\n")
	r.until(t, "the next line", func(got []string) bool { return slices.Contains(got, "web next") })
	got := r.all()
	if len(got) < 3 || strings.ToValidUTF8(strings.Join(got, ""), "?") != strings.Join(got, "") {
		t.Errorf("%d parts, or characters cut in two", len(got))
	}
}

// TestFollowSplice is how the supervisor writes: splice(2) from a pipe.
func TestFollowSplice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	r, _ := following(t, []Source{{Program: "web", File: file}}, nil, nil)
	w, err := os.Create(file)
	must(t, err)
	defer w.Close()
	pr, pw, err := os.Pipe()
	must(t, err)
	defer pr.Close()
	defer pw.Close()
	var want []string
	for i := range 3 {
		text := fmt.Sprintf("line %d\n", i)
		pw.WriteString(text)
		_, err := unix.Splice(int(pr.Fd()), nil, int(w.Fd()), nil, len(text), 0)
		must(t, err)
		want = append(want, "web "+strings.TrimSpace(text))
		r.wait(t, want...)
	}
}

func TestFollowSymlink(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755))
	real, link := filepath.Join(dir, "elsewhere", "real.log"), filepath.Join(dir, "web.log")
	must(t, os.Symlink(real, link))
	add(t, real, "")
	r, _ := following(t, []Source{{Program: "web", File: link}}, nil, func(f *follower) { f.poll = time.Millisecond })
	add(t, real, "one\n")
	r.wait(t, "web one")
}

func TestFollowUnreadable(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	loop := filepath.Join(dir, "loop")
	must(t, os.Symlink(loop, loop))
	good := filepath.Join(dir, "good.log")
	r, _ := following(t, []Source{
		{Program: "null", File: "/dev/null"},
		{Program: "fifo", File: fifo},
		{Program: "loop", File: loop},
		{Program: "good", File: good},
	}, nil, nil)
	add(t, good, "one\n")
	r.wait(t, "loop NOTE cannot read "+loop+": too many levels of symbolic links", "good one")
}

// TestFollowMany has 500 programs with two files each, in one folder.
func TestFollowMany(t *testing.T) {
	dir := t.TempDir()
	var sources []Source
	for i := range 500 {
		name := fmt.Sprintf("p%03d", i)
		sources = append(sources,
			Source{Program: name, Stream: Stdout, File: filepath.Join(dir, name+".log")},
			Source{Program: name, Stream: Stderr, File: filepath.Join(dir, name+".err")})
	}
	r, _ := following(t, sources, nil, nil)
	for _, s := range sources {
		add(t, s.File, "one\ntwo\n")
	}
	r.until(t, "2000 lines", func(got []string) bool { return len(got) == 2000 })
}

func TestFollowWithoutInotify(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sub", "web.log")
	f := newFollower([]Source{{Program: "web", File: file}}, &Positions{}, nil)
	f.rewatch() // no watcher, as after a failure of inotify_init1(2)
	if !f.tails[0].polled {
		t.Error("the file is not polled")
	}
}

func TestFollowOutError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	add(t, file, "one\ntwo\n")
	closed := fmt.Errorf("the reader has gone")
	sources := []Source{{Program: "web", File: file}}
	err := Follow(t.Context(), sources, &Positions{}, func([]Line) error { return closed })
	if err != closed {
		t.Errorf("error %v, want that of out", err)
	}
}

func TestParseEvents(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 15), append(make([]byte, 12), 255, 0, 0, 0, 'x')} {
		if got := parseEvents(b); len(got) != 0 {
			t.Errorf("%v: %v", b, got)
		}
	}
}
