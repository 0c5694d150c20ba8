package capture

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tidyEvery is how often files that may grow too old or too large together are looked at
// besides at their opening and rotation.
const tidyEvery = time.Hour

// keeper looks after backups in the background: it removes what is too old or too much
// and has others compressed, one file at a time. Its goroutine exists only while there is work, and
// one timer serves all files.
type keeper struct {
	mover *Mover
	stop  chan struct{}
	done  sync.WaitGroup

	mu      sync.Mutex
	queue   []*target
	running bool
	closed  bool
	timer   *time.Timer // nil = no file needs it
}

func newKeeper(m *Mover) *keeper { return &keeper{mover: m, stop: make(chan struct{})} }

// tidy has the backups of t looked after soon. t is in use.
func (k *keeper) tidy(t *target) {
	r := t.rotation
	if !r.Compress && r.MaxAge == 0 && r.TotalMax == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || slices.Contains(k.queue, t) {
		return
	}
	if k.timer == nil {
		k.timer = time.AfterFunc(tidyEvery, k.tidyAll)
	}
	k.queue = append(k.queue, k.mover.hold(t))
	if !k.running {
		k.running = true
		k.done.Go(k.run)
	}
}

// tidyAll looks after all files that are in use.
func (k *keeper) tidyAll() {
	k.mu.Lock()
	k.timer = nil
	k.mu.Unlock()
	for _, t := range k.mover.held() {
		k.tidy(t)
		k.mover.release(t)
	}
}

// run works the queue off.
func (k *keeper) run() {
	for {
		k.mu.Lock()
		if len(k.queue) == 0 || k.closed {
			left := k.queue
			k.queue, k.running = nil, false
			k.mu.Unlock()
			for _, t := range left {
				k.mover.release(t)
			}
			return
		}
		t := k.queue[0]
		k.queue = slices.Delete(k.queue, 0, 1)
		k.mu.Unlock()
		// What fails is tried again at the next rotation, or in an hour.
		_ = t.tidy(k.stop)
		k.mover.release(t)
	}
}

// close stops what is being done and waits for its end, or for that of ctx.
func (k *keeper) close(ctx context.Context) error {
	k.mu.Lock()
	k.closed = true
	if k.timer != nil {
		k.timer.Stop()
	}
	k.mu.Unlock()
	close(k.stop)
	ended := make(chan struct{})
	go func() { k.done.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot end a compression: %w", ctx.Err())
	}
}

// tidy removes backups that are too old or too much, and compresses all but the newest.
func (t *target) tidy(stop <-chan struct{}) error {
	dir, base, err := openFolder(t.path)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	_ = unix.Unlinkat(dir, compressing(base), 0) // of a predecessor
	for {
		var all []backup
		// Under the lock, so that no number changes meanwhile.
		t.mu.Lock()
		if all, err = backups(dir, base); err == nil {
			size := t.rotation.limit() // it may grow to that
			if t.fd >= 0 && t.regular {
				if now, err := t.size(); err == nil {
					size = max(size, now)
				}
			}
			err = prune(dir, all, -1, t.rotation, size, time.Now())
		}
		t.mu.Unlock()
		if err != nil || !t.rotation.Compress {
			return err
		}
		i := slices.IndexFunc(all, func(b backup) bool { return b.n > 1 && !b.gz && b.regular() && b.st.Nlink == 1 })
		if i < 0 {
			return nil
		}
		if err := t.compress(dir, base, all[i], stop); err != nil {
			_ = unix.Unlinkat(dir, compressing(base), 0)
			return err
		}
	}
}
