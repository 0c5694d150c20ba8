package units

import "fmt"

// Unenforced tells which limits of p the kernel will not hold, one sentence each. missing
// says of each cgroup v2 controller that the service manager lacks ("memory", "cpu", "io",
// "pids") why.
func Unenforced(p Program, missing map[string]string) []string {
	return p.Limits.Unenforced(missing)
}

// Unenforced is the same for the limits of a slice.
func (l Limits) Unenforced(missing map[string]string) []string {
	var out []string
	check := func(configured bool, key, controller string) {
		if why, ok := missing[controller]; ok && configured {
			out = append(out, fmt.Sprintf("%s does not hold: %s", key, why))
		}
	}
	limited := func(v *uint64) bool { return v != nil && *v != Infinity }
	check(limited(l.MemoryMax), "memory_limit", "memory")
	check(limited(l.MemoryHigh), "memory_high", "memory")
	check(limited(l.CPUPercent), "cpu_limit", "cpu")
	check(l.CPUWeight != nil, "cpu_weight", "cpu")
	check(l.IOWeight != nil, "io_weight", "io")
	check(limited(l.TasksMax), "tasks_limit", "pids")
	return out
}
