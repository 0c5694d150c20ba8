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
	u, ok := s.read(group)
	if !ok {
		return // it has just ended; absent facts are null
	}
	r.Use(u)
	r.CPU.Percent = s.percent(group, u, since, now)
}

// read reads the use of a control group.
func (s *Sampler) read(group string) (cgroup.Usage, bool) {
	if s.mount == "" || group == "" {
		return cgroup.Usage{}, false
	}
	u, err := cgroup.ReadUse(filepath.Join(s.mount, group))
	return u, err == nil
}

// percent is the share of one CPU that a control group has used lately, nil = not known.
func (s *Sampler) percent(group string, u cgroup.Usage, since, now time.Time) *float64 {
	if u.CPU.UsageUsec == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, ok := s.last[group]
	age := now.Sub(before.at)
	if !ok || age > sampleMax || before.usage > *u.CPU.UsageUsec {
		if since.IsZero() {
			s.last[group] = sample{at: now, usage: *u.CPU.UsageUsec}
			return nil
		}
		before, age = sample{at: since}, now.Sub(since)
	}
	if age < sampleMin {
		return before.percent // too soon to say anything newer
	}
	percent := float64(*u.CPU.UsageUsec-before.usage) / float64(age.Microseconds()) * 100
	rounded := new(math.Round(percent*10) / 10)
	s.last[group] = sample{now, *u.CPU.UsageUsec, rounded}
	return rounded
}
