//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"msup/config"
	"msup/units"
)

const projectName = "bench"

// project is a configuration to measure with.
type project struct {
	b    *bench
	file string
	units.Project
}

// project writes a configuration of n programs. command gives the command of each; files
// tells whether their output goes to files.
func (b *bench) project(n int, files bool, command func(i int) string) (*project, error) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "[msup]\nproject = %s\n\n[defaults]\nautorestart = always\nrestart_delay = 0\nmax_restarts = 0\nstart_seconds = 0\n", projectName)
	for i := range n {
		fmt.Fprintf(&text, "\n[program p%04d]\ncommand = %s\n", i, command(i))
		if files {
			fmt.Fprintf(&text, "stdout = out/p%04d.log\nstderr = out/p%04d.err\n", i, i)
		}
	}
	p := &project{b: b, file: b.path(projectName + ".conf")}
	if err := os.MkdirAll(b.path("out"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.file, text.Bytes(), 0o644); err != nil {
		return nil, err
	}
	cfg, err := config.Load(p.file)
	if err != nil {
		return nil, err
	}
	p.Project = cfg.Project
	return p, nil
}

func sleeping(int) string { return "/bin/sleep infinity" }

// msup runs one command and returns how long it took, in milliseconds.
func (p *project) msup(ctx context.Context, args ...string) (float64, error) {
	return timed(exec.CommandContext(ctx, filepath.Join(p.b.bin, "msup"), append(args, "-c", p.file)...))
}

// timed runs a command as a script would, its output thrown away.
func timed(cmd *exec.Cmd) (float64, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.Bytes())
	}
	return milliseconds(took), nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// floorUp starts the same units without msup.
func floorUp(defs []definition) (float64, error) {
	begun := time.Now()
	m, err := dialManager()
	if err != nil {
		return 0, err
	}
	defer m.close()
	if err := m.start(defs); err != nil {
		return 0, err
	}
	return milliseconds(time.Since(begun)), nil
}

// floorDown stops them in the shortest way there is.
func floorDown(ctx context.Context) (float64, error) {
	return timed(exec.CommandContext(ctx, "systemctl", "stop", slice()))
}

// systemdVersion is the major version of systemd.
func systemdVersion(ctx context.Context) (int, error) {
	out, err := exec.CommandContext(ctx, "systemctl", "--version").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 2 {
		return 0, fmt.Errorf("cannot learn the version of systemd: %w", err)
	}
	return strconv.Atoi(fields[1])
}

// cpuOf is the CPU time a unit has used, in milliseconds.
func cpuOf(unit string) (float64, error) {
	text, err := os.ReadFile("/sys/fs/cgroup/system.slice/" + unit + "/cpu.stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("cannot read cpu.stat of %s: %q", unit, text)
	}
	usec, err := strconv.ParseFloat(fields[1], 64) // usage_usec is the first
	return usec / 1000, err
}

// cpuOfPID1 is the CPU time of systemd's one thread, in milliseconds.
func cpuOfPID1() (float64, error) {
	text, err := os.ReadFile("/proc/1/schedstat")
	if err != nil {
		return 0, err
	}
	ns, _, _ := strings.Cut(string(text), " ")
	v, err := strconv.ParseFloat(ns, 64)
	return v / 1e6, err
}
