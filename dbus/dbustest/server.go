// Package dbustest is a systemd for tests: an org.freedesktop.systemd1 with transient
// units that never run anything, over a socket like systemd's private one or a
// private dbus-daemon. It answers, errs and signals in the order systemd 252 and 257 were
// observed to.
package dbustest

import (
	"sync"
	"testing"

	godbus "github.com/godbus/dbus/v5"
)

const (
	busName      = "org.freedesktop.systemd1"
	managerPath  = "/org/freedesktop/systemd1"
	managerIface = "org.freedesktop.systemd1.Manager"
	unitIface    = "org.freedesktop.systemd1.Unit"
	serviceIface = "org.freedesktop.systemd1.Service"
	propsIface   = "org.freedesktop.DBus.Properties"
)

// Server is the service manager.
type Server struct {
	t testing.TB

	// Address is where it listens: the path of a socket (private), or the D-Bus address
	// of the bus.
	Address string
	Private bool

	stop    func() // makes it unreachable
	restart func() // makes it reachable again

	mu       sync.Mutex
	links    map[*godbus.Conn]struct{}
	units    map[string]*unit
	fail     map[string]godbus.Error
	hold     map[string]bool
	log      []string
	nextJob  uint32
	nextRun  byte
	jobsWait bool
}

func newServer(t testing.TB) *Server {
	return &Server{
		t: t, links: map[*godbus.Conn]struct{}{}, units: map[string]*unit{},
		fail: map[string]godbus.Error{}, hold: map[string]bool{}, nextJob: 100,
	}
}

// serve takes messages of one connection in their order, as PID 1 does.
func (s *Server) serve(conn *godbus.Conn, in <-chan *godbus.Message) {
	for msg := range in {
		if msg.Type != godbus.TypeMethodCall {
			continue
		}
		s.mu.Lock()
		if _, ok := s.links[conn]; ok {
			s.handle(conn, msg)
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	delete(s.links, conn)
	s.mu.Unlock()
}

// Fail makes every later call of a method answer with an error; an empty name ends it.
func (s *Server) Fail(method, name, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fail, method)
	if name != "" {
		s.fail[method] = godbus.Error{Name: name, Body: []any{message}}
	}
}

// Hold makes every later call of a method go unanswered.
func (s *Server) Hold(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold[method] = true
}

// HoldJobs makes later start jobs wait until FinishJob.
func (s *Server) HoldJobs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobsWait = true
}

// Log lists the methods called on the manager, with their first argument.
func (s *Server) Log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

// Drop cuts all connections, as daemon-reexec does; the units live on. Until Return nobody
// can connect.
func (s *Server) Drop() {
	if s.stop != nil {
		s.stop()
	}
	s.mu.Lock()
	links := s.links
	s.links = map[*godbus.Conn]struct{}{}
	s.mu.Unlock()
	for conn := range links {
		conn.Close()
	}
}

// Return ends what Drop began.
func (s *Server) Return() { s.restart() }

func (s *Server) reply(conn *godbus.Conn, to *godbus.Message, body ...any) {
	s.answer(conn, to, godbus.TypeMethodReply, "", body)
}

func (s *Server) error(conn *godbus.Conn, to *godbus.Message, name, message string) {
	s.answer(conn, to, godbus.TypeError, name, []any{message})
}

func (s *Server) answer(conn *godbus.Conn, to *godbus.Message, kind godbus.Type, name string, body []any) {
	if to.Flags&godbus.FlagNoReplyExpected != 0 {
		return
	}
	msg := &godbus.Message{Type: kind, Body: body, Headers: map[godbus.HeaderField]godbus.Variant{
		godbus.FieldReplySerial: godbus.MakeVariant(to.Serial()),
	}}
	if sender, ok := to.Headers[godbus.FieldSender]; ok {
		msg.Headers[godbus.FieldDestination] = sender
	}
	if name != "" {
		msg.Headers[godbus.FieldErrorName] = godbus.MakeVariant(name)
	}
	if len(body) > 0 {
		msg.Headers[godbus.FieldSignature] = godbus.MakeVariant(godbus.SignatureOf(body...))
	}
	conn.Send(msg, nil)
}

// Signal sends a signal to everybody.
func (s *Server) Signal(path godbus.ObjectPath, iface, member string, body ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal(path, iface, member, body...)
}

func (s *Server) signal(path godbus.ObjectPath, iface, member string, body ...any) {
	for conn := range s.links {
		msg := &godbus.Message{Type: godbus.TypeSignal, Body: body, Headers: map[godbus.HeaderField]godbus.Variant{
			godbus.FieldPath:      godbus.MakeVariant(path),
			godbus.FieldInterface: godbus.MakeVariant(iface),
			godbus.FieldMember:    godbus.MakeVariant(member),
			godbus.FieldSignature: godbus.MakeVariant(godbus.SignatureOf(body...)),
		}}
		conn.Send(msg, nil)
	}
}
