package policy

import "time"

// Cause says why a program ended, or why it could not be started.
type Cause string

const (
	CauseExit      Cause = "exit"        // exited by itself with Exit.Code
	CauseSignal    Cause = "signal"      // died of a signal nobody but the sender accounts for
	CauseCoreDump  Cause = "core-dump"   // died of a signal and dumped core
	CauseOOM       Cause = "oom-kill"    // killed for memory, by the kernel or by systemd-oomd
	CauseTimeout   Cause = "timeout"     // a start, stop or runtime limit ran out
	CauseWatchdog  Cause = "watchdog"    // did not ping systemd's watchdog in time
	CauseUnhealthy Cause = "unhealthy"   // did not pass its health check
	CauseExec      Cause = "exec-failed" // systemd could not execute it (statuses 200 to 243)
	CauseResources Cause = "resources"   // systemd had not what the start needs
	CauseProtocol  Cause = "protocol"    // broke the protocol of its service type
	CauseStart     Cause = "start-failed"
	CauseUnknown   Cause = "unknown" // ended unobserved, and nobody knows how
)

// Exit is one end of a program, or one start that failed.
type Exit struct {
	Cause  Cause  `json:"cause"`
	Code   int    `json:"code"`             // exit status, where Cause is exit or exec-failed
	Signal int    `json:"signal"`           // signal number, 0 = none
	Dumped bool   `json:"dumped,omitempty"` // the signal dumped core, whatever the Cause
	Reason string `json:"reason"`           // the same in words, with the facts: "exit status 3"
	// Hook is the command beside the program whose failure this is, by its key: before_start,
	// after_start, or one of systemd's settings; "" = none.
	Hook string `json:"hook,omitempty"`
	// Final says that another try cannot help: systemd refuses the unit, or its name is taken.
	Final bool `json:"final,omitempty"`
	// Ran is how long its main process lived; 0 = not known. An end may be seen long after
	// it happened.
	Ran time.Duration `json:"ran,omitempty"`
}

// limit reports whether the program was ended for exceeding a limit, which makes giving
// up KILLED instead of FAILED.
func (e Exit) limit() bool {
	return e.Cause == CauseOOM || e.Cause == CauseTimeout || e.Cause == CauseWatchdog
}

// EndedWell reports whether e counts as ending well under the rules.
func (r Rules) EndedWell(e Exit) bool {
	switch {
	case e.Cause == CauseExec: // its status is systemd's
		return false
	case r.Success.Empty():
		return e.Cause == CauseExit && e.Code == 0
	}
	return r.Success.Contains(e)
}
