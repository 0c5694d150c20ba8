package capture

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The process that captures is killed with SIGKILL again and again in the middle of a
// stream, while this one holds the FIFO as systemd does: every line is in the file once.
func TestKillLosesNothing(t *testing.T) {
	for _, journal := range []bool{false, true} {
		t.Run(fmt.Sprintf("journal=%v", journal), func(t *testing.T) {
			dir := t.TempDir()
			fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "out.log")
			fd, err := openPipe(fifo, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			kept := os.NewFile(uintptr(fd), fifo)
			defer kept.Close()
			sock := ""
			if journal {
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
			size := func() int64 {
				st, err := os.Stat(file)
				if err != nil {
					return 0
				}
				return st.Size()
			}
			kills := 0
			for done := false; !done; kills++ {
				c := role("capture", "CAPTURE_TEST_FIFO="+fifo, "CAPTURE_TEST_FILE="+file, "CAPTURE_TEST_JOURNAL="+sock)
				c.ExtraFiles = []*os.File{kept}
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				from := size()
				await(t, "the capturer moves bytes", func() bool {
					select {
					case err := <-wrote:
						if err != nil {
							t.Fatal(err)
						}
						done = true
					default:
					}
					return done || size() > from+200<<10
				})
				c.Process.Kill()
				c.Wait()
			}
			m, err := New(Options{JournalSocket: filepath.Join(dir, "none")})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close(soon(t))
			s, err := m.Open(Config{FIFO: fifo, File: file}, os.NewFile(uintptr(dup(t, kept)), fifo))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Remove(soon(t)); err != nil {
				t.Fatal(err)
			}
			t.Logf("killed %d times", kills)
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			next := 0
			for sc := bufio.NewScanner(f); sc.Scan(); next++ {
				if want := fmt.Sprintf("line %d", next); sc.Text() != want {
					t.Fatalf("%q in the place of %q", sc.Text(), want)
				}
			}
			if next != lines {
				t.Errorf("%d lines, want %d", next, lines)
			}
		})
	}
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
	m, err := New(Options{JournalSocket: filepath.Join(dir, "none")})
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
