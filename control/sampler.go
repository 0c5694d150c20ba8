package control

import (
	"math"
	"path/filepath"
	"sync"
	"time"

	"msup/cgroup"
)

// Sampler reads what units use from their control groups and remembers the last reading,
// so that it can say how busy a CPU was lately.
type Sampler struct {
	mount string

	mu   sync.Mutex
	last map[string]sample // by control group
}

type sample struct {
	at      time.Time
	usage   uint64   // microseconds
	percent *float64 // what it came to, compared with the reading before
}

// A reading is compared with the one before when that is neither so fresh that the
// scheduler's periods (100 ms, cpu.max) show, nor so old that it says nothing of now.
const (
	sampleMin = 500 * time.Millisecond
	sampleMax = time.Minute
)

// NewSampler reads below the cgroup v2 mount of this machine. Without one there is
// nothing to read, which is no error.
func NewSampler() *Sampler {
	mount, err := cgroup.Mount()
	if err != nil {
		mount = ""
	}
	return &Sampler{mount: mount, last: map[string]sample{}}
}

// Fill adds to r what its unit uses. group is the unit's control group relative to the
// mount, as systemd's ControlGroup; since is when the program was started, from which
// the CPU percentage counts when there is no recent reading.
func (s *Sampler) Fill(r *ProgramReport, group string, since, now time.Time) {
	if s.mount == "" || group == "" {
		return
	}
	u, err := cgroup.ReadUse(filepath.Join(s.mount, group))
	if err != nil {
		return // it has just ended; absent facts are null
	}
	r.Use(u)
	if u.CPU.UsageUsec == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, ok := s.last[group]
	age := now.Sub(before.at)
	if !ok || age > sampleMax || before.usage > *u.CPU.UsageUsec {
		before, age = sample{at: since}, now.Sub(since)
	}
	if age < sampleMin {
		r.CPU.Percent = before.percent // too soon to say anything newer
		return
	}
	percent := float64(*u.CPU.UsageUsec-before.usage) / float64(age.Microseconds()) * 100
	r.CPU.Percent = new(math.Round(percent*10) / 10)
	s.last[group] = sample{now, *u.CPU.UsageUsec, r.CPU.Percent}
}
