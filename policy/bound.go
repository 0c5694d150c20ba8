package policy

import (
	"strings"
	"time"
)

// Bound returns s with its times within what the rules allow now: the clock may have been
// set back since they were written down, or the rules were others.
func (r Rules) Bound(s State, now time.Time) State {
	longest, most := time.Duration(0), s.Deadline
	switch s.Phase {
	case Starting:
		if longest = r.startPeriod(); s.waitsForReady(r) {
			longest = max(longest, r.ReadyTimeout)
			if head, _, ok := strings.Cut(s.Reason, readyWords); ok {
				s.Reason = head + readyWords + r.Ready // perhaps it was another probe
			}
		}
	case Running:
		s.Active, s.Since = earlier(s.Active, now), earlier(s.Since, now)
		most = r.upDeadline(s)
		longest = max(r.RestartReset, r.MaxAge)
	case Backoff:
		longest = r.restartDelay(s.Restarts, 1)
		if s.Failures > 0 {
			longest = r.retryDelay(s.Failures, 1)
		}
		longest = max(longest, quickEnds*startsApart)
	case Failed, Killed:
		if longest = r.RestartCooldown; longest == 0 {
			most = time.Time{}
		}
	}
	s.Armed = s.Armed && r.Awaits != ""
	s.Deadline = earlier(most, now.Add(longest))
	s.Started, s.Active, s.Ready = earlier(s.Started, now), earlier(s.Active, now), earlier(s.Ready, now)
	if len(s.Used) > 0 {
		used := make([]time.Time, len(s.Used))
		for i, t := range s.Used {
			used[i] = earlier(t, now)
		}
		s.Used = used
	}
	return s
}

// earlier is t, but limit where that is earlier; no time at all stays none.
func earlier(t, limit time.Time) time.Time {
	if t.After(limit) {
		return limit
	}
	return t
}
