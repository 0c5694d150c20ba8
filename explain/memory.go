package explain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"msup/cgroup"
	"msup/policy"
	"msup/units"
)

// killedMain is the kernel's kill of the main process, nil = none is known.
func (f Facts) killedMain(e units.End) *Kill {
	for i, k := range f.Last.Kills.List {
		if e.PID != 0 && k.PID == int(e.PID) {
			return &f.Last.Kills.List[i]
		}
	}
	return nil
}

// memoryDeath explains a kill for memory.
func memoryDeath(f Facts, e units.End) []string {
	var out []string
	u := e.Use
	oomd := slices.ContainsFunc(f.Last.Systemd.Lines, func(s string) bool { return strings.Contains(s, "systemd-oomd killed") })
	switch {
	case oomd:
		out = append(out, "systemd-oomd killed it because memory was short in a slice above it (ManagedOOMSwap=, ManagedOOMMemoryPressure=)")
	case f.outside(e) != "":
		out = append(out, f.outside(e)+" was out of memory: no limit of its own was met")
	case limited(e.MemoryLimit):
		out = append(out, fmt.Sprintf("its processes needed more than memory_limit = %s (MemoryMax=), and nothing was left that could be taken back", units.Limit(*e.MemoryLimit)))
	default:
		out = append(out, "memory ran out; it has no memory_limit of its own: a slice above it has one, or the machine was out of memory")
	}
	kills := f.Last.Kills
	for _, k := range kills.List {
		out = append(out, "the kernel killed "+f.victim(k, e.PID))
	}
	if len(kills.List) == 0 && !oomd {
		text := "which process was killed the kernel's log does not tell"
		if kills.Note != "" {
			text += ": " + kills.Note
		}
		out = append(out, text)
	}
	if len(kills.List) > 0 && f.killedMain(e) == nil && e.PID != 0 {
		out = append(out, "the main process was not killed by the kernel: systemd ended the rest of the unit (OOMPolicy=stop)")
	}
	if text := memoryFigures(u, e.MemoryLimit); text != "" {
		out = append(out, text)
	}
	if limited(e.MemoryLimit) && !oomd && f.outside(e) == "" {
		out = append(out, "if it needs that much, raise memory_limit; if not, it leaks or was given too much to do")
	}
	return out
}

// outside is the control group above the unit, or the machine, that ran out of memory; "" =
// neither is known to have.
func (f Facts) outside(e units.End) string {
	for _, k := range f.Last.Kills.List {
		switch group := path.Base(k.Group); {
		case k.Group == "":
			return "the whole machine"
		case group != f.Program.Unit:
			return group + " (MemoryMax= of that slice)"
		}
	}
	switch {
	case len(f.Last.Kills.List) > 0 || !e.NotOwn:
		return ""
	case e.LimitOf != "":
		return e.LimitOf + " (MemoryMax= of that slice)"
	}
	return "the whole machine, or what it runs in,"
}

// victim is a killed process: "python3 (PID 725), the main process, 29.1M of its own".
func (f Facts) victim(k Kill, main uint32) string {
	text := fmt.Sprintf("%s (PID %d)", k.Command, k.PID)
	if main != 0 && k.PID == int(main) {
		text += ", the main process"
	} else if main != 0 {
		text += ", not the main process"
	}
	if k.AnonRSS != nil {
		text += ", with " + units.Bytes(*k.AnonRSS) + " of its own"
	}
	text += ", at " + f.clock(k.At)
	return text
}

func memoryFigures(u units.Use, limit *uint64) string {
	var parts []string
	if u.MemoryPeak != nil {
		text := "peak " + units.Bytes(*u.MemoryPeak)
		if limited(limit) {
			text += " of " + units.Limit(*limit)
		}
		parts = append(parts, text)
	}
	if u.OOMKills != nil && *u.OOMKills > 0 {
		parts = append(parts, "oom_kill "+fmt.Sprint(*u.OOMKills))
	}
	if u.MemoryMax != nil && *u.MemoryMax > 0 {
		parts = append(parts, fmt.Sprintf("max %d", *u.MemoryMax))
	}
	if u.MemoryHigh != nil && *u.MemoryHigh > 0 {
		parts = append(parts, fmt.Sprintf("high %d", *u.MemoryHigh))
	}
	if len(parts) == 0 {
		return ""
	}
	return "memory of the run: " + strings.Join(parts, ", ") + " (memory.peak, memory.events)"
}

// nearLimit is the share of a limit, in percent, from which it is told as felt.
const nearLimit = 90

// limits says what limits do to the program: those that do not hold, and those that are
// felt, now or by the last run.
func limits(f Facts) []string {
	out := append([]string{}, f.Warnings...)
	out = append(out, childKills(f)...)
	if u := f.Usage; u != nil {
		out = append(out, memoryNow(f, u)...)
		if text := throttled("now", u.CPU.NrPeriods, u.CPU.NrThrottled, u.CPU.ThrottledUsec, f.Program.Limits.CPUPercent); text != "" {
			out = append(out, text)
		}
		if p := u.Pids; p.Current != nil && limited(p.Max) && *p.Current*100 >= *p.Max*nearLimit {
			out = append(out, fmt.Sprintf("tasks: %d of %d (tasks_limit, TasksMax=): above that fork fails with EAGAIN", *p.Current, *p.Max))
		}
	}
	e := f.last()
	if e == nil {
		return out
	}
	if text := throttled("in the last run", e.Use.Periods, e.Use.Throttled, e.Use.ThrottledUsec, f.Program.Limits.CPUPercent); text != "" {
		out = append(out, text)
	}
	if e.Exit.Cause != policy.CauseOOM {
		if peak := e.Use.MemoryPeak; peak != nil && limited(e.MemoryLimit) && *peak*100 >= *e.MemoryLimit*nearLimit {
			out = append(out, fmt.Sprintf("memory in the last run: peak %s of %s", units.Bytes(*peak), units.Limit(*e.MemoryLimit)))
		}
		if kills := e.Use.OOMKills; kills != nil && *kills > 0 && f.killedMain(*e) == nil {
			out = append(out, fmt.Sprintf("memory in the last run: the kernel killed %s, which systemd did not take for its end (memory.events, oom_kill)", processes(*kills)))
			for _, k := range f.Last.Kills.List {
				out = append(out, "killed: "+f.victim(k, e.PID))
			}
		}
	}
	return out
}

func processes(n uint64) string {
	if n == 1 {
		return "1 process of it"
	}
	return fmt.Sprintf("%d processes of it", n)
}

// childKills tells of kills for memory that the run under way has survived.
func childKills(f Facts) []string {
	kills := f.OOMKills
	if f.Usage != nil && f.Usage.Memory.Events.OOMKill != nil {
		kills = *f.Usage.Memory.Events.OOMKill
	}
	if kills == 0 || !f.State.Phase.Up() {
		return nil
	}
	text := fmt.Sprintf("memory: the kernel has killed %s for memory since it was started (memory.events, oom_kill %d), and the main process lives on", processes(kills), kills)
	if !f.OOMAt.IsZero() {
		text += "; the last time " + f.when(f.OOMAt)
	}
	out := []string{text}
	for _, k := range f.Kills.List {
		out = append(out, "killed: "+f.victim(k, f.PID))
	}
	if len(f.Kills.List) == 0 && f.Kills.Note != "" {
		out = append(out, "which process the kernel's log does not tell: "+f.Kills.Note)
	}
	return out
}

func memoryNow(f Facts, u *cgroup.Usage) []string {
	var out []string
	m, l := u.Memory, f.Program.Limits
	if m.Max != nil && *m.Max != cgroup.Infinity {
		l.MemoryMax = m.Max // what holds, whatever the configuration says by now
	}
	if limited(l.MemoryMax) && m.Current != nil && *m.Current*100 >= *l.MemoryMax*nearLimit {
		text := fmt.Sprintf("memory: %s of %s now (%d%%)", units.Bytes(*m.Current), units.Limit(*l.MemoryMax), percent(*m.Current, *l.MemoryMax))
		if n := m.Events.Max; n != nil && *n > 0 {
			text += fmt.Sprintf("; the limit was met %s since its start, and memory had to be taken back each time (memory.events, max)", times(*n))
		}
		out = append(out, text)
	} else if n := m.Events.Max; n != nil && *n > 0 && limited(l.MemoryMax) {
		out = append(out, fmt.Sprintf("memory: the limit of %s was met %s since its start, and memory had to be taken back (memory.events, max)", units.Limit(*l.MemoryMax), times(*n)))
	}
	if n := m.Events.High; n != nil && *n > 0 && limited(l.MemoryHigh) {
		out = append(out, fmt.Sprintf("memory: it was slowed down %s for exceeding memory_high = %s (memory.events, high)", times(*n), units.Limit(*l.MemoryHigh)))
	}
	return out
}

// throttledShare is the share of periods, in percent, from which being held back is told.
const throttledShare = 5

// throttled tells of a CPU limit that is felt.
func throttled(when string, periods, throttled, usecs, limit *uint64) string {
	if periods == nil || throttled == nil || *throttled == 0 || percent(*throttled, *periods) < throttledShare {
		return ""
	}
	of := ""
	if limited(limit) {
		of = fmt.Sprintf(" by cpu_limit = %d%%", *limit)
	}
	text := fmt.Sprintf("CPU %s: held back%s in %d of %d periods (%d%%)", when, of, *throttled, *periods, percent(*throttled, *periods))
	if usecs != nil {
		text += ", " + usec(*usecs) + " in all"
	}
	return text + " (cpu.stat, nr_throttled): it is bound by the CPU, not idle"
}
