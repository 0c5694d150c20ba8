package dbus

import (
	"context"
	"errors"
	"sync"
	"time"

	"msup/units"
)

const (
	destination = "org.freedesktop.systemd1"
	root        = "/org/freedesktop/systemd1"
	manager     = "org.freedesktop.systemd1.Manager"
)

// Conn is a connection to a manager that comes back by itself when it is lost:
// daemon-reexec cuts private connections, a restart of dbus-daemon the others.
type Conn struct {
	sockets sockets
	queue   *queue
	closed  context.Context
	close   context.CancelFunc
	done    chan struct{}
	calls   chan struct{} // bounds the calls on their way on the message bus

	mu   sync.Mutex
	link *link // nil = not connected
	was  link  // the last one there was
}

var _ units.Bus = (*Conn)(nil)

// Dial connects to a manager. The first event is [units.Connected]. The error is an
// [*UnavailableError] that says what to do.
func Dial(ctx context.Context, which Which) (*Conn, error) {
	s := systemSockets()
	if which == User {
		s = userSockets()
	}
	c, err := open(ctx, s)
	if err != nil {
		return nil, explain(which, s, err)
	}
	return c, nil
}

func open(ctx context.Context, s sockets) (*Conn, error) {
	c := &Conn{sockets: s, queue: newQueue(), done: make(chan struct{}), calls: make(chan struct{}, callsOnBus)}
	h := &handler{queue: c.queue}
	l, err := dial(ctx, s, h)
	if err != nil {
		c.queue.close()
		return nil, err
	}
	c.closed, c.close = context.WithCancel(context.Background())
	c.use(l, h)
	go c.keep(l)
	return c, nil
}

// use makes l the connection and lets its signals through: what came before Connected
// says nothing that a look at the units does not.
func (c *Conn) use(l *link, h *handler) {
	h.lost = func() { l.conn.Close() }
	c.mu.Lock()
	c.link, c.was = l, *l
	c.mu.Unlock()
	c.queue.push(units.Connected{})
	h.open()
}

// Limits of dbus-daemon's system bus, of which other users of the manager get a share: 128
// unanswered calls a connection, 512 match rules of PID 1, of which each unfinished job
// takes one. The private socket has neither; its bound only keeps the queue of jobs sane.
const (
	callsOnBus    = 48
	jobsOnBus     = 32
	jobsOnPrivate = 512
)

// redial waits between tries to connect again, from the first to the last.
const (
	redialFirst = 10 * time.Millisecond
	redialLast  = time.Second
)

// keep replaces the connection when it ends.
func (c *Conn) keep(l *link) {
	defer close(c.done)
	for {
		select {
		case <-l.conn.Context().Done():
		case <-c.closed.Done():
			l.conn.Close()
			return
		}
		c.mu.Lock()
		c.link = nil
		c.mu.Unlock()
		c.queue.push(units.Disconnected{Err: errors.New("systemd has closed it")})
		for wait := redialFirst; ; wait = min(2*wait, redialLast) {
			h := &handler{queue: c.queue}
			next, err := dial(c.closed, c.sockets, h)
			if err == nil {
				l = next
				c.use(l, h)
				break
			}
			select {
			case <-time.After(wait):
			case <-c.closed.Done():
				return
			}
		}
	}
}

// Close ends the connection and closes Events.
func (c *Conn) Close() error {
	c.close()
	<-c.done
	c.queue.close()
	return nil
}

// Events implements [units.Bus]. It may be left unread: events then pile up in memory.
func (c *Conn) Events() <-chan units.BusEvent { return c.queue.out }

// Version is the major version of systemd, as 252.
func (c *Conn) Version() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.was.version
}

// MaxJobs is how many unfinished jobs this connection bears.
func (c *Conn) MaxJobs() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.was.private {
		return jobsOnPrivate
	}
	return jobsOnBus
}

// ControlGroup is the manager's own control group, relative to the cgroup v2 mount.
func (c *Conn) ControlGroup() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.was.group
}

func (c *Conn) current() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return nil, units.ErrDisconnected
	}
	return c.link, nil
}
