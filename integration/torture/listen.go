//go:build linux

package torture

import (
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// door is the socket of a program, at which somebody knocks all the time.
type door struct {
	program *program

	mu       sync.Mutex
	open     bool // the project is up
	opened   bool // and somebody was let in since
	answered int
}

// knock begins to connect to all programs that systemd listens for.
func (r *run) knock() {
	for _, p := range r.programs {
		if p.socket == "" {
			continue
		}
		d := &door{program: p}
		r.doors = append(r.doors, d)
		go func() {
			for r.ctx.Err() == nil {
				d.mu.Lock()
				open := d.open
				d.mu.Unlock()
				if open {
					d.connect(r)
				}
				r.sleep(50 * time.Millisecond)
			}
		}()
	}
}

// connect connects once. Whoever is let in waits for an answer, and has none if the program is killed just then.
func (d *door) connect(r *run) {
	at := time.Now()
	c, err := net.Dial("unix", d.program.socket)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.opened = true
	case d.open && d.opened:
		r.fail("listen", d.program.name, at, "%v", err)
		return
	default:
		return // it is just coming up, or going down
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(comeback))
	d.mu.Unlock()
	text, _ := io.ReadAll(c)
	d.mu.Lock()
	if len(text) > 0 {
		d.answered++
	}
}

// open and close tell that the project is up, or about to go down.
func (r *run) open() { r.setOpen(true) }

func (r *run) close() { r.setOpen(false) }

func (r *run) setOpen(open bool) {
	for _, d := range r.doors {
		d.mu.Lock()
		d.open, d.opened = open, d.opened && open
		d.mu.Unlock()
	}
}

// knocks says how many have had an answer.
func (r *run) knocks() {
	for _, d := range r.doors {
		d.mu.Lock()
		r.figure("%d connections to %s were answered", d.answered, d.program.name)
		if d.answered == 0 {
			r.fail("listen", d.program.name, time.Now(), "nobody who connected had an answer")
		}
		d.mu.Unlock()
	}
}

// times checks that one that has a schedule did not wait longer than to its next time, when it had to pass over one at most.
func (c *caseOf) times(downs []window) {
	for i, l := range c.lives {
		if c.program.every == 0 || i == 0 {
			continue
		}
		from := c.lives[i-1].start
		if slices.ContainsFunc(downs, func(w window) bool { return w.from.After(from) && w.from.Before(l.start) }) {
			continue
		}
		if waited, absent := l.start.Sub(from), c.absent(from, l.start); waited > 2*c.program.every+absent+c.tolerance {
			c.found("times", l.start, "%v began %s after %v, and no supervisor was there for %s",
				l, waited.Round(time.Millisecond), c.lives[i-1], absent.Round(time.Millisecond))
		}
	}
}
