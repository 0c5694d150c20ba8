//go:build linux

package torture

import (
	"slices"
	"time"

	"msup/policy"
)

// window is the time of one msup down.
type window struct{ from, to time.Time }

func (w window) has(t time.Time) bool { return !t.Before(w.from) && !t.After(w.to) }

// order checks that no life began before what the program depends on was there, and that in a msup down nothing was stopped
// while something that depends on it lived. logs are the transitions of all programs, lives their lives.
func (c *caseOf) order(logs map[string][]transition, lives map[string][]*life, downs []window) {
	for _, need := range c.program.needs {
		for _, l := range c.lives {
			launch, known := c.launch(l)
			if known && !there(logs[need], launch.Add(-slip), l.start) {
				c.found("order", l.start, "%v began, its start was asked for at %s, and %s was not there", l, clock(launch), need)
			}
		}
		for _, other := range lives[need] {
			end := other.over()
			if other.endedBy() != "SIGTERM" || !slices.ContainsFunc(downs, func(w window) bool { return w.has(end) }) {
				continue // it has ended by itself, or was stopped alone
			}
			for _, l := range c.lives {
				if over := l.over(); l.start.Before(end) && (over.IsZero() || over.After(end)) {
					c.found("order", end, "%s was stopped while %v lived, which depends on it", need, l)
				}
			}
		}
	}
}

// launch is when the start of a life was decided; not known of what was adopted, and after the state was damaged.
func (c *caseOf) launch(l *life) (at time.Time, known bool) {
	for _, t := range c.log {
		if t.to == policy.Starting && !t.at.After(l.start.Add(slip)) {
			at, known = t.at, c.damaged.IsZero() || t.at.Before(c.damaged)
		}
	}
	return at, known
}

// there reports whether a program was RUNNING at any moment of a time.
func there(log []transition, from, to time.Time) bool {
	for i, t := range log {
		if t.to == policy.Running && !t.at.After(to) && (i+1 == len(log) || !log[i+1].at.Before(from)) {
			return true
		}
	}
	return false
}
