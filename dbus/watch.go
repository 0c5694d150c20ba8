package dbus

import (
	"sync"

	"msup/units"
)

// watch collects what happens to one unit while a call about it is under way. It is made
// before the call, because a signal may overtake the answer for who waits for both.
type watch struct {
	unit string

	mu      sync.Mutex
	results map[uint32]string // job results by job
	removed bool              // since the last look
	lost    bool
	wake    chan struct{}
}

func (c *Conn) watch(unit string) *watch {
	w := &watch{unit: unit, results: map[uint32]string{}, wake: make(chan struct{}, 1)}
	c.mu.Lock()
	c.watches[w] = struct{}{}
	c.mu.Unlock()
	return w
}

func (c *Conn) unwatch(w *watch) {
	c.mu.Lock()
	delete(c.watches, w)
	c.mu.Unlock()
}

func (w *watch) see(ev units.BusEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev := ev.(type) {
	case units.JobRemoved:
		if ev.Unit != w.unit {
			return
		}
		w.results[ev.JobID] = ev.Result
	case units.UnitRemoved:
		if ev.Unit != w.unit {
			return
		}
		w.removed = true
	default:
		return
	}
	w.signal()
}

func (w *watch) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = true
	w.signal()
}

func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// emit gives an event to the calls that wait for it, and to Events. It runs in the
// goroutine that reads the socket.
func (c *Conn) emit(ev units.BusEvent) {
	c.mu.Lock()
	for w := range c.watches {
		w.see(ev)
	}
	c.mu.Unlock()
	c.queue.push(ev)
}
