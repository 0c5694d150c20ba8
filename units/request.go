package units

import (
	"context"
	"fmt"
	"time"

	"msup/policy"
)

// Verb is what a command asks of a supervisor.
type Verb string

const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
	Signal  Verb = "signal" // send Command.Signal to the main process
	Down    Verb = "down"   // stop everything and end
	Kill    Verb = "kill"   // SIGKILL everything that is being stopped
)

// Command asks a supervisor to do something. It is answered when the policy has decided,
// not when systemd is done: watch the records that follow.
type Command struct {
	Verb     Verb     `json:"verb"`
	Programs []string `json:"programs,omitempty"` // names as configured; empty = all
	Signal   int32    `json:"signal,omitempty"`
	By       string   `json:"by,omitempty"` // who asks, for the reason: "msup stop"
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
	reply := <-r.reply
	return reply.snap, reply.err
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
	err := s.command(r.cmd)
	r.reply <- commandReply{s.snapshot(), err}
}

func (s *Supervisor) snapshot() Snapshot {
	snap := Snapshot{Seq: s.seq, Connected: s.connected, Ready: s.ready && s.begun, Down: s.down, Programs: make([]Status, len(s.programs))}
	for i, p := range s.programs {
		snap.Programs[i] = Status{
			Name: p.def.Name, Unit: p.def.Unit, State: p.state,
			PID: p.pid, Invocation: p.invocation, Result: p.result,
		}
	}
	return snap
}

func (s *Supervisor) command(c Command) error {
	programs := s.programs
	if len(c.Programs) > 0 {
		programs = nil
		for _, name := range c.Programs {
			p := s.byName[name]
			if p == nil {
				return UnknownProgramError{name}
			}
			programs = append(programs, p)
		}
	}
	if s.down && (c.Verb == Start || c.Verb == Restart) {
		return fmt.Errorf("cannot %s: the project is going down", c.Verb)
	}
	switch c.Verb {
	case Start:
		s.each(programs, policy.StartRequested{By: by(c, "started by request")})
	case Restart:
		s.each(programs, policy.RestartRequested{By: by(c, "restarted by request")})
	case Stop:
		s.each(programs, policy.StopRequested{By: by(c, "stopped by request")})
	case Down:
		s.down = true
		s.stopAll(by(c, "project going down"))
	case Signal:
		return s.signalAll(programs, "main", c.Signal)
	case Kill:
		for _, p := range programs {
			if p.state.Phase == policy.Stopping {
				s.kill(p, "all", sigkill)
			}
		}
	default:
		return fmt.Errorf("unknown command %q", c.Verb)
	}
	return nil
}

func by(c Command, otherwise string) string {
	if c.By != "" {
		return c.By
	}
	return otherwise
}

func (s *Supervisor) each(programs []*program, ev policy.Event) {
	for _, p := range programs {
		s.step(p, ev)
	}
}

func (s *Supervisor) signalAll(programs []*program, who string, signal int32) error {
	for _, p := range programs {
		if p.state.Phase != policy.Running {
			return fmt.Errorf("cannot send a signal to %s: it is %s", p.def.Name, p.state.Phase)
		}
	}
	for _, p := range programs {
		s.kill(p, who, signal)
	}
	return nil
}

const sigkill = 9

// killTimeout bounds calls that answer at once.
const killTimeout = 10 * time.Second
