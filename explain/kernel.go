package explain

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KernelLine is a line of the kernel's log.
type KernelLine struct {
	Time time.Time
	Text string
}

// What the kernel logs when it kills for memory (mm/oom_kill.c, dump_oom_summary and
// __oom_kill_process; the first line since Linux 5.0):
//
//	oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=…,mems_allowed=0,oom_memcg=/a.slice/b.service,task_memcg=/a.slice/b.service,task=python3,pid=725,uid=0
//	Memory cgroup out of memory: Killed process 725 (python3) total-vm:56788kB, anon-rss:29184kB, file-rss:5632kB, …
var (
	oomSummary = regexp.MustCompile(`oom-kill:constraint=(\w+),.*?(?:,oom_memcg=(\S*?))?(?:,global_oom)?,task_memcg=(\S*?),task=(.*),pid=(\d+),uid=`)
	oomKilled  = regexp.MustCompile(`[Oo]ut of memory.*: Killed process (\d+) \((.*)\) total-vm:\d+kB, anon-rss:(\d+)kB`)
)

// ParseKills finds the processes of a unit that the kernel has killed for memory. The unit
// is known by its name in the path of the control group.
func ParseKills(lines []KernelLine, unit string) []Kill {
	var kills []Kill
	for _, l := range lines {
		if m := oomSummary.FindStringSubmatch(l.Text); m != nil {
			pid, err := strconv.Atoi(m[5])
			if err != nil || !slices.Contains(strings.Split(m[3], "/"), unit) {
				continue
			}
			k := Kill{At: l.Time, PID: pid, Command: m[4], Unit: m[3]}
			if m[1] == "CONSTRAINT_MEMCG" {
				k.Group = m[2]
			}
			kills = append(kills, k)
			continue
		}
		m := oomKilled.FindStringSubmatch(l.Text)
		if m == nil {
			continue
		}
		pid, err := strconv.Atoi(m[1])
		rss, err2 := strconv.ParseUint(m[3], 10, 44)
		if err != nil || err2 != nil {
			continue
		}
		// It follows the summary of the same process.
		for i := len(kills) - 1; i >= 0; i-- {
			if kills[i].PID == pid {
				kills[i].AnonRSS = new(rss * 1024)
				break
			}
		}
	}
	return kills
}
