//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"msup/units"
)

// rested is when the supervisor has had time to give back what bring-up took.
const rested = 6 * time.Second

// statusRounds is how often status is asked for.
const statusRounds = 20

// idling measures the supervisor while nothing happens, and status.
func (b *bench) idling(ctx context.Context) error {
	for _, files := range []bool{false, true} {
		if err := b.idlingOf(ctx, files); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) idlingOf(ctx context.Context, files bool) error {
	p, err := b.project(b.programs, files, sleeping)
	if err != nil {
		return err
	}
	if _, err := p.msup(ctx, "up", "-d"); err != nil {
		return err
	}
	b.progress("watching the supervisor do nothing for %s, %s", b.idle, kindOf(files))
	time.Sleep(rested)
	unit := units.SupervisorUnit(projectName)
	pid, err := mainPID(ctx, unit)
	if err != nil {
		return err
	}
	before, err := look(unit, pid)
	if err != nil {
		return err
	}
	time.Sleep(b.idle)
	after, err := look(unit, pid)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("idle supervisor of %d, %s", b.programs, kindOf(files))
	b.table.add(row{what: what + ": RSS", unit: "MiB", ours: figures{after.rss}, goal: "24"})
	b.table.add(row{what: "  PSS", unit: "MiB", ours: figures{after.pss}})
	b.table.add(row{what: "  of it not the executable's", unit: "MiB", ours: figures{after.anon}})
	b.table.add(row{what: "  threads", ours: figures{after.threads}})
	b.table.add(row{what: "  file descriptors", ours: figures{after.fds}})
	b.table.add(row{what: fmt.Sprintf("  CPU in %s", b.idle), unit: "ms", ours: figures{after.cpu - before.cpu}, goal: "0"})
	b.table.add(row{what: fmt.Sprintf("  wake-ups in %s", b.idle), ours: figures{after.switches - before.switches}, goal: "0"})

	if err := b.status(ctx, p, files); err != nil {
		return err
	}
	_, err = p.msup(ctx, "down")
	return err
}

func (b *bench) status(ctx context.Context, p *project, files bool) error {
	var plain, json, floor figures
	for range statusRounds {
		for _, s := range []struct {
			to  *figures
			run func() (float64, error)
		}{
			{&plain, func() (float64, error) { return p.msup(ctx, "status") }},
			{&json, func() (float64, error) { return p.msup(ctx, "status", "--json") }},
			{&floor, func() (float64, error) {
				return timed(exec.CommandContext(ctx, "systemctl", "list-units", "msup-*"))
			}},
		} {
			took, err := s.run()
			if err != nil {
				return err
			}
			*s.to = append(*s.to, took)
		}
	}
	n := fmt.Sprintf(" of %d, %s", b.programs, kindOf(files))
	b.table.add(row{what: "status" + n, unit: "ms", ours: plain, beside: "systemctl list-units", theirs: floor, goal: "50 ms"})
	b.table.add(row{what: "status --json" + n, unit: "ms", ours: json, beside: "systemctl list-units", theirs: floor, goal: "50 ms"})
	return nil
}

func mainPID(ctx context.Context, unit string) (string, error) {
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property=MainPID", "--value", unit).Output()
	pid := strings.TrimSpace(string(out))
	if err == nil && (pid == "" || pid == "0") {
		err = fmt.Errorf("%s does not run", unit)
	}
	return pid, err
}

// state is what the kernel tells of a process at one moment.
type state struct {
	rss, pss, anon float64 // MiB
	threads, fds   float64
	cpu            float64 // milliseconds since its start
	switches       float64 // how often a thread of it went to sleep
}

func look(unit, pid string) (s state, err error) {
	if s.cpu, err = cpuOf(unit); err != nil {
		return s, err
	}
	rollup, err := fields("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		return s, err
	}
	s.rss, s.pss, s.anon = rollup["Rss"]/1024, rollup["Pss"]/1024, rollup["Anonymous"]/1024
	fds, err := os.ReadDir("/proc/" + pid + "/fd")
	if err != nil {
		return s, err
	}
	s.fds = float64(len(fds))
	tasks, err := filepath.Glob("/proc/" + pid + "/task/*/status")
	if err != nil {
		return s, err
	}
	s.threads = float64(len(tasks))
	for _, t := range tasks {
		status, err := fields(t)
		if err != nil {
			return s, err
		}
		s.switches += status["voluntary_ctxt_switches"]
	}
	return s, nil
}

// fields reads a file of lines "Name: number unit".
func fields(path string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, rest, ok := strings.Cut(line, ":")
		if words := strings.Fields(rest); ok && len(words) > 0 {
			if v, err := strconv.ParseFloat(words[0], 64); err == nil {
				out[name] = v
			}
		}
	}
	return out, nil
}
