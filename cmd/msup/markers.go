package main

import (
	"slices"

	"msup/capture"
	"msup/policy"
	"msup/units"
)

// markedPhases are those of which a line stands in the files (log_markers): of a start that
// is under way, so that it stands before what the program writes.
var markedPhases = []policy.Phase{policy.Starting, policy.Backoff, policy.Exited, policy.Failed, policy.Killed, policy.Stopped}

// mark writes a record into the program's files, behind what it has written until then. It
// does not wait.
func (o *outputs) mark(r units.Record) {
	ps := o.of(r.Program)
	unasked := r.To == policy.Running && r.From != policy.Starting // started with systemctl
	if !ps.output.log.Markers || !unasked && !slices.Contains(markedPhases, r.To) {
		return
	}
	at := r.Time.Format(timeFormat) + " "
	if ps.output.log.Timestamps != "" {
		at = "" // each line has one already
	}
	ps.each(func(s *capture.Stream) {
		s.Mark("--- " + at + "msup: " + r.Program + " " + string(r.To) + ": " + r.Reason + " ---")
	})
}
