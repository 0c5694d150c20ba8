package capture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// benchFolder is on tmpfs where there is one: the disk is not what is measured.
func benchFolder(b *testing.B) string {
	var st unix.Statfs_t
	if unix.Statfs("/dev/shm", &st) == nil && st.Type == unix.TMPFS_MAGIC && st.Bavail*uint64(st.Bsize) > 4<<30 {
		if dir, err := os.MkdirTemp("/dev/shm", "capture"); err == nil {
			b.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return b.TempDir()
}

// cpu returns the CPU seconds of this process so far.
func cpu() float64 {
	var ru unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

// writers runs a process for each FIFO; together they write total bytes.
func writers(b *testing.B, fifos []string, total, chunk int) {
	var cmds []*exec.Cmd
	for _, fifo := range fifos {
		fd, err := unix.Open(fifo, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		w := os.NewFile(uintptr(fd), fifo)
		c := role("write", "CAPTURE_TEST_TOTAL="+strconv.Itoa(total/len(fifos)), "CAPTURE_TEST_CHUNK="+strconv.Itoa(chunk))
		c.Stdout = w
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		w.Close()
		cmds = append(cmds, c)
	}
	for _, c := range cmds {
		if err := c.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCapture compares capture with `cat FIFO > file` in one run: MiB/s from the
// first byte to the last, and CPU seconds of the one that moves for each GiB.
func BenchmarkCapture(b *testing.B) {
	for _, n := range []int{1, 20} {
		for _, chunk := range []int{64 << 10, 100} {
			total := 1 << 30
			if chunk == 100 {
				total = 256 << 20
			}
			name := fmt.Sprintf("writers=%d/write=%d/", n, chunk)
			b.Run(name+"cat", func(b *testing.B) { benchCat(b, n, total, chunk) })
			b.Run(name+"file", func(b *testing.B) { benchMover(b, n, total, chunk, false) })
			b.Run(name+"journal", func(b *testing.B) { benchMover(b, n, total, chunk, true) })
		}
	}
}

func report(b *testing.B, total int, wall, cpu float64) {
	bytes := float64(total) * float64(b.N)
	b.ReportMetric(bytes/(1<<20)/wall, "MiB/s")
	b.ReportMetric(cpu/(bytes/(1<<30)), "cpu-s/GiB")
	b.ReportMetric(0, "ns/op")
}

func benchCat(b *testing.B, n, total, chunk int) {
	var wall, used float64
	for b.Loop() {
		dir := benchFolder(b)
		var fifos []string
		var cats []*exec.Cmd
		for i := range n {
			fifo := filepath.Join(dir, strconv.Itoa(i))
			if err := unix.Mkfifo(fifo, 0o600); err != nil {
				b.Fatal(err)
			}
			fifos = append(fifos, fifo)
			c := exec.Command("sh", "-c", `exec cat "$1" > "$1.log"`, "sh", fifo)
			if err := c.Start(); err != nil {
				b.Fatal(err)
			}
			cats = append(cats, c)
		}
		begin := time.Now()
		writers(b, fifos, total, chunk)
		for _, c := range cats {
			c.Wait()
			used += (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
		}
		wall += time.Since(begin).Seconds()
		os.RemoveAll(dir)
	}
	report(b, total, wall, used)
}

func benchMover(b *testing.B, n, total, chunk int, journal bool) {
	var wall, used float64
	for b.Loop() {
		dir := benchFolder(b)
		o := Options{JournalSocket: filepath.Join(dir, "journal")}
		if journal {
			// In a process of its own: journald's work is not ours.
			sink := role("sink", "CAPTURE_TEST_JOURNAL="+o.JournalSocket)
			if err := sink.Start(); err != nil {
				b.Fatal(err)
			}
			defer func() { sink.Process.Kill(); sink.Wait() }()
			await(b, "the sink", func() bool { _, err := os.Stat(o.JournalSocket); return err == nil })
		}
		m, err := New(o)
		if err != nil {
			b.Fatal(err)
		}
		var fifos []string
		var streams []*Stream
		for i := range n {
			fifo := filepath.Join(dir, strconv.Itoa(i))
			cfg := Config{FIFO: fifo, File: fifo + ".log"}
			if journal {
				cfg.Journal = &JournalTarget{Unit: "msup-bench.service", Identifier: "bench", Priority: PriorityStdout}
			}
			s, err := m.Open(cfg, nil)
			if err != nil {
				b.Fatal(err)
			}
			fifos, streams = append(fifos, fifo), append(streams, s)
		}
		begin, before := time.Now(), cpu()
		writers(b, fifos, total, chunk)
		var wg sync.WaitGroup
		for _, s := range streams {
			wg.Go(func() { s.Remove(soon(b)) })
		}
		wg.Wait()
		wall += time.Since(begin).Seconds()
		used += cpu() - before
		m.Close(soon(b))
		for _, s := range streams {
			st, err := os.Stat(s.cfg.File)
			if err != nil || st.Size() != int64(s.Stats().Bytes) {
				b.Fatalf("%s: size %v, stats %+v, %v", s.cfg.File, st, s.Stats(), err)
			}
		}
		os.RemoveAll(dir)
	}
	report(b, total, wall, used)
}
