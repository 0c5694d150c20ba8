package units

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"
)

// Config is what a supervisor works with. Bus and Project are required.
type Config struct {
	Project Project
	Bus     Bus
	// Output says where a program's standard streams go: FIFOs, "" = the journal. It is called
	// behind Prepare.
	Output func(program string) (stdout, stderr string)
	// Prepare is called before each start of the program, not by the loop: it may wait. Its
	// error is a failed start. From then on the output is looked at for the line that makes the
	// program ready, if there is one, and [Supervisor.Heard] told of it with that attempt.
	Prepare func(def Program, attempt int) error
	// Listen changes which line that is; Unlisten says that there is none any more. They are
	// called by the loop and must not block.
	Listen   func(def Program, attempt int)
	Unlisten func(program string)
	// Forker starts the processes of scopes.
	Forker Forker
	// Watch tells that a program is up with this main process, so that Use can answer
	// later. Both are called by the loop and must not block.
	Watch func(unit string, pid uint32)
	// Use returns what the run with this main process has used.
	Use func(unit string, pid uint32) Use
	// Ended tells that a run of the program is over, and the number of that end. It must
	// not block.
	Ended func(program string, n int)
	// Blame tells whose limit was met when the unit lost a process for memory. It is called
	// by the loop and must not block.
	Blame func(unit string) Blame
	// Holder says who has the address that systemd cannot listen on, "nginx (PID 12)"; "" = it is
	// not known. It is not called by the loop.
	Holder func(Address) string
	// Connections counts the connections to addresses, and says when the last of those that are
	// over ended, zero = it is not known. It is not called by the loop. nil = no idle_stop holds.
	Connections func([]Address) (open int, last time.Time, err error)
	// Probe asks a program; nil = nobody is asked. It is not called by the loop.
	Probe ProbeFunc
	// ProbeDir is a folder for the output of commands that probe; "" = it is lost.
	ProbeDir string
	// Dropped tells that the project no longer has the program, which has come to rest. It
	// must not block.
	Dropped func(program string)
	// Log takes every record, in order. It must not block.
	Log func(Record)
	// Save writes down a change, so that a supervisor that takes over at any moment from then
	// on knows it; all returns everything, to begin anew with. It is called by the loop
	// before it acts on the change, so it must be quick.
	Save func(c Change, all func() Saved) error
	// Saved is what the supervisor before this one left behind, nil = nothing.
	Saved *Saved
	// Alive is called while the loop turns, at least every AliveEvery. nil = nobody wants to
	// know.
	Alive      func()
	AliveEvery time.Duration
}

// Supervisor keeps the programs of a project as their policy wants them. One goroutine,
// [Supervisor.Run], owns all its state: everything else sends it messages. The loop never
// waits for the bus or for a file; what takes time is done by goroutines that send back a
// result.
type Supervisor struct {
	cfg      Config
	programs []*program // in the order of the configuration
	byName   map[string]*program
	byUnit   map[string]*program

	requests chan request
	answers  chan func()   // of effects
	done     chan struct{} // closed when Run has returned

	// All below belongs to Run.
	ctx         context.Context
	seq         uint64
	watchers    map[chan Record]struct{}
	connected   bool
	ready       bool          // the units have been looked at since the connection came
	begun       bool          // the programs that start by themselves have been started
	downKept    bool          // down is written down
	down        bool          // everything is being stopped for good
	cleaning    bool          // the last step of going down is under way
	over        error         // why Run shall return
	queue       []*program    // programs with a wish for systemd, first come first served
	lastStop    chan struct{} // closed when systemd has been told of the last stop
	slots       int           // start and stop jobs that systemd has not finished
	touched     []*program    // changed since it was last written down
	fresh       []Record      // the same of records
	freshEnds   []End         // … of ends
	freshOutput []EndOutput   // … of where their output stands
	dropped     []string      // programs that are no more, the same
	// definitions are the settings that runs were started by, by digest; newDefinitions are
	// those that are not written down yet.
	definitions, newDefinitions map[string][]Setting
	later                       []func() // what is to be done when it is
	saveErr                     error    // of the last time
	history                     history
	ends                        ends
	aliveAt                     time.Time

	probes map[string]chan Facts // by the units that run commands of probes
	execs  chan struct{}         // holds one for each of them that systemd is asked to run

	actions []*action // due or under way

	// shared are the companions of the project, its own slice first; leftovers those that an
	// earlier supervisor has left behind.
	shared, leftovers []*companion

	// ordered are the programs, what is depended on first.
	ordered []*program
}

// ErrDown is returned by Run when everything was stopped as asked.
var ErrDown = errors.New("the project is down")

// New returns a supervisor; Run makes it work.
func New(cfg Config) *Supervisor {
	s := &Supervisor{
		cfg:      cfg,
		byName:   map[string]*program{},
		byUnit:   map[string]*program{},
		requests: make(chan request),
		answers:  make(chan func()),
		done:     make(chan struct{}),
		watchers: map[chan Record]struct{}{},
		history:  history{},
		probes:   map[string]chan Facts{}, execs: make(chan struct{}, probesAtOnce),
		ends: ends{},

		definitions: map[string][]Setting{}, newDefinitions: map[string][]Setting{},
	}
	if cfg.Saved != nil {
		maps.Copy(s.definitions, cfg.Saved.Definitions)
		s.history = newHistory(cfg.Saved.Records)
		s.ends = newEnds(cfg.Saved.Ends)
		s.down, s.downKept = cfg.Saved.Down, cfg.Saved.Down
		if n := len(cfg.Saved.Records); n > 0 {
			s.seq = cfg.Saved.Records[n-1].Seq
		}
	}
	for _, def := range cfg.Project.Programs {
		p := newProgram(def)
		if cfg.Saved != nil {
			if old, ok := cfg.Saved.Programs[def.Name]; ok {
				p.state = def.Rules.Bound(old.State, time.Now())
				p.invocation, p.ended, p.result, p.pid = old.Invocation, old.Ended, old.Result, old.PID
				p.exit, p.digest, p.applied = old.Exit, def.digestNow(old.Digest), old.Applied
				p.unit, p.dropping = cmp.Or(old.Unit, p.unit), old.Dropping && def.Removed
				p.alone, p.beside = old.Alone, old.Beside
				if old.Times != nil {
					p.times.SavedTimes = *old.Times
				}
				p.pin.digest = def.digestNow(old.Paired)
				p.started, p.oomKills, p.oomAt, p.sent = old.Started, old.OOMKills, old.OOMAt, old.Sent
				p.listening = p.awaits()
				for _, a := range old.Actions {
					s.actions = append(s.actions, &action{SavedAction: a, p: p})
				}
			}
		}
		s.programs = append(s.programs, p)
		s.byName[def.Name] = p
		s.byUnit[p.unit] = p
	}
	s.useNeeds()
	s.useSlices(cfg.Project)
	return s
}
