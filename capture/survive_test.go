package capture

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The process that captures is killed with SIGKILL again and again in the middle of a
// stream, while this one holds the FIFO as systemd does: every line is in the files once.
func TestKillLosesNothing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		journal bool
		prefix  string
		max     int64
	}{
		{name: "file"},
		{name: "journal", journal: true},
		{name: "rotation", max: 100_000},
		{name: "prefix", prefix: "web | "},
		{name: "all", journal: true, prefix: "web | ", max: 100_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "out.log")
			cfg := Config{FIFO: fifo, File: file, Prefix: tt.prefix, Rotation: Rotation{MaxSize: tt.max, Backups: 1 << 20}}
			paths := []string{fifo}
			if tt.prefix != "" {
				paths = append(paths, stagePath(fifo))
			}
			var kept []*os.File
			for _, path := range paths {
				fd, err := openPipe(path, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				f := os.NewFile(uintptr(fd), path)
				defer f.Close()
				kept = append(kept, f)
			}
			sock := ""
			if tt.journal {
				sock = listen(t, filepath.Join(dir, "journal")).serve().path
			}
			w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			const lines = 400_000
			wrote := make(chan error, 1)
			go func() {
				b := bufio.NewWriterSize(w, 3000)
				for i := range lines {
					fmt.Fprintf(b, "line %d\n", i)
				}
				wrote <- b.Flush()
				w.Close()
			}()
			size := func() int64 { // grows, however files are rotated and compressed
				st, err := os.Stat(file)
				if err != nil {
					return 0
				}
				return st.Size() + int64(highest(t, file))*tt.max
			}
			kills := 0
			random := rand.New(rand.NewPCG(1, 2))
			for done := false; !done; kills++ {
				c := role("capture", "CAPTURE_TEST_FIFO="+fifo, "CAPTURE_TEST_FILE="+file, "CAPTURE_TEST_JOURNAL="+sock,
					"CAPTURE_TEST_PREFIX="+tt.prefix, fmt.Sprint("CAPTURE_TEST_MAX=", tt.max))
				c.ExtraFiles = kept
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				from, some := size(), 50<<10+random.Int64N(300<<10)
				await(t, "the capturer moves bytes", func() bool {
					select {
					case err := <-wrote:
						if err != nil {
							t.Fatal(err)
						}
						done = true
					default:
					}
					return done || size() > from+some
				})
				c.Process.Kill()
				c.Wait()
			}
			m, err := New(Options{JournalSocket: filepath.Join(dir, "none")})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close(soon(t))
			var last []*os.File
			for _, f := range kept {
				last = append(last, os.NewFile(uintptr(dup(t, f)), f.Name()))
			}
			s, err := m.Open(cfg, last...)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Remove(soon(t)); err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(fifo + "*"); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
			n := highest(t, file)
			t.Logf("killed %d times, %d backups", kills, n)
			next := 0
			for ; n >= 0; n-- {
				text := numbered(t, file, n)
				for line := range strings.Lines(text) {
					if want := fmt.Sprintf("%sline %d\n", tt.prefix, next); line != want {
						t.Fatalf("%q in the place of %q in number %d", line, want, n)
					}
					next++
				}
			}
			if next != lines {
				t.Errorf("%d lines, want %d", next, lines)
			}
		})
	}
}

// highest returns the highest number of a backup of file.
func highest(t *testing.T, file string) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if b, ok := parseBackup(e.Name(), filepath.Base(file)); ok {
			n = max(n, b.n)
		}
	}
	return n
}

// numbered returns the text of a backup, of the file itself for 0, "" = there is none.
func numbered(t *testing.T, file string, n int) string {
	t.Helper()
	if n == 0 {
		return read(t, file)
	}
	plain := fmt.Sprintf("%s.%d", file, n)
	if _, err := os.Stat(plain); err == nil {
		return read(t, plain)
	}
	if _, err := os.Stat(plain + ".gz"); err != nil {
		return ""
	}
	return read(t, plain+".gz")
}

func dup(t *testing.T, f *os.File) int {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	raw.Control(func(k uintptr) { fd, err = unix.FcntlInt(k, unix.F_DUPFD_CLOEXEC, 3) })
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// A thousand quiet streams cost some hundred bytes each, no goroutine and no CPU.
func TestIdleStreamsCostNothing(t *testing.T) {
	dir := t.TempDir()
	// A journal that answers: lines that are dropped are told seconds later, which is work.
	m, err := New(Options{JournalSocket: listen(t, filepath.Join(dir, "journal")).serve().path})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(soon(t))
	heap := func() (uint64, int) {
		runtime.GC()
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		return ms.HeapAlloc + ms.StackInuse, runtime.NumGoroutine()
	}
	before, goroutines := heap()
	const n = 1000
	var streams []*Stream
	for i := range n {
		fifo := filepath.Join(dir, fmt.Sprint("fifo", i))
		s, err := m.Open(Config{
			FIFO: fifo, File: fifo + ".log",
			Journal: &JournalTarget{Unit: "msup-web.service", Identifier: "web", Program: "web", Name: "stdout"},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.WriteEnd()
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString("a first line\n")
		w.Close()
		if err := s.Drain(soon(t)); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	await(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	after, _ := heap()
	each := (int64(after) - int64(before)) / n
	t.Logf("%d bytes for each quiet stream", each)
	if each > 3<<10 {
		t.Errorf("%d bytes for each quiet stream", each)
	}
	began, used := time.Now(), cpu()
	<-time.After(300 * time.Millisecond) // the thing measured, not a synchronisation
	if busy := (cpu() - used) / time.Since(began).Seconds(); busy > 0.05 {
		t.Errorf("%.1f %% CPU while idle", 100*busy)
	}
	for _, s := range streams {
		if err := s.Remove(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "fifo*"))
	for _, f := range left {
		if !strings.HasSuffix(f, ".log") {
			t.Errorf("%s is left", f)
		}
	}
}
