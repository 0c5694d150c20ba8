//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"msup/units"
)

// crowd is how many writers write at once.
const crowd = 20

// logging measures how fast output reaches its file, and what that costs.
func (b *bench) logging(ctx context.Context) error {
	for _, load := range []load{
		{"1 writer of 100-byte lines", 1, 100},
		{"1 writer of 64 KiB writes", 1, 64 << 10},
		{fmt.Sprintf("%d writers of 100-byte lines", crowd), crowd, 100},
		{fmt.Sprintf("%d writers of 64 KiB writes", crowd), crowd, 64 << 10},
	} {
		if err := b.loggingOf(ctx, load); err != nil {
			return fmt.Errorf("%s: %w", load.name, err)
		}
	}
	return nil
}

// load is what is written.
type load struct {
	name    string
	writers int
	chunk   int
}

// throughput is what was measured of one way for output to go.
type throughput struct {
	rate figures // MiB/s
	cpu  figures // seconds of what moves the output, for each GiB
}

func (b *bench) loggingOf(ctx context.Context, l load) error {
	msup := func(keys string) func(context.Context, load) (float64, float64, error) {
		return func(ctx context.Context, l load) (float64, float64, error) { return b.throughMsup(ctx, l, keys) }
	}
	ways := []struct {
		name string
		run  func(context.Context, load) (took, cpu float64, err error)
		got  throughput
	}{
		{name: "cat FIFO >file", run: b.throughCat},
		{name: "StandardOutput=append:", run: b.append},
		{name: "file only", run: msup("journal = false")},
		{name: "journal beside the file", run: msup("journal = true")},
		{name: "with timestamps", run: msup("journal = false\nlog_timestamps = rfc3339")},
	}
	gib := float64(b.size) / 1024
	for round := range b.logRounds {
		for i := range ways {
			w := &ways[i]
			took, cpu, err := w.run(ctx, l)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			w.got.rate = append(w.got.rate, float64(b.size)/took)
			w.got.cpu = append(w.got.cpu, cpu/gib)
		}
		b.progress("round %d of %d: %s, %d MiB in %d ways", round+1, b.logRounds, l.name, b.size, len(ways))
	}
	cat, direct, file, journal, stamps := ways[0].got, ways[1].got, ways[2].got, ways[3].got, ways[4].got
	const rate, cpu = "MiB/s", "s/GiB"
	b.table.add(row{what: l.name + ", file only", unit: rate, ours: file.rate, beside: ways[0].name, theirs: cat.rate, goal: "1"})
	b.table.add(row{what: "  CPU of the supervisor", unit: cpu, ours: file.cpu, beside: "CPU of cat", theirs: cat.cpu, goal: "0.5"})
	b.table.add(row{what: "  beside no copy at all", unit: rate, ours: file.rate, beside: ways[1].name, theirs: direct.rate})
	b.table.add(row{what: "  with the journal", unit: rate, ours: journal.rate, beside: "file only", theirs: file.rate, goal: "0.9"})
	b.table.add(row{what: "  CPU of the supervisor", unit: cpu, ours: journal.cpu, beside: "file only", theirs: file.cpu})
	b.table.add(row{what: "  with timestamps", unit: rate, ours: stamps.rate, beside: ways[0].name, theirs: cat.rate})
	b.table.add(row{what: "  CPU of the supervisor", unit: cpu, ours: stamps.cpu, beside: "CPU of cat", theirs: cat.cpu})
	return nil
}

// flood is one run of writers.
type flood struct {
	b     *bench
	load  load
	signs *os.File // what the writers say
	files []string // that get the text
}

func (b *bench) newFlood(l load) (*flood, error) {
	f := &flood{b: b, load: l}
	for i := range l.writers {
		f.files = append(f.files, b.path(fmt.Sprintf("flood%02d.log", i)))
	}
	for _, name := range []string{"signs", "gate"} {
		_ = os.Remove(b.path(name))
		if err := unix.Mkfifo(b.path(name), 0o600); err != nil {
			return nil, err
		}
	}
	var err error
	f.signs, err = os.OpenFile(b.path("signs"), os.O_RDWR, 0)
	return f, err
}

// command is the command line of writer i.
func (f *flood) command() []string {
	total := f.b.size << 20 / f.load.writers
	return []string{filepath.Join(f.b.bin, "spout"), fmt.Sprint(total), fmt.Sprint(f.load.chunk), f.b.path("signs"), f.b.path("gate")}
}

// run opens the gate for the writers, which have been started, and returns how long it took until the last byte was in its file, in
// seconds. cpu tells how many seconds the mover of the output has used.
func (f *flood) run(cpu func() (float64, error)) (took, used float64, err error) {
	if err := f.await(f.load.writers); err != nil {
		return 0, 0, err
	}
	time.Sleep(200 * time.Millisecond) // for whatever the start has set in motion
	before, err := cpu()
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	gate, err := os.OpenFile(f.b.path("gate"), os.O_WRONLY, 0)
	if err != nil {
		return 0, 0, err
	}
	defer gate.Close()
	if err := f.await(f.load.writers); err != nil {
		return 0, 0, err
	}
	// What is in the pipes is still on its way. The last time that a file grew is the end.
	last, size := time.Now(), int64(-1)
	for time.Since(last) < 200*time.Millisecond {
		if now := f.size(); now != size {
			size, last = now, time.Now()
		}
		time.Sleep(time.Millisecond)
	}
	if size < int64(f.load.writers)*(int64(f.b.size)<<20/int64(f.load.writers)) {
		return 0, 0, fmt.Errorf("%d bytes are missing", int64(f.b.size)<<20-size)
	}
	after, err := cpu()
	return last.Sub(begun).Seconds(), after - before, err
}

// await waits for n signs.
func (f *flood) await(n int) error {
	_ = f.signs.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for range n {
		if _, err := f.signs.Read(make([]byte, 1)); err != nil {
			return fmt.Errorf("no sign of a writer: %w", err)
		}
	}
	return nil
}

func (f *flood) size() (n int64) {
	for _, path := range f.files {
		if st, err := os.Stat(path); err == nil {
			n += st.Size()
		}
	}
	return n
}

func (f *flood) close() {
	f.signs.Close()
	for _, path := range f.files {
		_ = os.Remove(path)
	}
}

// throughMsup has the writers be programs of a project. keys are further lines of their configuration.
func (b *bench) throughMsup(ctx context.Context, l load, keys string) (took, cpu float64, err error) {
	f, err := b.newFlood(l)
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	var text strings.Builder
	fmt.Fprintf(&text, "[msup]\nproject = %s\n\n[defaults]\nautorestart = never\nlog_max_size = 0\n%s\n", projectName, keys)
	for i, file := range f.files {
		fmt.Fprintf(&text, "\n[program w%02d]\ncommand = %s\nstdout = %s\nstderr = null\n", i, strings.Join(f.command(), " "), file)
	}
	p := &project{b: b, file: b.path("logs.conf")}
	if err := os.WriteFile(p.file, []byte(text.String()), 0o644); err != nil {
		return 0, 0, err
	}
	if _, err := p.msup(ctx, "up", "-d"); err != nil {
		return 0, 0, err
	}
	took, cpu, err = f.run(func() (float64, error) {
		ms, err := cpuOf(units.SupervisorUnit(projectName))
		return ms / 1000, err
	})
	if _, downErr := p.msup(ctx, "down"); err == nil {
		err = downErr
	}
	return took, cpu, err
}

// throughCat has a cat for each writer.
func (b *bench) throughCat(ctx context.Context, l load) (took, cpu float64, err error) {
	f, err := b.newFlood(l)
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what was started
	pids := []int{}
	for _, file := range f.files {
		fifo := file + ".fifo"
		_ = os.Remove(fifo)
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			return 0, 0, err
		}
		defer os.Remove(fifo)
		cat := exec.CommandContext(ctx, "/bin/sh", "-c", fmt.Sprintf("exec cat '%s' >'%s'", fifo, file))
		writer := exec.CommandContext(ctx, "/bin/sh", "-c", fmt.Sprintf("exec %s >'%s'", strings.Join(f.command(), " "), fifo))
		for _, c := range []*exec.Cmd{cat, writer} {
			if err := c.Start(); err != nil {
				return 0, 0, err
			}
			defer func() { cancel(); _ = c.Wait() }()
		}
		pids = append(pids, cat.Process.Pid)
	}
	return f.run(func() (sum float64, err error) {
		for _, pid := range pids {
			s, err := cpuOfProcess(pid)
			if err != nil {
				return 0, err
			}
			sum += s
		}
		return sum, nil
	})
}

// append has the writers write into the files themselves, as units.
func (b *bench) append(ctx context.Context, l load) (took, cpu float64, err error) {
	f, err := b.newFlood(l)
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	defer func() {
		_ = exec.CommandContext(ctx, "systemctl", "stop", "flood-*.service").Run() // those that were started
	}()
	for i, file := range f.files {
		args := append([]string{"--quiet", fmt.Sprintf("--unit=flood-%02d", i), "--collect", "-p", "StandardOutput=append:" + file}, f.command()...)
		if _, err := timed(exec.CommandContext(ctx, "systemd-run", args...)); err != nil {
			return 0, 0, err
		}
	}
	return f.run(func() (float64, error) { return 0, nil })
}

// cpuOfProcess is the CPU time of a process with one thread, in seconds.
func cpuOfProcess(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var ns float64
	_, err = fmt.Sscan(string(text), &ns)
	return ns / 1e9, err
}
