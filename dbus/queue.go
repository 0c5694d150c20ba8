package dbus

import (
	"sync"

	"msup/units"
)

// queue is an unbounded queue of events in front of a channel, so that the reader of the
// connection never waits for the reader of the events.
type queue struct {
	out chan units.BusEvent

	mu      sync.Mutex
	waiting []units.BusEvent
	work    chan struct{} // capacity 1: something is waiting
	stop    chan struct{}
	done    chan struct{}
}

func newQueue() *queue {
	q := &queue{
		out: make(chan units.BusEvent), work: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go q.run()
	return q
}

func (q *queue) push(e units.BusEvent) {
	q.mu.Lock()
	q.waiting = append(q.waiting, e)
	q.mu.Unlock()
	select {
	case q.work <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	defer close(q.done)
	defer close(q.out)
	for {
		select {
		case <-q.work:
		case <-q.stop:
			return
		}
		q.mu.Lock()
		batch := q.waiting
		q.waiting = nil
		q.mu.Unlock()
		for _, e := range batch {
			select {
			case q.out <- e:
			case <-q.stop:
				return
			}
		}
	}
}

func (q *queue) close() {
	close(q.stop)
	<-q.done
}
