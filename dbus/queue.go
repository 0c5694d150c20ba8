package dbus

import (
	"sync"

	"msup/units"
)

// queue is an unbounded FIFO of events between the goroutine that reads the socket, which
// must never wait, and whoever reads Events.
type queue struct {
	mu     sync.Mutex
	events []units.BusEvent
	wake   chan struct{}
	out    chan units.BusEvent
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), out: make(chan units.BusEvent, 64)}
}

func (q *queue) push(ev units.BusEvent) {
	q.mu.Lock()
	q.events = append(q.events, ev)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run moves events to the channel until done is closed, and closes the channel then.
func (q *queue) run(done <-chan struct{}) {
	defer close(q.out)
	var batch []units.BusEvent
	for {
		select {
		case <-q.wake:
		case <-done:
			return
		}
		q.mu.Lock()
		batch, q.events = q.events, batch[:0]
		q.mu.Unlock()
		for i, ev := range batch {
			select {
			case q.out <- ev:
			case <-done:
				return
			}
			batch[i] = nil
		}
		if cap(batch) > 4096 {
			batch = nil
		}
	}
}
