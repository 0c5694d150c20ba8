package units

import (
	"fmt"
	"time"

	"msup/policy"
)

// Record is one line of the transition log: a program that changed its phase, or a fact
// worth telling that changed none (From and To are empty then).
type Record struct {
	Seq     uint64       `json:"seq"` // counts up from 1, over all supervisors of a project
	Time    time.Time    `json:"time"`
	Program string       `json:"program,omitempty"` // "" = the supervisor itself
	Unit    string       `json:"unit,omitempty"`
	From    policy.Phase `json:"from,omitempty"`
	To      policy.Phase `json:"to,omitempty"`
	Reason  string       `json:"reason"`
	// Next is when the program is started again, zero = it is not waiting for that.
	Next time.Time `json:"next,omitzero"`
	// Armed says that the program may be started by what it awaits.
	Armed bool `json:"armed,omitempty"`
	// Stuck says that it waits for a program which is down, and is started only on request.
	Stuck bool `json:"stuck,omitempty"`
}

// String is the record without its time: "web STARTING -> RUNNING: started".
func (r Record) String() string {
	who := r.Program
	if who == "" {
		who = "msup"
	}
	if r.To == "" {
		return fmt.Sprintf("%s: %s", who, r.Reason)
	}
	return fmt.Sprintf("%s %s -> %s: %s", who, r.From, r.To, r.Reason)
}

// Status is one program at one moment, as the supervisor knows it without asking anybody.
type Status struct {
	Name       string       `json:"name"`
	Unit       string       `json:"unit"`
	State      policy.State `json:"state"`
	PID        uint32       `json:"pid"`        // main process; 0 = none
	Invocation string       `json:"invocation"` // of the run under way; "" = none
	Result     string       `json:"result"`     // systemd's Result of the last end; "" = none yet
	// Changed says that it runs by an older definition than the configuration's; Removed,
	// that the configuration no longer has it.
	Changed bool `json:"changed,omitempty"`
	Removed bool `json:"removed,omitempty"`

	// Oneshot says that it is done when it has ended well.
	Oneshot bool `json:"oneshot,omitempty"`
	// WaitsFor is what it waits for before it is started.
	WaitsFor []Wait `json:"waits_for,omitempty"`
	// Probes are what probes of the run under way have said, as far as this supervisor knows.
	Probes []ProbeStatus `json:"probes,omitempty"`
	// Actions are those due or under way.
	Actions []SavedAction `json:"actions,omitempty"`
	// Said is what the program has told systemd last (STATUS=, sd_notify(3)); "" = nothing.
	Said string `json:"said,omitempty"`

	// Schedule is when it runs; nil = it has none.
	Schedule *ScheduleStatus `json:"schedule,omitempty"`
	// Opening says that a connection is to start it, and systemd does not listen for that yet, or by
	// an older definition.
	Opening bool `json:"opening,omitempty"`

	// Pending says that its unit is getting other limits right now.
	Pending bool `json:"pending,omitempty"`

	// Program is the definition in force, by which it is judged and would be started.
	Program Program `json:"-"`
	// Leaving says that the project no longer has it, and that it is being stopped for that.
	Leaving bool `json:"-"`
	// Started are the settings that the run under way was started by, of those that need a
	// restart; nil = no run, or not known.
	Started []Setting `json:"-"`
	// Digest is [Program.Digest] of the definition that the run under way was started by, or of
	// the one in force.
	Digest string `json:"-"`
	// Unseen is its last end, if that was found by [Unsupervised].
	Unseen *End `json:"-"`
}

// Snapshot is all programs at one moment, in the order of the configuration.
type Snapshot struct {
	Seq       uint64 `json:"seq"` // of the last record before it
	Connected bool   `json:"connected"`
	Ready     bool   `json:"ready"` // has looked at systemd and acts
	Down      bool   `json:"down"`  // everything is being stopped for good
	// Also are programs that a command has concerned beside those it named: what they depend on,
	// or what depends on them.
	Also     []string `json:"also,omitempty"`
	Programs []Status `json:"programs"`
}

// Saved is what a supervisor writes down for the next one, and for commands that find no
// supervisor running.
type Saved struct {
	Version  int                     `json:"version"`
	Project  string                  `json:"project"`
	File     string                  `json:"file"` // the configuration
	Programs map[string]SavedProgram `json:"programs,omitempty"`
	Records  []Record                `json:"records,omitempty"` // the last ones of each program, in order
	Ends     []End                   `json:"ends,omitempty"`    // the last ones of each program, those of one in order
	Down     bool                    `json:"down,omitempty"`    // everything is being stopped for good
	// Definitions are the settings that runs were started by, by [Program.Digest].
	Definitions map[string][]Setting `json:"definitions,omitempty"`

	// Damaged says that something is missing, because it could not be read.
	Damaged bool `json:"-"`
	// Anew says that what starts by itself shall be up, as if nothing had been before: the
	// supervisor that wrote this did not come back, and a new one is asked for.
	Anew bool `json:"-"`
}

// SavedVersion is the version of the format of [Saved] and [Change].
const SavedVersion = 2

// Change is what one turn of the loop has changed in [Saved].
type Change struct {
	Programs map[string]SavedProgram `json:"programs,omitempty"`
	Records  []Record                `json:"records,omitempty"`
	Ends     []End                   `json:"ends,omitempty"`
	Output   []EndOutput             `json:"output,omitempty"` // of ends that were told before
	Down     bool                    `json:"down,omitempty"`
	// Dropped are programs that the project no longer has.
	Dropped     []string             `json:"dropped,omitempty"`
	Definitions map[string][]Setting `json:"definitions,omitempty"` // new ones
}

// SavedProgram is the part of one program's state that systemd does not know.
type SavedProgram struct {
	State      policy.State `json:"state"`
	Invocation string       `json:"invocation"` // of the run the state speaks of
	Ended      string       `json:"ended"`      // of the run that ended last
	Result     string       `json:"result"`
	// PID of the main process. For a scope's nobody else knows it; that of a service is
	// shown until systemd has been asked.
	PID uint32 `json:"pid,omitempty"`
	// Exit is how the run under way has ended; its unit is being unloaded. nil = has not.
	Exit *policy.Exit `json:"exit,omitempty"`
	// Digest is [Program.Digest] of the definition the run was started by.
	Digest string `json:"digest,omitempty"`
	// Unit of the run under way; "" = that of the definition.
	Unit string `json:"unit,omitempty"`
	// Dropping: the project no longer has it, and it is forgotten when it has come to rest.
	Dropping bool `json:"dropping,omitempty"`
	// Alone: it is being started without what it depends on.
	Alone bool `json:"alone,omitempty"`
	// Applied stands for the limits that the unit of the run has, see [LiveProperties].
	Applied string `json:"applied,omitempty"`
	// Paired is [Program.Digest] of the definition that its sockets and its service were made by;
	// "" = it has none.
	Paired string `json:"paired,omitempty"`
	// Started is when the main process of the run was started; zero = not known.
	Started time.Time `json:"started,omitzero"`
	// OOMKills is how many processes of the run under way were killed for memory, the last
	// ones at OOMAt or a second before; its main process lives on.
	OOMKills uint64    `json:"oom_kills,omitempty"`
	OOMAt    time.Time `json:"oom_at,omitzero"`
	// Sent is the last signal that was sent to the run on request.
	Sent *SentSignal `json:"sent,omitempty"`
	// Awaits is what it awaited, see [policy.Rules].
	Awaits string `json:"awaits,omitempty"`
	// Beside are its timer and its sockets, by their units, as far as they are there and it was not
	// asked since to make them anew or to remove them.
	Beside []string `json:"beside,omitempty"`
	// Times is what the times of its schedule have come to; nil = none has come yet.
	Times *SavedTimes `json:"times,omitempty"`
	// Actions are those that are due or under way.
	Actions []SavedAction `json:"actions,omitempty"`
}
