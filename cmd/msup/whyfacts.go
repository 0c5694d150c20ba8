package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"msup/cgroup"
	"msup/explain"
	"msup/policy"
	"msup/units"
)

// facts gathers what explain needs of a program.
func (g *gatherer) facts(ctx context.Context, def units.Program, lines int) explain.Facts {
	st, old := g.status[def.Name], g.saved.Programs[def.Name]
	f := explain.Facts{
		Now: g.now, Program: def, User: g.a.user, Supervised: g.supervisor.Active,
		State: st.State, Ends: g.saved.EndsOf(def.Name), PID: st.PID, Invocation: st.Invocation, Warnings: g.warnings[def.Name],
		Probes: st.Probes, Said: st.Said, Actions: st.Actions, Needs: units.NeedStatuses(g.t.project.Programs, def.Name, g.status), Schedule: st.Schedule,
	}
	if st.Invocation == old.Invocation && st.State.Phase.Up() {
		f.Started, f.OOMKills, f.OOMAt = old.Started, old.OOMKills, old.OOMAt
	}
	if st.Unseen != nil {
		f.Ends, f.Unseen = append(f.Ends, *st.Unseen), true
	}
	f.Settings = g.settings(ctx, def.Unit)
	if st.PID != 0 {
		f.Usage = usageOf(int(st.PID), def.Unit)
	}
	if killsNow(f) {
		f.Kills = g.kernel.kills(ctx, def.Unit, f.Started, g.now)
	}
	if len(f.Ends) == 0 {
		return f
	}
	e := f.Ends[len(f.Ends)-1]
	f.Last.Systemd = saidBySystemd(ctx, e, def.Unit, g.a.user)
	if wasRun(e) || e.FailedBefore() {
		f.Last.Output = g.lastOutput(ctx, f, lines)
	}
	if e.Exit.Cause == policy.CauseOOM || e.Use.OOMKills != nil && *e.Use.OOMKills > 0 || e.Exit.Signal == 9 && e.During == policy.Running {
		f.Last.Kills = g.kernel.kills(ctx, def.Unit, e.Started, e.Ended.Add(kernelLate))
	}
	if e.Exit.Cause == policy.CauseExec {
		f.Last.Command = commandTrouble(def.Path)
	}
	if e.Exit.Cause == policy.CauseCoreDump || e.Exit.Dumped {
		f.Last.Core = coreOf(def, e)
	}
	return f
}

// wasRun reports whether the program itself may have written anything.
func wasRun(e units.End) bool {
	switch e.Exit.Cause {
	case policy.CauseExec, policy.CauseStart, policy.CauseResources:
		return false
	}
	return e.Active || e.PID != 0
}

func killsNow(f explain.Facts) bool {
	return f.OOMKills > 0 || f.Usage != nil && f.Usage.Memory.Events.OOMKill != nil && *f.Usage.Memory.Events.OOMKill > 0
}

func usageOf(pid int, unit string) *cgroup.Usage {
	mount, err := cgroup.Mount()
	if err != nil {
		return nil
	}
	group, err := cgroup.Of(pid, unit)
	if err != nil {
		return nil // it has just ended
	}
	u, err := cgroup.Read(filepath.Join(mount, group))
	if err != nil {
		return nil
	}
	return &u
}

// settings are properties of the unit, as long as systemd has it loaded.
func (g *gatherer) settings(ctx context.Context, unit string) (s explain.Settings) {
	if g.bus == nil {
		return s
	}
	props, err := g.bus.Properties(ctx, unit, "TimeoutStartUSec", "TimeoutStopUSec", "RuntimeMaxUSec", "WatchdogUSec", "WatchdogTimestamp", "OOMPolicy", "LimitCORESoft")
	if err != nil {
		return s
	}
	duration := func(name string) *time.Duration {
		if usec, ok := props[name].(uint64); ok && usec < 1<<62/1000 {
			return new(time.Duration(usec) * time.Microsecond)
		}
		return nil
	}
	s.TimeoutStart, s.TimeoutStop = duration("TimeoutStartUSec"), duration("TimeoutStopUSec")
	s.RuntimeMax, s.Watchdog = duration("RuntimeMaxUSec"), duration("WatchdogUSec")
	if usec, ok := props["WatchdogTimestamp"].(uint64); ok && usec != 0 {
		s.WatchdogAt = time.UnixMicro(int64(usec))
	}
	s.OOMPolicy, _ = props["OOMPolicy"].(string)
	if n, ok := props["LimitCORESoft"].(uint64); ok {
		s.CoreLimit = &n
	}
	return s
}

// commandTrouble says what is wrong with an executable now, "" = nothing that shows.
func commandTrouble(path string) string {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return path + " does not exist"
	case err != nil:
		return err.Error()
	case !st.Mode().IsRegular():
		return path + " is no file"
	case st.Mode()&0o111 == 0:
		return path + " is not executable: chmod +x " + path
	}
	f, err := os.Open(path)
	if err != nil {
		return "" // that the program's user may execute it need not mean that we may read it
	}
	defer f.Close()
	head := make([]byte, 256) // BINPRM_BUF_SIZE, binfmts.h
	n, _ := f.Read(head)
	line, isScript := bytes.CutPrefix(head[:n], []byte("#!"))
	if !isScript {
		if n == 0 {
			return path + " is empty"
		}
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return "the first line of " + path + " names no interpreter"
	}
	if strings.HasSuffix(string(line), "\r") {
		return "the first line of " + path + " ends in CR LF, which makes the CR a part of the interpreter's name"
	}
	if _, err := os.Stat(words[0]); err != nil {
		return "the interpreter " + words[0] + ", which the first line of " + path + " names, does not exist"
	}
	return ""
}

func coreOf(def units.Program, e units.End) (c explain.Core) {
	if text, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err == nil {
		c.Pattern = strings.TrimSpace(string(text))
	}
	_, err := exec.LookPath("coredumpctl")
	c.Coredumpctl = err == nil
	if c.Pattern == "" || strings.HasPrefix(c.Pattern, "|") {
		return c
	}
	at := explain.CorePath(c.Pattern, def.Directory, int(e.PID))
	// core_uses_pid adds it where the pattern has none (core(5)).
	for _, pattern := range []string{at, at + ".[0-9]*"} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			st, err := os.Stat(path)
			if err == nil && st.Mode().IsRegular() && st.ModTime().After(e.Started.Add(-time.Second)) && st.ModTime().Before(e.Ended.Add(time.Minute)) {
				c.Found = append(c.Found, path)
			}
		}
	}
	return c
}
