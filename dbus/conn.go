package dbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

// Bounds of what one connection is asked to bear.
const (
	busJobs     = 32 // PID 1 spends a match rule of its 512 on each unfinished job
	busCalls    = 48 // dbus-daemon refuses a 129th unanswered call
	privateJobs = 512
)

// Reconnecting.
const (
	minBackoff       = 10 * time.Millisecond
	maxBackoff       = time.Second
	refusedTime      = 2 * time.Second  // how long nobody may listen at a socket that is there
	handshakeTimeout = 20 * time.Second // a manager at daemon-reload answers late
)

// Conn is a connection to a service manager that comes back by itself when it is lost. It
// implements [units.Bus].
type Conn struct {
	which  Which
	host   host
	prefix string
	queue  *queue

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	link    *link // nil while there is none
	lostErr error
	version int
	jobs    int
	group   string
	// tasksMax is the manager's DefaultTasksMax.
	tasksMax uint64
	watches  map[*watch]struct{}
}

var _ units.Bus = (*Conn)(nil)

// link is one established connection.
type link struct {
	conn    *godbus.Conn
	wire    *wire
	decoder *decoder
	via     endpoint
	version string
	group   string // the manager's own
	// tasksMax is its DefaultTasksMax.
	tasksMax uint64
	slots    chan struct{} // nil = no bound on calls
	gone     chan struct{} // closed when the manager has left the bus
}

// Option changes what Dial does.
type Option func(*Conn, *[]endpoint)

// WithPrefix sets which units Events tells about: those whose names start with prefix.
// The default is "msup".
func WithPrefix(prefix string) Option {
	return func(c *Conn, _ *[]endpoint) { c.prefix = prefix }
}

// WithPrivateSocket uses the socket of a manager at path and nothing else.
func WithPrivateSocket(path string) Option {
	return func(_ *Conn, list *[]endpoint) { *list = []endpoint{{path, true}} }
}

// WithBusAddress uses the bus at a D-Bus address (unix:path=…) and nothing else.
func WithBusAddress(address string) Option {
	return func(_ *Conn, list *[]endpoint) { *list = busEndpoints(address) }
}

// Dial connects to a service manager. ctx bounds the dialling, not the connection. The
// first event is [units.Connected]; the error, when there is no manager, an
// [UnavailableError].
func Dial(ctx context.Context, which Which, opts ...Option) (*Conn, error) {
	c := &Conn{
		which: which, host: thisHost(), prefix: "msup", queue: newQueue(),
		watches: map[*watch]struct{}{},
	}
	list := c.host.endpoints(which)
	for _, o := range opts {
		o(c, &list)
	}
	var l *link
	var errs []error
	for end := time.Now().Add(refusedTime); ; {
		if l, errs = c.dialAny(ctx, list); l != nil {
			break
		}
		// A manager that executes itself anew leaves its socket for a moment, and whoever has just
		// connected.
		refused := func(err error) bool {
			return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
		}
		if !slices.ContainsFunc(errs, refused) || time.Now().After(end) || ctx.Err() != nil {
			return nil, c.host.explain(which, list, errs)
		}
		time.Sleep(minBackoff)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.attach(l)
	c.done.Go(func() { c.queue.run(c.ctx.Done()) })
	c.done.Go(func() { c.keep(l) })
	return c, nil
}

// dialAny establishes a connection by the first of some ways that works.
func (c *Conn) dialAny(ctx context.Context, list []endpoint) (l *link, errs []error) {
	for _, e := range list {
		l, err := c.dial(ctx, e)
		if err == nil {
			return l, nil
		}
		errs = append(errs, err)
	}
	return nil, errs
}

// Close ends the connection. Calls under way fail, and Events is closed.
func (c *Conn) Close() error {
	c.cancel()
	c.done.Wait()
	return nil
}

// dial establishes one connection and learns the manager's version by it.
func (c *Conn) dial(ctx context.Context, via endpoint) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	w, err := dialWire(ctx, via.path, filter(c.prefix))
	if err != nil {
		return nil, err
	}
	l := &link{wire: w, via: via, gone: make(chan struct{})}
	l.decoder = &decoder{
		prefix: c.prefix, emit: c.emit, lost: sync.OnceFunc(func() { close(l.gone) }),
		runtime: map[godbus.ObjectPath]units.Facts{},
	}
	w.take = l.decoder.take
	if !via.private {
		l.slots = make(chan struct{}, busCalls)
	}
	if l.conn, err = godbus.NewConn(w, godbus.WithSignalHandler(l.decoder)); err != nil {
		w.Close()
		return nil, err
	}
	// Hello takes no context.
	stop := context.AfterFunc(ctx, func() { w.Close() })
	err = l.greet(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		l.close()
		return nil, mapError(ctx, err)
	}
	return l, nil
}

// greet does what must precede the first event. Its last call is one to the manager:
// whatever signals were sent before its answer are old.
func (l *link) greet(ctx context.Context) error {
	// The wire has authenticated already; this starts godbus' reader.
	if err := l.conn.Auth([]godbus.Auth{godbus.AuthExternal("")}); err != nil {
		return err
	}
	if !l.via.private {
		if err := l.conn.Hello(); err != nil {
			return err
		}
		if err := l.conn.AddMatchSignalContext(ctx,
			godbus.WithMatchSender(busName),
			godbus.WithMatchPathNamespace(managerPath)); err != nil {
			return err
		}
		if err := l.conn.AddMatchSignalContext(ctx,
			godbus.WithMatchSender(driverIface), godbus.WithMatchInterface(driverIface),
			godbus.WithMatchMember("NameOwnerChanged"), godbus.WithMatchArg(0, busName)); err != nil {
			return err
		}
		if err := l.manager(ctx, "Subscribe").Err; err != nil {
			return err
		}
	}
	group := l.get(ctx, "ControlGroup")
	tasks := l.get(ctx, "DefaultTasksMax")
	version := l.get(ctx, "Version")
	if err := store(group, &l.group); err != nil {
		return err
	}
	if err := store(tasks, &l.tasksMax); err != nil {
		return err
	}
	return store(version, &l.version)
}

func (l *link) get(ctx context.Context, property string) *godbus.Call {
	return l.conn.Object(busName, managerPath).GoWithContext(ctx, propsIface+".Get", 0, nil, managerIface, property)
}

// store waits for the answer to a get.
func store[T any](call *godbus.Call, to *T) error {
	call = <-call.Done
	var v godbus.Variant
	err := call.Store(&v)
	set(to, v.Value())
	return err
}

func (l *link) manager(ctx context.Context, method string, args ...any) *godbus.Call {
	return l.conn.Object(busName, managerPath).CallWithContext(ctx, managerIface+"."+method, 0, args...)
}

// close shuts the socket first: godbus' Close waits for its writer.
func (l *link) close() {
	l.decoder.mute()
	l.wire.Close()
	l.conn.Close()
}

// attach makes l the connection that calls go to, and says so.
func (c *Conn) attach(l *link) {
	c.mu.Lock()
	c.link, c.lostErr = l, nil
	c.version = majorVersion(l.version)
	c.jobs = privateJobs
	if !l.via.private {
		c.jobs = busJobs
	}
	c.group, c.tasksMax = l.group, l.tasksMax
	c.mu.Unlock()
	l.decoder.connected()
}

// keep waits for the end of the connection and makes another, for ever. It stays with the
// kind of socket it has: during a daemon-reexec the private one is away for a moment.
func (c *Conn) keep(l *link) {
	for {
		err := error(nil)
		select {
		case <-c.ctx.Done():
		case <-l.conn.Context().Done():
			err = errors.New("systemd closed the connection")
		case <-l.gone:
			err = errors.New("systemd left the bus")
		}
		l.close()
		c.detach(err)
		if c.ctx.Err() != nil {
			return
		}
		c.queue.push(units.Disconnected{Err: err})
		if l = c.redial(l.via); l == nil {
			return
		}
		c.attach(l)
	}
}

func (c *Conn) detach(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.lostErr = nil, err
	for w := range c.watches {
		w.lose()
	}
}

func (c *Conn) redial(via endpoint) *link {
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		if l, err := c.dial(c.ctx, via); err == nil {
			return l
		}
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
			return nil
		}
	}
}

// current returns the connection, or at once the error that there is none.
func (c *Conn) current() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil, &disconnectedError{cause: c.lostErr}
	}
	return c.link, nil
}

// Events implements [units.Bus]. The channel is closed by Close only.
func (c *Conn) Events() <-chan units.BusEvent { return c.queue.out }

// Version implements [units.Bus].
func (c *Conn) Version() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// ControlGroup is the manager's own control group, below which its units are; "" is the
// root of the hierarchy.
func (c *Conn) ControlGroup() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.group
}

// DefaultTasksMax implements [units.Bus].
func (c *Conn) DefaultTasksMax() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tasksMax
}

// MaxJobs implements [units.Bus].
func (c *Conn) MaxJobs() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jobs
}

// Socket names what the connection uses, for people.
func (c *Conn) Socket() string {
	l, err := c.current()
	if err != nil {
		return err.Error()
	}
	if l.via.private {
		return l.via.path
	}
	return fmt.Sprintf("%s (bus)", l.via.path)
}

// majorVersion takes 252 from "252.39-1~deb12u2"; 0 when there is no number.
func majorVersion(s string) int {
	n, digits := 0, 0
	for i := 0; i < len(s) && digits < 6; i++ {
		if c := s[i]; '0' <= c && c <= '9' {
			n = 10*n + int(c-'0')
			digits++
		} else if digits > 0 {
			break
		}
	}
	return n
}
