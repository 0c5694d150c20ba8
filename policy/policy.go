// Package policy decides when a program starts again.
//
// The decision is one pure function, [Step]: it takes the rules of a program, its
// state, one event and the time, and returns the new state and what to do. It has no
// clock, no chance, starts no goroutine, does no I/O and does not log, so every decision
// can be replayed from its inputs. Timers are data: [State.Deadline] says when the program
// wants to hear [DeadlineReached] next.
package policy

import "time"

// Mode says after which kind of end a program is started again.
type Mode string

const (
	Never     Mode = "never"      // never started again
	OnFailure Mode = "on-failure" // started again unless it ended well, see [Rules.EndedWell]
	Always    Mode = "always"     // started again however it ended
)

// OOMRule says what follows a kill for memory, whatever the other rules make of it.
type OOMRule string

const (
	OOMAsOthers OOMRule = ""        // it is a failure like others
	OOMRestart  OOMRule = "restart" // started again, even where [Never] holds
	OOMStop     OOMRule = "stop"    // given up
)

// Rules is the restart policy of one program, as its configuration gives it. What an
// older version has written down has fewer fields: their zero values mean what held then.
type Rules struct {
	Autorestart Mode

	RestartDelay time.Duration // time between an end and the first restart in a row
	// MoreDelays are those of the second, third … restart in a row; the last one repeats.
	MoreDelays []time.Duration `json:",omitempty"`
	// RestartBackoff multiplies the last delay from then on, each time again; 0 = 1.
	RestartBackoff float64 `json:",omitempty"`
	// RestartDelayMax is the longest delay, whatever the others come to; 0 = no limit.
	RestartDelayMax time.Duration `json:",omitempty"`
	// RestartJitter is the share of a delay, 0 to 1, that chance may add to it.
	RestartJitter float64 `json:",omitempty"`

	MaxRestarts int // restarts before giving up; 0 = no limit
	// RestartWindow makes MaxRestarts the most restarts within any time of this length; 0 = all
	// restarts count until they are forgiven, see RestartReset.
	RestartWindow time.Duration `json:",omitempty"`
	// RestartReset is how long a program must stay up for its restarts in a row to be
	// forgiven; 0 = never.
	RestartReset time.Duration
	// RestartCooldown is the time after which a program that has used up its restarts is tried
	// again; 0 = never.
	RestartCooldown time.Duration `json:",omitempty"`

	// Oneshot is a program that is there to end: it never starts again when it ended well, and
	// neither StartPeriod nor RestartReset apply to it.
	Oneshot bool `json:",omitempty"`
	// MaxAge is how long a run may last before it is replaced by another one; 0 = no limit.
	MaxAge time.Duration `json:",omitempty"`
	// MaxAgeSpread is the share of MaxAge, 0 to 1, that chance may take off, so that programs
	// that were started together are not replaced together.
	MaxAgeSpread float64 `json:",omitempty"`

	// Success are the exit statuses and signals that count as ending well; empty = status 0.
	// systemd counts SIGTERM, SIGHUP, SIGINT and SIGPIPE as success too
	// (systemd.service(5), SuccessExitStatus=); here only those named do.
	Success ExitSet `json:",omitzero"`
	// RestartOn are ends it is started again after, whatever Autorestart says.
	RestartOn ExitSet `json:",omitzero"`
	// RestartNeverOn are ends it is never started again after, whatever the other rules say.
	RestartNeverOn ExitSet `json:",omitzero"`
	OnOOM          OOMRule `json:",omitempty"`

	// StartPeriod is how long a unit must have been active to count as started; 0 = at once.
	StartPeriod time.Duration `json:",omitempty"`
	// Ready says what a probe waits for before the program counts as started, in words
	// ("http://127.0.0.1:8080/"); "" = it counts as started without a probe.
	Ready string `json:",omitempty"`
	// ReadyTimeout is how long a unit may have been active without being ready; 0 = no limit.
	ReadyTimeout time.Duration `json:",omitempty"`
	// StartRetries, if it is set, makes every end before StartPeriod a failed start, however it
	// ended, and says how many are tried again in a row. They are no restarts.
	StartRetries *int `json:",omitempty"`
	// StartRetryDelays are the times between a failed start and the next; the last one
	// repeats. Empty = as those of restarts.
	StartRetryDelays []time.Duration `json:",omitempty"`

	// Awaits is what starts the program instead of a request, in words ("*-*-* 03:00"); "" =
	// nothing does. A request starts it too.
	Awaits string `json:",omitempty"`
}

// Phase is the state of a program as users see it.
type Phase string

const (
	Stopped  Phase = "STOPPED"  // not started, or stopped on request
	Starting Phase = "STARTING" // a start job is under way, or it is not ready or has not been up for long enough
	Running  Phase = "RUNNING"
	Backoff  Phase = "BACKOFF"  // waits for its next start
	Stopping Phase = "STOPPING" // a stop job is under way
	Exited   Phase = "EXITED"   // ended well and is not wanted again
	Failed   Phase = "FAILED"   // ended badly and is not started again, or after RestartCooldown only
	Killed   Phase = "KILLED"   // as Failed, after the kernel or systemd ended it for a limit
)

// Phases lists every phase in the order of a program's life.
var Phases = []Phase{Stopped, Starting, Running, Backoff, Stopping, Exited, Failed, Killed}

// Up reports whether a unit of the program may exist in this phase.
func (p Phase) Up() bool { return p == Starting || p == Running || p == Stopping }

// GaveUp reports whether the program ended badly and its restarts are over.
func (p Phase) GaveUp() bool { return p == Failed || p == Killed }

// Settled reports whether the program stays in this phase unless something happens to it,
// be it that a cooldown is over.
func (p Phase) Settled() bool {
	return p == Stopped || p == Running || p == Exited || p == Failed || p == Killed
}
