// Package policy decides when a program starts again.
//
// The decision is one pure function, [Step]: it takes the rules of a program, its
// state, one event and the time, and returns the new state and what to do. It has no
// clock, starts no goroutine, does no I/O and does not log, so every decision can be
// replayed from its inputs. Timers are data: [State.Deadline] says when the program
// wants to hear [DeadlineReached] next.
package policy

import "time"

// Mode says after which kind of end a program is started again.
type Mode string

const (
	Never     Mode = "never"      // never started again
	OnFailure Mode = "on-failure" // started again unless it ended well, see [Rules.SuccessExitCodes]
	Always    Mode = "always"     // started again however it ended
)

// Rules is the restart policy of one program, as its configuration gives it.
type Rules struct {
	Autorestart  Mode
	RestartDelay time.Duration // time between an end and the next start
	MaxRestarts  int           // restarts before giving up; 0 = no limit
	// RestartReset is how long a program must stay up for its count of restarts to go
	// back to zero; 0 = never.
	RestartReset time.Duration
	// SuccessExitCodes are the exit statuses that count as ending well. A death by
	// signal never does, although systemd counts SIGTERM, SIGHUP, SIGINT and SIGPIPE
	// as success (systemd.service(5), SuccessExitStatus=).
	SuccessExitCodes []int
}

// Phase is the state of a program as users see it.
type Phase string

const (
	Stopped  Phase = "STOPPED"  // not started, or stopped on request
	Starting Phase = "STARTING" // a start job is under way
	Running  Phase = "RUNNING"
	Backoff  Phase = "BACKOFF"  // waits for its next start
	Stopping Phase = "STOPPING" // a stop job is under way
	Exited   Phase = "EXITED"   // ended well and is not wanted again
	Failed   Phase = "FAILED"   // ended badly and is not started again
	Killed   Phase = "KILLED"   // as Failed, after the kernel or systemd ended it for a limit
)

// Phases lists every phase in the order of a program's life.
var Phases = []Phase{Stopped, Starting, Running, Backoff, Stopping, Exited, Failed, Killed}

// Up reports whether a unit of the program may exist in this phase.
func (p Phase) Up() bool { return p == Starting || p == Running || p == Stopping }

// GaveUp reports whether the program ended badly for good.
func (p Phase) GaveUp() bool { return p == Failed || p == Killed }

// Settled reports whether the program stays in this phase unless something happens to it.
func (p Phase) Settled() bool {
	return p == Stopped || p == Running || p == Exited || p == Failed || p == Killed
}
