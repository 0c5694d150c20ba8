package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"msup/policy"
)

// Verb is what a command asks of a supervisor.
type Verb string

const (
	Start Verb = "start"
	// Arm starts programs as msup up does: those that await something wait for that.
	Arm     Verb = "arm"
	Stop    Verb = "stop"
	Restart Verb = "restart"
	Signal  Verb = "signal" // send Command.Signal to the main process
	// ReloadProgram has systemd run the reload_command.
	ReloadProgram Verb = "reload-program"
	Down          Verb = "down" // stop everything and end
	Kill          Verb = "kill" // SIGKILL everything that is being stopped
)

// Command asks a supervisor to do something. It is answered when the policy has decided,
// not when systemd is done: watch the records that follow. A signal has been sent, and
// a reload is done.
type Command struct {
	Verb     Verb     `json:"verb"`
	Programs []string `json:"programs,omitempty"` // names as configured; empty = all
	Signal   int32    `json:"signal,omitempty"`
	By       string   `json:"by,omitempty"` // who asks, for the reason: "msup stop"
	// NoDeps has programs started without what they depend on, which is neither started nor
	// waited for.
	NoDeps bool `json:"no_deps,omitempty"`
	// Dependents has what depends on the programs, and is up, stopped or restarted with them.
	Dependents bool `json:"dependents,omitempty"`
}

// UnknownProgramError says that the configuration has no program of that name.
type UnknownProgramError struct{ Name string }

func (e UnknownProgramError) Error() string { return fmt.Sprintf("no program %q", e.Name) }

// request is a message to the loop.
type request interface{ serve(*Supervisor) }

type commandRequest struct {
	cmd   Command
	reply chan commandReply
}

type commandReply struct {
	snap Snapshot
	err  error
}

type snapshotRequest struct{ reply chan Snapshot }

type watchRequest struct {
	records chan Record
	reply   chan Snapshot
}

type unwatchRequest struct{ records chan Record }

type noteRequest struct{ program, text string }

// send hands r to the loop, unless that has ended.
func (s *Supervisor) send(ctx context.Context, r request) error {
	select {
	case s.requests <- r:
		return nil
	case <-s.done:
		return ErrDown
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do carries out a command and returns the programs as they are right after it.
func (s *Supervisor) Do(ctx context.Context, cmd Command) (Snapshot, error) {
	r := commandRequest{cmd, make(chan commandReply, 1)}
	if err := s.send(ctx, r); err != nil {
		return Snapshot{}, err
	}
	return s.answer(ctx, r.reply)
}

// answer waits for the loop's answer. One that is there counts, although the supervisor has
// ended right behind it.
func (s *Supervisor) answer(ctx context.Context, reply chan commandReply) (Snapshot, error) {
	err := ErrDown
	select {
	case r := <-reply:
		return r.snap, r.err
	case <-s.done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	select {
	case r := <-reply:
		return r.snap, r.err
	default:
		return Snapshot{}, err
	}
}

// Snapshot returns the programs as they are.
func (s *Supervisor) Snapshot(ctx context.Context) (Snapshot, error) {
	r := snapshotRequest{make(chan Snapshot, 1)}
	if err := s.send(ctx, r); err != nil {
		return Snapshot{}, err
	}
	return <-r.reply, nil
}

// Watch returns the programs as they are and a channel of every record from then on,
// until ctx ends. The channel is closed early when its reader does not keep up: watch
// again then.
func (s *Supervisor) Watch(ctx context.Context) (Snapshot, <-chan Record, error) {
	r := watchRequest{make(chan Record, 4096), make(chan Snapshot, 1)}
	if err := s.send(ctx, r); err != nil {
		return Snapshot{}, nil, err
	}
	context.AfterFunc(ctx, func() { _ = s.send(context.Background(), unwatchRequest{r.records}) })
	return <-r.reply, r.records, nil
}

// Note writes a fact about a program ("" = the supervisor) into the transition log.
func (s *Supervisor) Note(program, text string) {
	_ = s.send(context.Background(), noteRequest{program, text})
}

func (r snapshotRequest) serve(s *Supervisor) { r.reply <- s.snapshot() }

func (r watchRequest) serve(s *Supervisor) {
	s.watchers[r.records] = struct{}{}
	r.reply <- s.snapshot()
}

func (r unwatchRequest) serve(s *Supervisor) {
	if _, ok := s.watchers[r.records]; ok {
		delete(s.watchers, r.records)
		close(r.records)
	}
}

func (r noteRequest) serve(s *Supervisor) { s.note(s.byName[r.program], "%s", r.text) }

func (r commandRequest) serve(s *Supervisor) {
	programs, err := s.chosen(r.cmd.Verb, r.cmd.Programs)
	var also []string
	switch {
	case err != nil:
	case r.cmd.Verb == Signal:
		if err = s.signal(programs, r); err == nil {
			return // it is answered when the signals are sent
		}
	case r.cmd.Verb == ReloadProgram:
		if err = s.reload(programs, r); err == nil {
			return // it is answered when the commands have ended
		}
	default:
		also, err = s.command(r.cmd, programs)
	}
	s.reply(r, err, also...)
}

// chosen finds programs by name; no names mean all. One that is being removed is there no
// more for who wants to start it.
func (s *Supervisor) chosen(verb Verb, names []string) ([]*program, error) {
	here := func(p *program) bool {
		return p != nil && (!p.dropping || verb != Start && verb != Arm && verb != Restart)
	}
	var programs []*program
	for _, name := range names {
		p := s.byName[name]
		if !here(p) {
			return nil, UnknownProgramError{name}
		}
		programs = append(programs, p)
	}
	if len(names) > 0 {
		return programs, nil
	}
	for _, p := range s.programs {
		if here(p) {
			programs = append(programs, p)
		}
	}
	return programs, nil
}

func (s *Supervisor) snapshot() Snapshot {
	snap := Snapshot{Seq: s.seq, Connected: s.connected, Ready: s.ready && s.begun, Down: s.down, Programs: make([]Status, len(s.programs))}
	for i, p := range s.programs {
		pid := p.pid
		if p.over() {
			pid = 0
		}
		snap.Programs[i] = Status{
			Name: p.def.Name, Unit: p.unit, State: p.waiting(), Probes: p.probeStatuses(),
			PID: pid, Invocation: p.invocation, Said: said(p.said), Actions: s.saveActions(p), Result: p.result, Changed: p.changed(), Removed: p.def.Removed,
			Oneshot: p.def.Rules.Oneshot, WaitsFor: p.waits(), Schedule: p.schedule(), Opening: p.opening(),
			Pending: p.conforming || p.nonconforming() && p.refused != p.live, Program: p.def,
		}
		snap.Programs[i].Digest = p.def.Digest
		snap.Programs[i].Leaving = p.dropping
		// A run that is being stopped is no longer what counts.
		if p.state.Phase.Up() && p.state.Phase != policy.Stopping && p.digest != "" {
			snap.Programs[i].Digest, snap.Programs[i].Started = p.digest, s.definitions[p.digest]
		}
	}
	return snap
}

// command carries out a command, and returns what it concerns beside its programs.
func (s *Supervisor) command(c Command, programs []*program) (also []string, err error) {
	if s.down && (c.Verb == Start || c.Verb == Arm || c.Verb == Restart) {
		return nil, fmt.Errorf("cannot %s: the project is going down", c.Verb)
	}
	if c.Dependents {
		all := s.withDependents(programs)
		for _, p := range all {
			if !slices.Contains(programs, p) {
				also = append(also, p.def.Name)
			}
		}
		programs = all
	}
	if c.NoDeps {
		for _, p := range programs {
			p.alone = true
			s.touch(p)
		}
	}
	switch c.Verb {
	case Start:
		who := by(c, "started by request")
		also = append(also, s.startWith(programs, func(p *program) { s.startOnRequest(p, who) }, who)...)
	case Arm:
		s.autostartAll(programs, by(c, "armed by request"))
	case Restart:
		who := by(c, "restarted by request")
		also = append(also, s.restart(programs, who)...)
	case Stop:
		for _, p := range s.reversed(programs) {
			s.step(p, policy.StopRequested{By: by(c, "stopped by request")})
		}
	case Down:
		s.down = true
		s.stopAll(by(c, "project going down"))
	case Kill:
		for _, p := range programs {
			if p.state.Phase == policy.Stopping {
				s.kill(p)
			}
		}
	default:
		return nil, fmt.Errorf("unknown command %q", c.Verb)
	}
	return also, nil
}

// restart restarts programs: what is up is stopped, what depends on others first; what is not,
// and what they depend on, is started.
func (s *Supervisor) restart(programs []*program, by string) (pulled []string) {
	again := func(p *program) { s.step(p, policy.RestartRequested{By: by}) }
	up := map[*program]bool{}
	for _, p := range s.reversed(programs) {
		if p.state.Phase == policy.Starting || p.state.Phase == policy.Running {
			up[p] = true
			again(p)
		}
	}
	return s.startWith(programs, func(p *program) {
		if !up[p] {
			again(p)
		}
	}, by)
}

// startOnRequest starts p. A run that has ended counts no more, although it is up until its
// unit is gone, for which what it left behind may take a stop_timeout.
func (s *Supervisor) startOnRequest(p *program, by string) {
	if p.state.IsActive() && p.over() {
		s.step(p, policy.RestartRequested{By: by})
		return
	}
	s.step(p, policy.StartRequested{By: by})
}

func by(c Command, otherwise string) string {
	if c.By != "" {
		return c.By
	}
	return otherwise
}

// signal sends a signal to the main process of programs that run.
func (s *Supervisor) signal(programs []*program, r commandRequest) error {
	sends := make([]func(context.Context) error, len(programs))
	for i, p := range programs {
		if !p.state.IsActive() {
			return fmt.Errorf("cannot send a signal to %s: it is %s", p.def.Name, p.state.Phase)
		}
		name, unit, child, bus := p.def.Name, p.unit, p.scope.child, s.cfg.Bus
		sends[i] = func(ctx context.Context) error {
			var err error
			if child != nil {
				err = child.Signal(r.cmd.Signal) // systemd knows no main process of a scope
			} else {
				err = bus.Kill(ctx, unit, "main", r.cmd.Signal)
			}
			if err != nil {
				return fmt.Errorf("cannot send a signal to %s: %w", name, err)
			}
			return nil
		}
	}
	for _, p := range programs {
		// Before it is sent: what it does may be told first.
		p.sent = &SentSignal{Signal: int(r.cmd.Signal), By: by(r.cmd, "by request"), At: time.Now()}
		s.touch(p)
	}
	s.do(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, killTimeout)
		defer cancel()
		var err error
		for _, send := range sends {
			err = errors.Join(err, send(ctx))
		}
		return func() { s.reply(r, err) }
	})
	return nil
}

// reply answers a command with the programs as they are now, at the end of the turn.
func (s *Supervisor) reply(r commandRequest, err error, also ...string) {
	reply := commandReply{s.snapshot(), err}
	reply.snap.Also = also
	s.then(func() { r.reply <- reply })
}

// killTimeout bounds calls that answer at once.
const killTimeout = 10 * time.Second
