package capture

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// world is a program, the files of its output, and a process that captures it.
type world struct {
	t      *testing.T
	random *rand.Rand
	file   string
	prefix string
	max    int64
	kept   []*os.File // as systemd keeps them
	writer *os.File
	cmd    *exec.Cmd // that captures; nil = none does now
	orders io.WriteCloser
	text   strings.Builder // what the program has written
	line   int             // so many lines of it
	aside  int             // files moved away so far
	log    []string        // what happened
}

// Whatever happens in whatever order, rotation, kills, and logrotate of either kind, each byte
// that the program has written is in one of the files once, and the order of the files
// is that of their numbers.
func TestEveryByteOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("CAPTURE_TEST_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	for _, prefix := range []string{"", "> "} {
		for _, size := range []int64{0, 20_000, 100_000} {
			t.Run(fmt.Sprintf("prefix=%q,max=%d", prefix, size), func(t *testing.T) {
				t.Logf("CAPTURE_TEST_SEED=%d", seed)
				w := newWorld(t, seed, prefix, size)
				for range 60 {
					w.step()
				}
				w.finish()
				if t.Failed() {
					t.Log(strings.Join(w.log, ", "))
				}
			})
		}
	}
}

func newWorld(t *testing.T, seed uint64, prefix string, size int64) *world {
	dir := t.TempDir()
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, uint64(size))), file: filepath.Join(dir, "out.log"), prefix: prefix, max: size,
	}
	fifo := filepath.Join(dir, "fifo")
	for _, path := range []string{fifo, stagePath(fifo)} {
		fd, err := openPipe(path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), path)
		t.Cleanup(func() { f.Close() })
		w.kept = append(w.kept, f)
	}
	var err error
	if w.writer, err = os.OpenFile(fifo, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.writer.Close(); w.kill() })
	return w
}

func (w *world) note(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *world) start() {
	if w.cmd != nil {
		return
	}
	w.note("start")
	w.cmd = role("capture", "CAPTURE_TEST_FIFO="+w.kept[0].Name(), "CAPTURE_TEST_FILE="+w.file, "CAPTURE_TEST_JOURNAL=",
		"CAPTURE_TEST_PREFIX="+w.prefix, fmt.Sprint("CAPTURE_TEST_MAX=", w.max))
	w.cmd.ExtraFiles = w.kept
	var err error
	if w.orders, err = w.cmd.StdinPipe(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) kill() {
	if w.cmd == nil {
		return
	}
	w.note("kill")
	w.cmd.Process.Kill()
	w.cmd.Wait()
	w.cmd = nil
}

func (w *world) order(what string) {
	if w.cmd != nil {
		w.note("%s", what)
		fmt.Fprintln(w.orders, what)
	}
}

// waiting is how many bytes are in the FIFOs.
func (w *world) waiting() int {
	total := 0
	for _, f := range w.kept {
		_ = control(f, func(fd int) error {
			n, err := readable(fd)
			total += n
			return err
		})
	}
	return total
}

func (w *world) step() {
	switch w.random.IntN(10) {
	default:
		w.write()
	case 0:
		w.kill()
	case 1, 2:
		w.order("rotate")
	case 3: // logrotate: rename, then the signal, or not
		if os.Rename(w.file, w.moved()) == nil {
			w.note("move away")
			if w.random.IntN(2) == 0 {
				w.order("reopen")
			}
		}
	case 4: // logrotate: copytruncate, while nothing is written: else it loses lines by nature
		w.start()
		await(w.t, "nothing moves", func() bool { return w.waiting() == 0 })
		time.Sleep(5 * time.Millisecond) // a rotation may be on its way; and the last batch is recorded as done
		text, err := os.ReadFile(w.file)
		if err != nil || len(text) == 0 {
			return
		}
		w.note("copy and truncate")
		w.kill()
		if now, err := os.ReadFile(w.file); err != nil || string(now) != string(text) {
			return
		}
		if err := os.WriteFile(w.moved(), text, 0o644); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Truncate(w.file, 0); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) moved() string {
	w.aside++
	return fmt.Sprintf("%s-aside%d", w.file, w.aside)
}

// write writes some pieces of lines.
func (w *world) write() {
	w.start()
	from := w.text.Len()
	for range 1 + w.random.IntN(1000) {
		w.line++
		fmt.Fprintf(&w.text, "%d %s\n", w.line, strings.Repeat("x", w.random.IntN(60)))
		if w.random.IntN(500) == 0 {
			fmt.Fprintf(&w.text, "%d %s\n", w.line, strings.Repeat("long", w.random.IntN(20000)))
		}
	}
	text := w.text.String()[from:]
	w.note("write %d", len(text))
	for len(text) > 0 {
		n := min(len(text), 1+w.random.IntN(10000))
		if _, err := w.writer.WriteString(text[:n]); err != nil {
			w.t.Fatal(err)
		}
		text = text[n:]
		if w.random.IntN(20) == 0 {
			w.order([]string{"rotate", "reopen"}[w.random.IntN(2)])
		}
	}
	if w.random.IntN(3) == 0 {
		time.Sleep(time.Duration(w.random.IntN(10)) * time.Millisecond) // what happens next finds it elsewhere
	}
}

// finish checks the files.
func (w *world) finish() {
	w.kill()
	m, err := New(Options{JournalSocket: w.file + ".none"})
	if err != nil {
		w.t.Fatal(err)
	}
	defer m.Close(soon(w.t))
	var last []*os.File
	for _, f := range w.kept {
		last = append(last, os.NewFile(uintptr(dup(w.t, f)), f.Name()))
	}
	s, err := m.Open(Config{
		FIFO: w.kept[0].Name(), File: w.file, Prefix: w.prefix, Rotation: Rotation{MaxSize: w.max, Backups: 1 << 20, Compress: w.max > 0},
	}, last...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Remove(soon(w.t)); err != nil {
		w.t.Fatal(err)
	}
	await(w.t, "the keeper is done", m.keeper.idle)
	paths, _ := filepath.Glob(w.file + "*")
	parts := map[string]string{}
	for _, p := range paths {
		if text := strings.TrimPrefix(strings.ReplaceAll("\n"+read(w.t, p), "\n"+w.prefix, "\n"), "\n"); text != "" {
			parts[filepath.Base(p)] = text
		}
	}
	files := len(parts)
	// Together they must be the text. Which file is next is found by trying: the longest
	// that fits, as only cut lines can fit in two places.
	number := 1 << 30
	for want := w.text.String(); want != ""; {
		next := ""
		for name, text := range parts {
			if strings.HasPrefix(want, text) && len(text) > len(parts[next]) {
				next = name
			}
		}
		if next == "" {
			w.t.Fatalf("no file goes on with %q; %d bytes of %d are left; files %v", want[:min(len(want), 100)], len(want), w.text.Len(), paths)
		}
		if b, ok := parseBackup(next, filepath.Base(w.file)); ok {
			if b.n >= number {
				w.t.Errorf("number %d is newer than number %d", b.n, number)
			}
			number = b.n
		}
		want = want[len(parts[next]):]
		delete(parts, next)
	}
	for name, text := range parts {
		w.t.Errorf("%s has what is elsewhere too: %q", name, clip(text))
	}
	var st unix.Stat_t
	if err := unix.Stat(w.file+".gz.tmp", &st); err == nil {
		w.t.Error("a temporary file is left")
	}
	w.t.Logf("%d bytes in %d files, %d of them moved away; %d events", w.text.Len(), files, w.aside, len(w.log))
}
