package main

import (
	"slices"

	"msup/capture"
	"msup/policy"
	"msup/units"
)

// markedPhases are those of which a line stands in the files (log_markers).
var markedPhases = []policy.Phase{policy.Running, policy.Backoff, policy.Exited, policy.Failed, policy.Killed, policy.Stopped}

// mark writes a record into the program's files, behind what it has written until then. It
// does not wait.
func (o *outputs) mark(r units.Record) {
	if !o.marked[r.Program] || !slices.Contains(markedPhases, r.To) {
		return
	}
	o.of(r.Program).each(func(s *capture.Stream) {
		s.Mark("--- " + r.Time.Format(timeFormat) + " msup: " + r.Program + " " + string(r.To) + ": " + r.Reason + " ---")
	})
}
