package doctor

import (
	"fmt"

	"msup/units"
)

// subject names a slice as msup up does.
func subject(project string, s units.Slice) string {
	if s.Group == "" {
		return "project " + project
	}
	return "group " + s.Group
}

// limited is a program or a slice with its limits.
type limited struct {
	name   string
	limits units.Limits
}

func (f Facts) limited() []limited {
	p := f.project()
	var out []limited
	for _, prog := range p.Programs {
		out = append(out, limited{prog.Name, prog.Limits})
	}
	for _, s := range units.Slices(p) {
		out = append(out, limited{subject(p.Name, s), s.Limits})
	}
	return out
}

// limits tells which limits do not hold, one finding for those that share a reason.
func limits(l *list, f Facts) {
	if f.Config == nil {
		return
	}
	all := f.limited()
	count := 0
	for _, x := range all {
		if x.limits != (units.Limits{}) {
			count++
		}
	}
	before := len(l.findings)
	known := f.Cgroup.Err == nil && f.Systemd.Err == nil
	shared(l, all, Problem, func(x units.Limits) []string { return x.Unenforced(f.Cgroup.Missing) })
	if !known && count > 0 {
		l.add(Warning, "limits", "", "whether all others hold could not be found out: the %s decides what it passes on", f.manager())
	}
	swap(l, f, all)
	if f.User && !f.Root {
		shared(l, all, Warning, func(x units.Limits) (out []string) {
			if x.Nice != nil && *x.Nice < 0 {
				out = append(out, fmt.Sprintf("nice = %d is not for an ordinary user: systemd ignores it without a word, unless LimitNICE= of user@.service allows it", *x.Nice))
			}
			if x.OOMScoreAdjust != nil && *x.OOMScoreAdjust < 0 {
				out = append(out, "a negative oom_score_adjust is not for an ordinary user: it has no effect")
			}
			return out
		})
	}
	if f.Cgroup.Memory > 0 {
		shared(l, all, Info, func(x units.Limits) []string {
			if finite(x.MemoryMax) && *x.MemoryMax > f.Cgroup.Memory {
				return []string{fmt.Sprintf("memory_limit = %s is more than the machine has (%s): it is never met", units.Limit(*x.MemoryMax), units.Bytes(f.Cgroup.Memory))}
			}
			return nil
		})
	}
	above(l, f.project())
	if known && count > 0 && Worst(l.findings[before:]) != Problem && Worst(l.findings[before:]) != Warning {
		l.add(OK, "limits", "", "all that are configured hold")
	}
}

// shared adds one finding for all that have the same to be said of them.
func shared(l *list, all []limited, s Severity, say func(units.Limits) []string) {
	var texts []string
	names := map[string][]string{}
	for _, x := range all {
		for _, text := range say(x.limits) {
			if names[text] == nil {
				texts = append(texts, text)
			}
			names[text] = append(names[text], x.name)
		}
	}
	for _, text := range texts {
		l.add(s, some(names[text]), "", "%s", text)
	}
}

// swap tells whether what may not use memory can use swap instead.
func swap(l *list, f Facts, all []limited) {
	c := f.Cgroup
	if c.SwapLimits == nil || *c.SwapLimits || c.Missing["memory"] != "" || c.Swap == nil || !*c.Swap {
		return
	}
	var names []string
	for _, x := range all {
		if finite(x.limits.SwapMax) {
			names = append(names, x.name)
		}
	}
	if len(names) > 0 {
		l.add(Problem, some(names), "boot with swapaccount=1, or swapoff -a",
			"swap_limit does not hold (it is 0 with memory_limit): the machine has swap and the kernel does not count who uses it, so memory goes there instead")
	}
}

// above tells of limits of memory that are never met because a slice's is.
func above(l *list, p units.Project) {
	for _, s := range units.Slices(p) {
		if !finite(s.Limits.MemoryMax) {
			continue
		}
		var names []string
		for _, prog := range p.Programs {
			in := s.Group == "" || prog.InGroup == s.Group
			if in && finite(prog.Limits.MemoryMax) && *prog.Limits.MemoryMax > *s.Limits.MemoryMax {
				names = append(names, prog.Name)
			}
		}
		if len(names) > 0 {
			l.add(Info, some(names), "", "memory_limit is above that of %s, %s, which is met first", subject(p.Name, s), units.Limit(*s.Limits.MemoryMax))
		}
	}
}
