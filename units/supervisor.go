package units

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"msup/policy"
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

// program is one program in the loop.
type program struct {
	def   Program // in force
	live  string  // stands for the limits of def, see liveDigest
	state policy.State

	unit    string // of the run under way, or of the last one
	applied string // the limits that the unit of the run has, as live
	refused string // the same that systemd did not take
	// has are the live properties that the unit of the run has; nil = not known.
	has []Property
	// conforming: the unit's limits are being changed.
	conforming bool
	needs      []edge
	dependents []*program
	joints     Joints
	// alone: it is being started without what it depends on.
	alone bool
	// stuck: it waits for one that is down, which was told.
	stuck bool
	// fell: its run was over in this turn, or is being ended since.
	fell bool
	// dropping: the project no longer has it. It goes when it has come to rest.
	dropping bool

	invocation string // of the run the state speaks of; "" until systemd has told it
	ended      string // of the run that ended last: what else is said of it is old news
	pid        uint32 // main process
	watched    uint32 // the one that Config.Watch was told of
	result     string // systemd's Result of the last end
	startJob   string // how the start job ended, "" = has not
	failed     bool   // systemd keeps a failed unit of an earlier run loaded
	attempt    int    // counts starts, so that an answer to an older one is known as such
	digest     string // of the definition the run was started by
	touched    bool   // in Supervisor.touched
	// exit is how the main process of the run has ended, while its unit is being unloaded.
	exit *policy.Exit
	// condemned: systemd ends the run because its time is over (RuntimeMaxSec=).
	condemned bool

	// What is told of the run when it has ended.
	started  time.Time // its main process; zero = not known
	facts    *Facts    // what systemd said of its end
	used     *Use      // as it was at its end; nil = runs
	oomKills uint64    // processes killed for memory that were told of
	oomAt    time.Time
	sent     *SentSignal // the last one on request
	blame    Blame       // whose limit it was killed for

	said string // what the program has told systemd last (STATUS=)

	listening bool          // its output is looked at for a line
	heard     string        // that line, printable; "" = not yet
	lines     []lineRequest // lines that came before systemd has said that it was executed

	wish    wish // what systemd has not been asked yet
	queued  bool // in Supervisor.queue
	calling bool // a call is on its way; the next wish waits for its answer
	// lookAgain: what was read while the call was on its way may be old.
	lookAgain bool
	slot      bool // holds one of the slots

	scope scopeRun

	ready, alive probing

	companions []*companion // its own
	times      times
	pin        pin
	idle       idling
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
				p.alone = old.Alone
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

func newProgram(def Program) *program {
	return &program{
		ready: probing{of: "ready"}, alive: probing{of: "alive"},
		def: def, live: liveDigest(def), unit: def.Unit,
		state: policy.State{Phase: policy.Stopped, Reason: "not started yet"},
	}
}

// scoped reports whether the run is one of a scope.
func (p *program) scoped() bool { return strings.HasSuffix(p.unit, "."+string(Scope)) }

// Run is the loop. It returns [ErrDown] after a [Down] command has been carried out, or
// ctx's error; the programs run on then.
func (s *Supervisor) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(s.done)
	defer s.dismiss()
	s.ctx = ctx
	s.aliveAt = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.wind(timer)
		requests := s.requests
		if !s.begun {
			requests = nil // before it has looked, what it would answer may be wrong
		}
		select {
		case ev, ok := <-s.cfg.Bus.Events():
			if !ok {
				return fmt.Errorf("cannot go on: %w", ErrDisconnected)
			}
			s.onBus(ev)
		case answer := <-s.answers:
			answer()
		case r := <-requests:
			r.serve(s)
		case now := <-timer.C:
			s.onTime(now)
		case <-ctx.Done():
			return ctx.Err()
		}
		s.follow()
		s.descend()
		s.sweep()
		s.settle()
		if s.over != nil {
			return s.over
		}
	}
}

// wind sets the timer to the earliest thing that is due.
func (s *Supervisor) wind(timer *time.Timer) {
	var next time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.ready {
		for _, p := range s.programs {
			earlier(p.due())
			earlier(p.nextProbe())
			earlier(p.idle.due)
		}
	}
	if s.cfg.Alive != nil {
		earlier(s.aliveAt)
	}
	if next.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(time.Until(next))
}

// due is the deadline of p. A run that has ended stays up no longer, though its unit may be
// there for a while.
func (p *program) due() time.Time {
	if p.state.Phase.Up() && p.over() {
		return time.Time{}
	}
	return p.state.Deadline
}

func (s *Supervisor) onTime(now time.Time) {
	if s.ready {
		for _, p := range s.programs {
			if d := p.due(); !d.IsZero() && !d.After(now) {
				s.step(p, policy.DeadlineReached{Probe: p.lastProbe()})
			}
			s.probeDue(p, now)
			s.idleDue(p, now)
		}
	}
	if s.cfg.Alive != nil && !s.aliveAt.After(now) {
		s.cfg.Alive()
		s.aliveAt = now.Add(s.cfg.AliveEvery)
	}
}

// step feeds one event to the policy and carries out what it decides.
func (s *Supervisor) step(p *program, ev policy.Event) {
	before := p.state
	now := time.Now()
	state, action := policy.Step(p.def.Rules, p.state, ev, now)
	p.state = state
	p.alone = p.alone && state.Phase.Up() && !state.IsActive()
	p.fell = p.fell || before.IsActive() && !state.IsActive()
	if state.Phase != before.Phase {
		s.changed(p, before.Phase)
	} else if state.Armed != before.Armed {
		s.armed(p, ev)
	}
	if p.slot && state.IsActive() {
		s.release(p) // its job is done, though it may have to stay up to count as started
	}
	if !state.Equal(before) {
		s.touch(p)
	}
	s.attend(p)
	s.listen(p)
	s.watchIdle(p)
	switch action {
	case policy.StartUnit:
		p.attempt++
		p.startJob = ""
		s.recheckSockets(p)
		s.startBy(p)
		s.want(p, wishStart)
	case policy.StopUnit:
		s.abortScope(p)
		s.want(p, wishStop)
	case policy.ResetUnit:
		s.want(p, wishReset)
	}
	if state.Phase == policy.Backoff && !state.Deadline.After(now) && s.ready {
		// Without a delay there is nothing to wait for.
		s.step(p, policy.DeadlineReached{})
	}
}

func (s *Supervisor) changed(p *program, from policy.Phase) {
	if p.slot && p.state.Phase != policy.Starting && p.state.Phase != policy.Stopping {
		s.release(p)
	}
	r := Record{
		Program: p.def.Name, Unit: p.unit, From: from, To: p.state.Phase, Reason: p.state.Reason, Next: p.state.NextStart(), Armed: p.state.Armed,
	}
	p.stuck = false
	if waits := p.unmet(); len(waits) > 0 && p.state.Phase == policy.Starting {
		r.Reason += ", " + waitWords(waits)
		p.stuck = stuck(waits)
	}
	r.Stuck = p.stuck
	s.record(r)
	s.trigger(p, from)
}

// begin starts the programs that start by themselves, once.
func (s *Supervisor) begin() {
	if s.begun {
		return
	}
	s.begun = true
	takesOver := s.cfg.Saved != nil && !s.cfg.Saved.Anew
	running := 0
	for _, p := range s.programs {
		if p.state.IsActive() && p.exit == nil {
			running++
		}
	}
	for _, p := range s.ordered {
		p.stuck = stuck(p.waits()) // which was told before
	}
	var start []*program
	for _, p := range s.programs {
		if takesOver && s.knew(p) && !s.down {
			s.rearm(p, s.cfg.Saved.Programs[p.def.Name].Awaits, "taken over")
		}
		switch {
		case s.down:
		case p.def.Autostart && p.state.Phase == policy.Stopping && takesOver && s.cfg.Saved.Programs[p.def.Name].Dropping && !p.dropping:
			s.autostart(p, "it is in the configuration again")
		case p.state.Phase != policy.Stopped || (takesOver && s.knew(p)):
		case takesOver && !s.cfg.Saved.Damaged:
			// Taking over starts nothing that did not run.
			p.state.Reason = "added to the configuration since, and not started"
			s.touch(p)
		case p.def.Autostart:
			start = append(start, p)
		}
	}
	s.autostartAll(start, "autostart")
	text := fmt.Sprintf("supervises %s of %s", count(len(s.programs)), s.cfg.Project.File)
	if running > 0 {
		text += fmt.Sprintf(", has taken over %d that run", running)
	}
	s.note(nil, "%s", text)
	if s.down {
		// The supervisor before this one was killed on the way.
		s.stopAll("project going down")
	}
}

// autostartAll starts programs that start by themselves, and what they depend on.
func (s *Supervisor) autostartAll(programs []*program, by string) {
	var now []*program
	for _, p := range programs {
		if p.def.Rules.Awaits == "" {
			now = append(now, p)
		} else {
			s.autostart(p, by)
		}
	}
	s.startWith(now, func(p *program) { s.autostart(p, by) }, by)
}

// autostart starts a program that starts by itself, or has that done by what it awaits.
func (s *Supervisor) autostart(p *program, by string) {
	if p.def.Rules.Awaits != "" {
		s.step(p, policy.ArmRequested{By: by})
		return
	}
	s.step(p, policy.StartRequested{By: by})
}

// over reports whether the main process of the run has ended, though its unit is still there.
func (p *program) over() bool { return p.exit != nil || p.scope.exited }

// changed reports whether p runs by another definition than the one it would be started by.
func (p *program) changed() bool {
	return p.state.Phase.Up() && p.digest != "" && p.digest != p.def.Digest
}

// knew reports whether an earlier supervisor had the program.
func (s *Supervisor) knew(p *program) bool {
	if s.cfg.Saved == nil {
		return false
	}
	_, ok := s.cfg.Saved.Programs[p.def.Name]
	return ok
}

func count(n int) string {
	if n == 1 {
		return "1 program"
	}
	return fmt.Sprintf("%d programs", n)
}

// stopAll asks for the stop of every program, the last one first, and what depends on others
// before them.
func (s *Supervisor) stopAll(by string) {
	for _, p := range slices.Backward(s.ordered) {
		s.step(p, policy.StopRequested{By: by})
	}
}

// descend takes the last step of going down when no program is up any more.
func (s *Supervisor) descend() {
	if !s.down || s.cleaning || !s.ready {
		return
	}
	for _, p := range s.touched {
		s.accompany(p)
	}
	if s.companionsAsked() {
		return
	}
	for _, p := range s.programs {
		if p.state.Phase.Up() || p.calling || p.wish != noWish {
			return
		}
	}
	if slices.ContainsFunc(s.actions, func(a *action) bool { return a.calling }) {
		return // what is started behind it would be left
	}
	s.cleaning = true
	bus, project := s.cfg.Bus, s.cfg.Project
	s.do(func(ctx context.Context) func() {
		err := cleanUp(ctx, bus, project)
		for errors.Is(err, ErrDisconnected) && ctx.Err() == nil {
			// A daemon-reexec cuts the connection, which comes back by itself.
			waitFor(ctx, cleanAgainDelay)
			err = cleanUp(ctx, bus, project)
		}
		return func() {
			if err != nil {
				s.note(nil, "cannot clean up everything: %v", err)
			}
			s.over = ErrDown
		}
	})
}
