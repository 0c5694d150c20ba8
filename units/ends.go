package units

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"msup/policy"
)

// This file remembers how runs have ended: a unit's control group, its Result and its
// invocation ID are gone when somebody asks why it died.

// End is one end of a program, or one start that failed. Absent facts are zero or nil.
type End struct {
	Program string `json:"program"`
	// N counts the ends of the program, from 1, for as long as the project is up.
	N int `json:"n"`
	// Started is when its main process was started, Ended when that ended, both by systemd's
	// clock where it knows.
	Started    time.Time `json:"started,omitzero"`
	Ended      time.Time `json:"ended"`
	Invocation string    `json:"invocation,omitempty"`
	PID        uint32    `json:"pid,omitempty"` // of its main process
	// During is the phase it ended in: STOPPING is a stop, STARTING a start that failed, or
	// that did not last for start_seconds if the unit was active already.
	During policy.Phase `json:"during"`
	Active bool         `json:"active,omitempty"` // its unit had become active
	// By is the reason of the stop, if it was being stopped.
	By   string      `json:"by,omitempty"`
	Exit policy.Exit `json:"exit"`
	// Result is systemd's, "" where systemd was not asked or did not say.
	Result string `json:"result,omitempty"`
	// To and Reason are what the policy made of it.
	To     policy.Phase `json:"to,omitempty"`
	Reason string       `json:"reason,omitempty"`
	// MemoryLimit is the memory_limit the run had, bytes.
	MemoryLimit *uint64 `json:"memory_limit,omitempty"`
	Use         Use     `json:"use,omitzero"`
	// LimitOf is the slice whose limit was met when it was killed for memory; NotOwn says that
	// its own was not. See [Blame].
	LimitOf string `json:"limit_of,omitempty"`
	NotOwn  bool   `json:"not_own,omitempty"`
	// Sent is the last signal that was sent to it on request.
	Sent *SentSignal `json:"sent,omitempty"`
	// Output says where its output stands in the files it goes to.
	Output []OutputSpan `json:"output,omitempty"`
}

// FailedBefore reports whether it is a start that failed at a command before the program's own
// (ExecStartPre=): what that has written is output of the unit.
func (e End) FailedBefore() bool { return e.Exit.Cause == policy.CauseStart && failedBefore(e.Result) }

// Use is what a run has used, as it was last seen: at the kernel's notice of a limit that
// was met, and at the end of the main process if the kernel gave time for it. nil = not
// known. The figures are those of cgroup-v2.rst, memory.events and cpu.stat.
type Use struct {
	MemoryPeak *uint64 `json:"memory_peak,omitempty"` // bytes
	OOMKills   *uint64 `json:"oom_kills,omitempty"`   // processes killed for memory
	MemoryMax  *uint64 `json:"memory_max,omitempty"`  // times the memory limit was met
	MemoryHigh *uint64 `json:"memory_high,omitempty"` // times memory_high was exceeded

	CPUUsec       *uint64 `json:"cpu_usec,omitempty"`       // CPU time, µs
	Periods       *uint64 `json:"periods,omitempty"`        // periods of the CPU limit in which it wanted to run
	Throttled     *uint64 `json:"throttled,omitempty"`      // of them those in which it was held back
	ThrottledUsec *uint64 `json:"throttled_usec,omitempty"` // how long it was held back, µs, summed over CPUs
}

// SentSignal is a signal that was sent on request.
type SentSignal struct {
	Signal int       `json:"signal"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// OutputSpan is the part of a file that a run has written. nil = not known.
type OutputSpan struct {
	File  string      `json:"file"`
	Begin *OutputMark `json:"begin,omitempty"`
	End   *OutputMark `json:"end,omitempty"`
}

// OutputMark is a place in a file, which may have been rotated since.
type OutputMark struct {
	Inode  uint64 `json:"inode"`  // 0 = there was no file yet
	Offset int64  `json:"offset"` // bytes
}

// EndOutput adds to an end where its output stands.
type EndOutput struct {
	Program string       `json:"program"`
	N       int          `json:"n"`
	Output  []OutputSpan `json:"output"`
}

// endsEach is how many ends of each program are remembered.
const endsEach = 10

// ends are the last ends of each program, oldest first.
type ends map[string][]End

func newEnds(list []End) ends {
	out := ends{}
	for _, e := range list {
		out.add(e)
	}
	return out
}

func (es ends) add(e End) {
	list := es[e.Program]
	if extra := len(list) + 1 - endsEach; extra > 0 {
		list = slices.Delete(list, 0, extra)
	}
	es[e.Program] = append(list, e)
}

// all returns the ends of all programs, those of one in their order.
func (es ends) all() []End {
	var out []End
	for _, list := range es {
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b End) int {
		return cmp.Or(a.Ended.Compare(b.Ended), cmp.Compare(a.Program, b.Program), cmp.Compare(a.N, b.N))
	})
	return out
}

func (es ends) last(program string) *End {
	if list := es[program]; len(list) > 0 {
		return &list[len(list)-1]
	}
	return nil
}

// EndsOf returns the last ends of a program, oldest first, ten at most.
func (s *Saved) EndsOf(program string) []End {
	own := ends{}
	for _, e := range s.Ends {
		if e.Program == program {
			own.add(e)
		}
	}
	return slices.Clone(own[program])
}

// applyOutput finds the end that o belongs to, near the end of a list.
func applyOutput(list []End, o EndOutput) {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Program == o.Program && list[i].N == o.N {
			list[i].Output = o.Output
			return
		}
	}
}

// ending begins the record of the end of p's run, before the policy is told of it.
func (s *Supervisor) ending(p *program, e policy.Exit) End {
	end := End{
		Program: p.def.Name, N: 1, Started: p.started, Ended: time.Now(), Invocation: p.invocation, PID: p.pid,
		During: p.state.Phase, Active: p.state.IsActive() || p.state.Phase == policy.Stopping, Exit: e, MemoryLimit: p.def.Limits.MemoryMax, Use: s.use(p), Sent: p.sent,
	}
	if e.Cause == policy.CauseOOM {
		end.LimitOf, end.NotOwn = p.blame.Slice, p.blame.NotOwn
	}
	if kills := end.Use.OOMKills; e.Cause == policy.CauseOOM && kills != nil && *kills == 0 {
		end.Use.OOMKills = nil // it was seen last before that kill
	}
	if last := s.ends.last(p.def.Name); last != nil {
		end.N = last.N + 1
	}
	if end.Started.IsZero() {
		end.Started = p.state.Active
	}
	if e.Cause == policy.CauseExec {
		end.Active = false // it only looked like that
	}
	switch ending := p.state.Ending; {
	case ending != nil:
		// The stop is ours, and this is what it was for.
		end.During, end.Exit, end.Active = ending.During, ending.Exit, true
	case p.state.Phase == policy.Stopping:
		end.By = p.state.Reason
	}
	switch f := p.facts; {
	case p.scoped():
		end.Result = p.scope.result
	case f != nil:
		end.Result = f.Result
		if !f.MainExit.IsZero() {
			end.Ended = f.MainExit
		}
	}
	return end
}

// remember keeps an end with what the policy made of it: the first of the records.
func (s *Supervisor) remember(end End, records []Record) int {
	for _, r := range records {
		if r.Program == end.Program && r.To != "" {
			end.To, end.Reason = r.To, r.Reason
			break
		}
	}
	s.ends.add(end)
	s.freshEnds = append(s.freshEnds, end)
	return end.N
}

// use is what the run of p has used, from the moment on at which its main process ended.
func (s *Supervisor) use(p *program) Use {
	if p.used == nil {
		u := Use{}
		if s.cfg.Use != nil && p.pid != 0 {
			u = s.cfg.Use(p.unit, p.pid)
		}
		p.used = &u
	}
	return *p.used
}

// outputRequest and oomRequest tell the loop what others have seen.
type (
	outputRequest struct{ of EndOutput }
	oomRequest    struct {
		unit string
		pid  uint32
		use  Use
	}
)

// Output tells where the output of a run stands, of which [Config.Ended] has told.
func (s *Supervisor) Output(of EndOutput) { _ = s.send(context.Background(), outputRequest{of}) }

// KilledForMemory tells that processes of a unit were killed for memory and its main
// process, of that PID, was not the one, or has not been missed yet.
func (s *Supervisor) KilledForMemory(unit string, pid uint32, u Use) {
	_ = s.send(context.Background(), oomRequest{unit, pid, u})
}

func (r outputRequest) serve(s *Supervisor) {
	applyOutput(s.ends[r.of.Program], r.of)
	s.freshOutput = append(s.freshOutput, r.of)
}

func (r oomRequest) serve(s *Supervisor) {
	p := s.byUnit[r.unit]
	if p == nil || p.pid != r.pid || p.over() || !p.state.IsActive() || r.use.OOMKills == nil {
		return // its end tells of it
	}
	kills := *r.use.OOMKills
	if kills <= p.oomKills {
		return // told by the supervisor before this one
	}
	m := Memory{Peak: r.use.MemoryPeak, Limit: p.def.Limits.MemoryMax}
	s.note(p, "%s killed for memory%s, its main process was not among them; msup why %s",
		processes(kills-p.oomKills), m, p.def.Name)
	p.oomKills, p.oomAt = kills, time.Now()
	s.touch(p)
}

func processes(n uint64) string {
	if n == 1 {
		return "1 of its processes was"
	}
	return fmt.Sprintf("%d of its processes were", n)
}

// unseenEnd is an end that no supervisor has written down. systemd may be asked long after it.
func unseenEnd(def Program, old SavedProgram, f Facts, e policy.Exit) *End {
	end := &End{
		Program: def.Name, Started: f.MainStart, Ended: f.MainExit, Invocation: f.InvocationID,
		During: policy.Running, Active: !f.ActiveEnter.IsZero(), Exit: e, Result: f.Result, MemoryLimit: def.Limits.MemoryMax,
	}
	if f.InvocationID == old.Invocation {
		end.PID, end.Sent = old.PID, old.Sent
		if end.Started.IsZero() {
			end.Started = old.Started
		}
		if old.State.Phase.Up() {
			end.During = old.State.Phase
		}
		if end.During == policy.Stopping {
			end.By = old.State.Reason
		}
	}
	if !end.Active && end.During != policy.Stopping {
		end.During = policy.Starting
	}
	if end.Ended.IsZero() {
		end.Ended = time.Now()
	}
	return end
}
