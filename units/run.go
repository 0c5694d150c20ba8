package units

import (
	"strings"
	"time"

	"msup/policy"
)

// program is one program in the loop.
type program struct {
	def   Program // in force
	live  string  // stands for the limits of def, see liveDigest
	state policy.State
	underway

	// Who it depends on, and who on it.
	needs      []edge
	dependents []*program
	joints     Joints

	unit   string // of the run under way, or of the last one
	digest string // of the definition it was started by
	failed bool   // systemd keeps a failed unit of an earlier run loaded

	applied string // the limits that the unit of the run has, as live
	refused string // the same that systemd did not take
	// has are the live properties that the unit of the run has; nil = not known.
	has []Property
	// conforming: the unit's limits are being changed.
	conforming bool

	ended    string // invocation ID of the run that ended last: what else is said of it is old news
	result   string // systemd's Result of that end
	attempt  int    // counts starts, so that an answer to an older one is known as such
	startJob string // how the start job ended, "" = has not
	watched  uint32 // the main process that Config.Watch was told of

	touched bool // in Supervisor.touched
	// alone: it is being started without what it depends on.
	alone bool
	// stuck: it waits for one that is down, which was told.
	stuck bool
	// fell: its run was over in this turn, or is being ended since.
	fell bool
	// dropping: the project no longer has it. It goes when it has come to rest.
	dropping bool

	wish    wish // what systemd has not been asked yet
	queued  bool // in Supervisor.queue
	calling bool // a call is on its way; the next wish waits for its answer
	// lookAgain: what was read while the call was on its way may be old.
	lookAgain bool
	slot      bool // holds one of the slots

	listening bool          // its output is looked at for a line
	lines     []lineRequest // lines that came before systemd has said that it was executed

	ready, alive probing

	companions []*companion // its own
	beside     []string     // those that are there, see SavedProgram
	times      times
	pin        pin
	idle       idling
}

// underway is what is known of the run that the state speaks of. Nothing of it is left when
// that ends.
type underway struct {
	invocation string // "" until systemd has told it
	pid        uint32 // main process
	scope      scopeRun
	// exit is how the main process has ended, while the unit is being unloaded.
	exit *policy.Exit
	// condemned: systemd ends it because its time is over (RuntimeMaxSec=).
	condemned bool
	// activated: systemd has started it, because of a connection.
	activated bool
	// stopSeen: somebody else is stopping it; perhaps to start it again.
	stopSeen bool

	said  string // what the program has told systemd last (STATUS=)
	heard string // the line by which it is ready, printable; "" = not yet

	// What is told of it when it has ended.
	started  time.Time // its main process; zero = not known
	facts    *Facts    // what systemd said of its end
	used     *Use      // as it was at its end; nil = runs
	oomKills uint64    // processes killed for memory that were told of
	oomAt    time.Time
	sent     *SentSignal // the last one on request
	blame    Blame       // whose limit it was killed for
}

// wish is what a program wants of systemd next. A later one replaces an earlier one that
// was not sent yet.
type wish int

const (
	noWish wish = iota
	wishStart
	wishStop
	wishReset
)

func newProgram(def Program) *program {
	return &program{
		ready: probing{of: "ready"}, alive: probing{of: "alive"},
		def: def, live: liveDigest(def), unit: def.Unit,
		state: policy.State{Phase: policy.Stopped, Reason: "not started yet"},
	}
}

// scoped reports whether the run is one of a scope.
func (p *program) scoped() bool { return strings.HasSuffix(p.unit, "."+string(Scope)) }

// over reports whether the main process of the run has ended, though its unit is still there.
func (p *program) over() bool { return p.exit != nil || p.scope.exited }

// changed reports whether p runs by another definition than the one it would be started by.
func (p *program) changed() bool {
	return p.state.Phase.Up() && p.digest != "" && p.digest != p.def.Digest
}

// due is the deadline of p. A run that has ended stays up no longer, though its unit may be
// there for a while.
func (p *program) due() time.Time {
	if p.state.Phase.Up() && p.over() {
		return time.Time{}
	}
	return p.state.Deadline
}

// knew reports whether an earlier supervisor had the program.
func (s *Supervisor) knew(p *program) bool {
	if s.cfg.Saved == nil {
		return false
	}
	_, ok := s.cfg.Saved.Programs[p.def.Name]
	return ok
}
