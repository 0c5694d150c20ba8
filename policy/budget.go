package policy

import (
	"fmt"
	"slices"
	"time"
)

// Budget returns how many restarts a program has used of how many it may have (0 = no
// limit), and the time within which they count, 0 = until they are forgiven. While starts
// fail that [Rules.StartRetries] counts, it is these. It is what decides and what is shown.
// A restart that is being waited for is counted; of a program that has ended for good,
// what counted then is.
func (r Rules) Budget(s State, now time.Time) (used, most int, window time.Duration) {
	switch {
	case s.Failures > 0 && r.StartRetries != nil:
		return s.Failures, *r.StartRetries, 0
	case r.window() == 0:
		return s.Restarts, r.MaxRestarts, 0
	}
	at, waiting := now, 0
	switch {
	case s.Phase == Backoff:
		at, waiting = s.Deadline, 1
	case !s.Phase.Up():
		at = s.Since
	}
	return r.within(s, at) + waiting, r.MaxRestarts, r.RestartWindow
}

// Restarts reports whether there is an end that is answered by a restart.
func (r Rules) Restarts() bool {
	return r.Autorestart != Never || !r.RestartOn.Empty() || r.OnOOM == OOMRestart
}

// window is the length of the window, 0 where there is none.
func (r Rules) window() time.Duration {
	if r.MaxRestarts == 0 {
		return 0
	}
	return r.RestartWindow
}

// within counts the restarts of the window that ends at a time.
func (r Rules) within(s State, at time.Time) int {
	n, begin := 0, at.Add(-r.RestartWindow)
	for _, t := range s.Used {
		if t.After(begin) {
			n++
		}
	}
	return n
}

// use notes a restart that takes place now.
func (s *State) use(r Rules, now time.Time) {
	if r.window() == 0 {
		s.Used = nil
		return
	}
	begin := now.Add(-r.RestartWindow)
	used := slices.DeleteFunc(slices.Clone(s.Used), func(t time.Time) bool { return !t.After(begin) })
	used = append(used, now)
	s.Used = used[max(0, len(used)-r.MaxRestarts):]
}

// words says which restart it is, or would be: "restart 3 of 5 within 60s".
func (s State) words(r Rules, now time.Time) string {
	what := "restart"
	if s.Failures > 0 && r.StartRetries != nil {
		what = "start retry"
	}
	used, most, window := r.Budget(s, now)
	text := fmt.Sprintf("%s %d", what, used)
	if most > 0 {
		text += fmt.Sprintf(" of %d", most)
	}
	if window > 0 {
		text += " within " + Words(window)
	}
	return text
}

// count is "1 restart", "3 restarts".
func count(n int, what, whats string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %s", n, whats)
}
