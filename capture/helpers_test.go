package capture

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary play the parts that need a process of their own.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == GzipCommand {
		os.Exit(RunGzip())
	}
	switch os.Getenv("CAPTURE_TEST_ROLE") {
	case "write":
		playWriter()
	case "capture":
		playSupervisor()
	case "sink":
		playJournald()
	default:
		os.Exit(m.Run())
	}
}

// playWriter writes CAPTURE_TEST_TOTAL bytes in writes of CAPTURE_TEST_CHUNK to stdout. Raw
// calls: Go's runtime would spend more on watching a blocked call than the call costs.
func playWriter() {
	total, _ := strconv.Atoi(os.Getenv("CAPTURE_TEST_TOTAL"))
	chunk, _ := strconv.Atoi(os.Getenv("CAPTURE_TEST_CHUNK"))
	b := bytes.Repeat([]byte("x"), chunk)
	b[chunk-1] = '\n'
	for n := 0; n < total; n += chunk {
		for p := b; len(p) > 0; {
			n, _, err := unix.RawSyscall(unix.SYS_WRITE, 1, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
			if err != 0 && err != unix.EINTR {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			if err == 0 {
				p = p[n:]
			}
		}
	}
}

// playSupervisor captures with the FIFO of descriptor 3, and the staging one of 4, until it
// is killed. It does what its standard input says.
func playSupervisor() {
	var s *Stream
	m, err := New(Options{JournalSocket: os.Getenv("CAPTURE_TEST_JOURNAL")})
	if err == nil {
		cfg := Config{FIFO: os.Getenv("CAPTURE_TEST_FIFO"), File: os.Getenv("CAPTURE_TEST_FILE")}
		if os.Getenv("CAPTURE_TEST_JOURNAL") != "" {
			cfg.Journal = &JournalTarget{Unit: "msup-web.service"}
		}
		cfg.Prefix = os.Getenv("CAPTURE_TEST_PREFIX")
		cfg.Rotation.MaxSize, _ = strconv.ParseInt(os.Getenv("CAPTURE_TEST_MAX"), 10, 64)
		cfg.Rotation.Backups = 1 << 20
		cfg.Rotation.Compress = cfg.Rotation.MaxSize > 0
		kept := []*os.File{os.NewFile(3, "kept")}
		if cfg.Prefix != "" {
			kept = append(kept, os.NewFile(4, "kept"))
		}
		s, err = m.Open(cfg, kept...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "rotate":
			go s.Rotate(context.Background())
		case "reopen":
			s.Reopen()
		}
	}
	select {}
}

// playJournald reads what comes and forgets it.
func playJournald() {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: os.Getenv("CAPTURE_TEST_JOURNAL"), Net: "unixgram"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for b := make([]byte, 256<<10); ; {
		if _, err := conn.Read(b); err != nil {
			return
		}
	}
}

func role(name string, env ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe")
	c.Env = append(append(os.Environ(), "CAPTURE_TEST_ROLE="+name), env...)
	c.Stderr = os.Stderr
	return c
}

// await waits until ok, checking often, and fails the test after half a minute: a busy
// machine leaves little to what has the lowest priority.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// bench is a mover with one stream into dir/out.log and what it told.
type bench struct {
	t      testing.TB
	dir    string
	mover  *Mover
	stream *Stream
	file   string

	mu     sync.Mutex
	events []Event
}

func start(t testing.TB, change func(b *bench, o *Options, c *Config)) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, dir: dir, file: filepath.Join(dir, "out.log")}
	o := Options{
		JournalSocket: filepath.Join(dir, "no-journal"),
		Notify: func(e Event) {
			b.mu.Lock()
			b.events = append(b.events, e)
			b.mu.Unlock()
		},
	}
	c := Config{FIFO: filepath.Join(dir, "out.fifo"), File: b.file}
	if change != nil {
		change(b, &o, &c)
	}
	b.file = c.File
	var err error
	if b.mover, err = New(o); err != nil {
		t.Fatal(err)
	}
	if b.stream, err = b.mover.Open(c, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		b.stream.Close(ctx)
		b.mover.Close(ctx)
	})
	return b
}

func (b *bench) write(text string) {
	b.t.Helper()
	w, err := b.stream.WriteEnd()
	if err != nil {
		b.t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString(text); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) drain() {
	b.t.Helper()
	if err := b.stream.Drain(soon(b.t)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) content() string {
	b.t.Helper()
	data, err := os.ReadFile(b.file)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func (b *bench) want(text string) {
	b.t.Helper()
	if got := b.content(); got != text {
		b.t.Errorf("file has %q, want %q", clip(got), clip(text))
	}
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:100] + "…" + s[len(s)-100:]
	}
	return s
}

// kinds returns the kinds of the events so far.
func (b *bench) kinds() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ks []string
	for _, e := range b.events {
		ks = append(ks, string(e.Kind))
	}
	return strings.Join(ks, " ")
}

// fakeJournal is journald's socket; entries are datagrams as they came.
type fakeJournal struct {
	path string
	conn *net.UnixConn

	mu      sync.Mutex
	entries []string
}

func listen(t testing.TB, path string) *fakeJournal {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &fakeJournal{path: path, conn: conn}
}

func (f *fakeJournal) serve() *fakeJournal {
	go func() {
		b := make([]byte, 256<<10)
		for {
			n, err := f.conn.Read(b)
			if err != nil {
				return
			}
			f.mu.Lock()
			f.entries = append(f.entries, string(b[:n]))
			f.mu.Unlock()
		}
	}()
	return f
}

func (f *fakeJournal) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.entries)
}

// messages returns the MESSAGE of each entry.
func (f *fakeJournal) messages() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ms []string
	for _, e := range f.entries {
		_, m, _ := strings.Cut(e, "MESSAGE=")
		ms = append(ms, strings.TrimSuffix(m, "\n"))
	}
	return ms
}
