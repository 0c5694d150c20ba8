package logview

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writer writes numbered lines to a log and rotates it, as the supervisor and logrotate do.
type writer struct {
	t    testing.TB
	path string
	f    *os.File
	next int    // number of the next line
	rest string // what is missing of an incomplete one
}

func newWriter(t testing.TB, path string) *writer {
	w := &writer{t: t, path: path, next: 1}
	t.Cleanup(func() {
		if w.f != nil {
			w.f.Close()
		}
	})
	return w
}

// text writes to the file that is open, made where there is none.
func (w *writer) text(s string) {
	w.t.Helper()
	if w.f == nil {
		f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		must(w.t, err)
		w.f = f
	}
	_, err := w.f.WriteString(s)
	must(w.t, err)
}

func (w *writer) lines(n int) {
	for range n {
		w.text(w.rest + "line " + strconv.Itoa(w.next) + "\n")
		w.rest = ""
		w.next++
	}
}

// shift makes room for a new FILE.1.
func (w *writer) shift() {
	list := rotations(w.path)
	for _, r := range list { // the oldest first
		name := w.path + "." + strconv.Itoa(r.number+1)
		if r.zipped {
			name += ".gz"
		}
		must(w.t, os.Rename(filepath.Join(filepath.Dir(w.path), r.name), name))
	}
}

// rename rotates the file; the writer goes on with the old one until reopen.
func (w *writer) rename() {
	if _, err := os.Stat(w.path); err != nil {
		return
	}
	w.shift()
	must(w.t, os.Rename(w.path, w.path+".1"))
}

func (w *writer) reopen() {
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
}

// copyTruncate rotates as logrotate does for writers that do not reopen.
func (w *writer) copyTruncate() {
	b, err := os.ReadFile(w.path)
	if err != nil {
		return
	}
	w.shift()
	must(w.t, os.WriteFile(w.path+".1", b, 0o644))
	must(w.t, os.Truncate(w.path, 0))
}

// compress compresses all rotated files but the newest, as the supervisor does.
func (w *writer) compress() {
	for _, r := range rotations(w.path) {
		if r.number > 1 && !r.zipped {
			zip(w.t, w.path+"."+strconv.Itoa(r.number))
		}
	}
}

// zip compresses a file. For a moment there are both.
func zip(t testing.TB, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	st, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path+".tmp", zipped(t, string(b)), 0o644))
	must(t, os.Chtimes(path+".tmp", st.ModTime(), st.ModTime()))
	must(t, os.Rename(path+".tmp", path+".gz"))
	must(t, os.Remove(path))
}

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

// TestFollowRotations has a log written, rotated, compressed, copied and truncated at random
// beside a follower that is now and then held up: every line is shown once and in order.
func TestFollowRotations(t *testing.T) {
	bothWays(t, func(t *testing.T, change func(*follower)) {
		for range rounds(20) {
			seed := rand.Uint64()
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				followRotations(t, seed, change)
			})
		}
	})
}

func rounds(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

func followRotations(t *testing.T, seed uint64, change func(*follower)) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	w := newWriter(t, filepath.Join(t.TempDir(), "web.log"))
	if rnd.IntN(2) == 0 { // a past, which is not shown
		w.lines(rnd.IntN(20))
		w.rename()
		w.reopen()
		w.compress()
		if rnd.IntN(2) == 0 {
			w.lines(rnd.IntN(20))
		}
	}
	first := w.next
	sources := []Source{{Program: "web", File: w.path}}
	from := Mark(sources)
	var ops []string
	step := func() {
		kind := rnd.IntN(12)
		switch kind {
		default:
			w.lines(rnd.IntN(30))
		case 3:
			text := w.rest + "line " + strconv.Itoa(w.next) + "\n"
			cut := rnd.IntN(len(text))
			w.text(text[:cut])
			w.rest = text[cut:]
			// lines completes it: it writes rest and counts on.
			w.text(w.rest)
			w.rest = ""
			w.next++
		case 4, 5:
			w.rename()
			if rnd.IntN(3) == 0 { // a straggler
				w.lines(rnd.IntN(5))
			}
			w.reopen()
			if rnd.IntN(2) == 0 {
				w.text("")
			}
		case 6, 7:
			w.copyTruncate()
		case 8:
			w.compress()
		case 9:
			time.Sleep(time.Duration(rnd.IntN(3)) * time.Millisecond)
		}
		ops = append(ops, fmt.Sprint(kind, ":", w.next))
	}
	for range rnd.IntN(5) {
		step()
	}
	slow := rand.New(rand.NewPCG(seed, 2))
	r := newRecorder()
	f := newFollower(sources, from, func(lines []Line) error {
		if slow.IntN(4) == 0 {
			time.Sleep(time.Duration(slow.IntN(20)) * time.Millisecond)
		}
		return r.out(lines)
	})
	stop := run(t, f, change)
	for range 60 {
		step()
	}
	w.lines(1)
	if rnd.IntN(2) == 0 {
		stop() // gives out the rest too
	}
	var want []string
	for n := first; n < w.next; n++ {
		want = append(want, "web line "+strconv.Itoa(n))
	}
	late := time.After(20 * time.Second)
	for !slices.Equal(r.all(), want) {
		select {
		case <-r.grown:
			continue
		case <-late:
		}
		got := r.all()
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Fatalf("%d lines, want %d; from line %d on:\ngot  %q\nwant %q\nops %s", len(got), len(want), i,
			got[i:min(len(got), i+5)], want[i:min(len(want), i+5)], strings.Join(ops, " "))
	}
}

// TestTailRotations reads the last lines while the log is rotated: they are the last ones,
// each once, and nothing is missing between them.
func TestTailRotations(t *testing.T) {
	for range rounds(20) {
		seed := rand.Uint64()
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			w := newWriter(t, filepath.Join(t.TempDir(), "web.log"))
			w.lines(100)
			done, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for range 300 {
					select {
					case <-done:
						return
					default:
					}
					w.lines(rnd.IntN(10))
					time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
					switch rnd.IntN(4) {
					case 0:
						w.rename()
						w.reopen()
					case 1:
						w.compress()
					case 2:
						w.copyTruncate()
					}
				}
			}()
			defer func() {
				close(done)
				<-stopped
			}()
			sources := []Source{{Program: "web", File: w.path}}
			for i := range 30 {
				n := 1 + i*7
				if i%5 == 0 {
					n = -1
				}
				r := newRecorder()
				must(t, Tail(t.Context(), sources, Window{Lines: n}, r.out))
				var got []int
				for _, l := range r.all() {
					k, err := strconv.Atoi(strings.TrimPrefix(l, "web line "))
					if err != nil {
						t.Errorf("-n %d: %q", n, l)
					}
					got = append(got, k)
				}
				for j := range got {
					if j > 0 && got[j] != got[j-1]+1 {
						t.Fatalf("-n %d: line %d after %d; %d lines", n, got[j], got[j-1], len(got))
					}
				}
				if n < 0 && (len(got) < 100 || got[0] != 1) || n > 0 && len(got) != min(n, got[len(got)-1]) {
					t.Fatalf("-n %d: %d lines from %d on", n, len(got), got[0])
				}
			}
		})
	}
}

// TestTailChain goes back through rotated files.
func TestTailChain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "web.log")
	write := func(name, text string) {
		if strings.HasSuffix(name, ".gz") {
			text = string(zipped(t, text))
		}
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("web.log", "t 7\n8\n")
	write("web.log.1", "6\ncu")     // a line cut in two by the rotation
	write("web.log.2.gz", "4\n5\n") // compressed
	write("web.log.2", "wrong\n")   // … and not removed yet
	write("web.log.5", "3\n")       // numbers have gaps
	write("web.log.6", "2\n")       // … and logrotate writes its copy under the last name
	write("web.log.6.gz", "")
	must(t, os.WriteFile(filepath.Join(dir, "web.log.6.gz"), zipped(t, "2\n")[:15], 0o644))
	write("web.log.10.gz", "1\n")
	for _, name := range []string{"web.log-20261123", "web.log.20261123", "web.log.gz", "web.log.1.gz.tmp", "web.log.01", "web.log.0", "web.logs.1", "web.log.1.bz2"} {
		write(name, "not ours\n")
	}
	all := []string{"web 1", "web 2", "web 3", "web 4", "web 5", "web 6", "web cut 7", "web 8"}
	sources := []Source{{Program: "web", File: file}}
	for n := range 12 {
		r := newRecorder()
		must(t, Tail(t.Context(), sources, Window{Lines: n}, r.out))
		if got, want := r.all(), all[max(0, len(all)-n):]; !slices.Equal(got, want) {
			t.Errorf("-n %d: %q, want %q", n, got, want)
		}
	}
	r := newRecorder()
	must(t, Tail(t.Context(), sources, Window{Lines: -1}, r.out))
	if got := r.all(); !slices.Equal(got, all) {
		t.Errorf("all: %q, want %q", got, all)
	}
	// Right after a rotation there is no log; what comes is read from its beginning.
	must(t, os.Remove(file))
	r, _ = following(t, sources, Last(t.Context(), sources, Window{Lines: 2}), nil)
	add(t, file, "t\n8\n")
	r.wait(t, "web 6", "web cut", "web 8")
}

func TestTailDamaged(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "web.log")
	add(t, file, "2\n")
	must(t, os.WriteFile(file+".1.gz", []byte("this is not what gzip writes"), 0o644))
	must(t, os.WriteFile(file+".2.gz", zipped(t, strings.Repeat("1\n", 5000))[:30], 0o644))
	must(t, os.Mkdir(file+".3", 0o755))
	for _, n := range []int{5, -1} {
		r := newRecorder()
		must(t, Tail(t.Context(), []Source{{Program: "web", File: file}}, Window{Lines: n}, r.out))
		got := slices.DeleteFunc(r.all(), func(s string) bool { return s == "web 1" })
		if len(got) < 2 || got[len(got)-1] != "web 2" || !slices.Contains(got, "web NOTE cannot read "+file+".1.gz: gzip: invalid header") {
			t.Errorf("-n %d: %q", n, got)
		}
	}
}

// TestFollowCompressed is a follower that was held up for several rotations, in which its
// file was compressed, or removed because there were enough.
func TestFollowCompressed(t *testing.T) {
	for _, removed := range []bool{false, true} {
		t.Run(fmt.Sprint("removed ", removed), func(t *testing.T) {
			w := newWriter(t, filepath.Join(t.TempDir(), "web.log"))
			w.lines(10)
			sources := []Source{{Program: "web", File: w.path}}
			from := Mark(sources)
			for range 4 {
				w.lines(3)
				time.Sleep(5 * time.Millisecond) // each its own time of last write
				w.rename()
				w.reopen()
				w.compress()
			}
			w.lines(1)
			if removed {
				must(t, os.Remove(w.path+".4.gz"))
			}
			r, _ := following(t, sources, from, nil)
			var want []string
			for n := 11; n < w.next; n++ {
				want = append(want, fmt.Sprint("web line ", n))
			}
			r.wait(t, want...)
		})
	}
}
