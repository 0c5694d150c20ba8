package capture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// writers runs a process for each FIFO; together they write total bytes. It returns the
// CPU seconds they took.
func writers(b *testing.B, fifos []string, total, chunk int) (used float64) {
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
		used += (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	}
	return used
}

// BenchmarkCapture compares capture with `cat FIFO > file`: each iteration runs cat, file
// only, file with journal and file with times before the lines one after the other, so that what else the machine does
// hits all alike. Reported are medians over the iterations of each one's own figures (MiB/s
// from the first byte to the last, CPU seconds for each GiB of the one that moves, and of
// the writers, who pay for wakeups and for waiting on the pipe's lock)
// and of the ratios within an iteration. Use -benchtime 7x or so.
func BenchmarkCapture(b *testing.B) {
	for _, n := range []int{1, 20} {
		for _, chunk := range []int{64 << 10, 100} {
			total := 1 << 30
			if chunk == 100 {
				total = 256 << 20
			}
			b.Run(fmt.Sprintf("writers=%d/write=%d", n, chunk), func(b *testing.B) {
				var cat, file, journal, times []figures
				for b.Loop() {
					cat = append(cat, benchCat(b, n, total, chunk))
					file = append(file, benchMover(b, n, total, chunk, "file"))
					journal = append(journal, benchMover(b, n, total, chunk, "journal"))
					times = append(times, benchMover(b, n, total, chunk, "times"))
				}
				speed := func(f figures) float64 { return f.speed }
				cpu := func(f figures) float64 { return f.cpu }
				paid := func(f figures) float64 { return f.writers }
				b.ReportMetric(0, "ns/op")
				for _, who := range []struct {
					name string
					f    []figures
				}{{"cat", cat}, {"file", file}, {"journal", journal}, {"times", times}} {
					b.ReportMetric(median(who.f, nil, speed), who.name+"-MiB/s")
					b.ReportMetric(median(who.f, nil, cpu), who.name+"-cpu-s/GiB")
					b.ReportMetric(median(who.f, nil, paid), who.name+"-writers-cpu-s/GiB")
				}
				b.ReportMetric(median(file, cat, speed), "file/cat-speed")
				b.ReportMetric(median(file, cat, cpu), "file/cat-cpu")
				b.ReportMetric(median(journal, file, speed), "journal/file-speed")
				b.ReportMetric(median(times, cat, speed), "times/cat-speed")
			})
		}
	}
}

// figures are what one run gave: MiB/s, and CPU seconds for each GiB.
type figures struct{ speed, cpu, writers float64 }

func perByte(total int, wall, cpu, writers float64) figures {
	gib := float64(total) / (1 << 30)
	return figures{speed: 1024 * gib / wall, cpu: cpu / gib, writers: writers / gib}
}

// median returns the median of what of gives for each of fs, divided by what it gives for
// the one of base in the same iteration; base may be nil.
func median(fs, base []figures, of func(figures) float64) float64 {
	var xs []float64
	for i, f := range fs {
		x := of(f)
		if base != nil {
			x /= of(base[i])
		}
		xs = append(xs, x)
	}
	slices.Sort(xs)
	return (xs[(len(xs)-1)/2] + xs[len(xs)/2]) / 2
}

func benchCat(b *testing.B, n, total, chunk int) figures {
	dir := benchFolder(b)
	defer os.RemoveAll(dir)
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
	paid := writers(b, fifos, total, chunk)
	var used float64
	for _, c := range cats {
		c.Wait()
		used += (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
	}
	return perByte(total, time.Since(begin).Seconds(), used, paid)
}

func benchMover(b *testing.B, n, total, chunk int, kind string) figures {
	dir := benchFolder(b)
	defer os.RemoveAll(dir)
	o := Options{JournalSocket: filepath.Join(dir, "journal")}
	if kind == "journal" {
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
		switch kind {
		case "journal":
			cfg.Journal = &JournalTarget{
				Unit: "msup-bench.service", Identifier: "bench", Priority: PriorityStdout, Budget: NewBudget(DefaultRate, 0),
			}
		case "times":
			cfg.Timestamps = RFC3339
		}
		s, err := m.Open(cfg, nil)
		if err != nil {
			b.Fatal(err)
		}
		fifos, streams = append(fifos, fifo), append(streams, s)
	}
	begin, before := time.Now(), cpu()
	paid := writers(b, fifos, total, chunk)
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(func() { s.Remove(soon(b)) })
	}
	wg.Wait()
	f := perByte(total, time.Since(begin).Seconds(), cpu()-before, paid)
	m.Close(soon(b))
	for _, s := range streams {
		st, err := os.Stat(s.cfg.File)
		if err != nil || kind != "times" && st.Size() != int64(s.Stats().Bytes) {
			b.Fatalf("%s: size %v, stats %+v, %v", s.cfg.File, st, s.Stats(), err)
		}
	}
	return f
}
