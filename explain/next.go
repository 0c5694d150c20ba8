package explain

import (
	"fmt"
	"time"

	"msup/policy"
)

// next says what comes.
func next(f Facts) Next {
	r, s := f.Program.Rules, f.State
	var n Next
	var window time.Duration
	n.Restarts, n.MaxRestarts, window = r.Budget(s, f.Now)
	if window > 0 {
		n.WindowSeconds = new(window.Seconds())
	}
	name := f.Program.Name
	if !f.Supervised {
		n.Lines = append(n.Lines, unsupervised(f))
	}
	waits := !s.NextStart().IsZero()
	if waits && f.Supervised {
		n.Start = new(s.Deadline)
	}
	scheduled := f.Schedule != nil && f.Schedule.Armed
	if scheduled {
		n.Lines = append(n.Lines, schedule(f)...)
		if !f.Schedule.Next.IsZero() {
			n.Run = new(f.Schedule.Next)
		}
	}
	switch {
	case !f.Supervised:
	case s.Phase == policy.Backoff && waits:
		n.Lines = append(n.Lines, fmt.Sprintf("next start %s, at %s", countdown(s.Deadline.Sub(f.Now)), f.clock(s.Deadline.Round(time.Second))))
	case s.Unmet:
		n.Lines = append(n.Lines, "it was not started: it is as soon as what it depends on is on its way again; msup start "+name+" starts that too")
	case s.Phase.GaveUp() && waits:
		n.Lines = append(n.Lines, fmt.Sprintf("gave up; it is tried again %s, at %s (restart_cooldown); msup start %s does it now", countdown(s.Deadline.Sub(f.Now)), f.clock(s.Deadline), name))
	case scheduled && !s.Phase.Up():
	case s.Phase.GaveUp():
		n.Lines = append(n.Lines, "gave up: it stays down until msup start "+name+", which clears the count of restarts")
	case f.Program.Listens() && s.Armed && (s.Phase == policy.Stopped || s.Phase == policy.Exited): // said above
	case s.Phase == policy.Exited:
		n.Lines = append(n.Lines, fmt.Sprintf("it ended well and stays down (autorestart = %s); msup start %s starts it", r.Autorestart, name))
	case f.never():
		n.Lines = append(n.Lines, "msup start "+name+" starts it")
	case s.Phase == policy.Stopped:
		n.Lines = append(n.Lines, "it stays down until msup start "+name)
	case s.Phase == policy.Stopping && s.StartAgain:
		n.Lines = append(n.Lines, "it is started again as soon as it has ended")
	case s.Phase == policy.Stopping:
		n.Lines = append(n.Lines, fmt.Sprintf("SIGKILL %s after the begin of the stop, if it has not ended by then (stop_timeout)", span(f.Program.StopTimeout)))
	}
	if text := budgetWords(f, n, window); text != "" {
		n.Lines = append(n.Lines, text)
	}
	return n
}

// schedule is when the program runs next.
func schedule(f Facts) []string {
	s, def := f.Schedule, f.Program
	text := fmt.Sprintf("its schedule (%s) has no next time", def.Schedule)
	if at := s.Next.Round(time.Second); !at.IsZero() {
		text = fmt.Sprintf("next run %s, at %s (schedule %s)", countdown(s.Next.Sub(f.Now)), f.clock(at), def.Schedule)
	}
	lines := []string{text + "; msup start " + def.Name + " runs it now"}
	if f.State.Phase.Up() {
		lines = []string{text}
	}
	if s.Skipped > 0 {
		lines = append(lines, fmt.Sprintf("skipped since the project came up: %s, because a run was not over", times(uint64(s.Skipped))))
	}
	return lines
}

func unsupervised(f Facts) string {
	switch {
	case f.State.Phase.Up():
		return "no supervisor runs: it goes on, and nobody starts it again when it ends, until msup up"
	default:
		return "no supervisor runs: nobody starts it, until msup up"
	}
}

// budgetWords is the budget: "restarts: 3/5 within 1m".
func budgetWords(f Facts, n Next, window time.Duration) string {
	r, s := f.Program.Rules, f.State
	if !r.Restarts() && n.Restarts == 0 {
		return "restarts: none (autorestart = never)"
	}
	what := "restarts"
	retries := s.Failures > 0 && r.StartRetries != nil
	if retries {
		what = "start retries"
	}
	text := fmt.Sprintf("%s: %d/%d", what, n.Restarts, n.MaxRestarts)
	if n.MaxRestarts == 0 && !retries {
		text = fmt.Sprintf("%s: %d, no limit", what, n.Restarts)
	}
	switch {
	case retries:
	case window > 0:
		text += " within " + span(window)
	case s.Phase == policy.Running && n.Restarts > 0 && !s.Deadline.IsZero():
		text += fmt.Sprintf(", forgotten %s if it stays up (restart_reset)", countdown(s.Deadline.Sub(f.Now)))
	case n.Restarts > 0 && r.RestartReset > 0 && !s.Phase.GaveUp():
		text += fmt.Sprintf(", forgotten when it has stayed up for %s (restart_reset)", span(r.RestartReset))
	}
	return text
}
