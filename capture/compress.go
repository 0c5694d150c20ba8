package capture

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tidyEvery is how often files that may grow too old or too large together are looked at
// besides at their opening and rotation.
const tidyEvery = time.Hour

// keeper looks after backups in the background: it removes what is too old or too much
// and compresses, one file at a time. Its goroutine exists only while there is work, and
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

// run works the queue off with the lowest priority there is. The thread has it, so the
// thread ends with the goroutine, which is never unlocked from it.
func (k *keeper) run() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19) // of the calling thread, setpriority(2)
	const ioprioWhoProcess, ioprioIdle = 1, 3 << 13
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, ioprioIdle) // ioprio_set(2)
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

// compressing is the name of a compressed file until it is complete.
func compressing(base string) string { return base + ".gz.tmp" }

// compress makes b a compressed file. It may change its number meanwhile, or be removed.
func (t *target) compress(dir int, base string, b backup, stop <-chan struct{}) error {
	in, err := openIn(dir, b.name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	var st unix.Stat_t
	if err := control(in, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return err
	}
	if st.Ino != b.st.Ino || st.Dev != b.st.Dev {
		return nil // its number has changed already: look again
	}
	out, err := openIn(dir, compressing(base), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	defer out.Close()
	zip := gzip.NewWriter(out)
	zip.ModTime = time.Unix(st.Mtim.Unix())
	if _, err := io.CopyBuffer(struct{ io.Writer }{zip}, &source{in, stop}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	err = control(out, func(fd int) error {
		err := unix.Fchown(fd, int(st.Uid), int(st.Gid))
		if err != nil && (os.Geteuid() == 0 || int(st.Uid) == os.Geteuid()) {
			return err
		}
		if err := unix.Fchmod(fd, st.Mode&0o777); err != nil {
			return err
		}
		// The time says how old the lines are, and MaxAge goes by it.
		times := []unix.Timespec{st.Atim, st.Mtim}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), times, 0); err != nil {
			return err
		}
		return unix.Fsync(fd) // before the only other copy goes
	})
	if err != nil {
		return err
	}
	return t.replace(dir, base, &st)
}

// replace puts the compressed file in the place where the plain one is now. A kill between
// the two steps leaves both; backups removes the plain one then.
func (t *target) replace(dir int, base string, st *unix.Stat_t) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	all, err := backups(dir, base)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(b backup) bool { return b.st.Ino == st.Ino && b.st.Dev == st.Dev })
	if i < 0 {
		return unix.Unlinkat(dir, compressing(base), 0) // removed: it was the oldest
	}
	if all[i].st.Size != st.Size {
		return errors.New("somebody has written to it")
	}
	if err := rename(dir, compressing(base), backupName(base, all[i].n, true)); err != nil {
		return err
	}
	return unix.Unlinkat(dir, all[i].name, 0)
}

// source reads a file that is being compressed until there is a reason not to go on.
type source struct {
	file *os.File
	stop <-chan struct{}
}

var errRemoved = errors.New("it was removed: there were too many")

func (s *source) Read(b []byte) (int, error) {
	select {
	case <-s.stop:
		return 0, context.Canceled
	default:
	}
	var st unix.Stat_t
	if err := control(s.file, func(fd int) error { return unix.Fstat(fd, &st) }); err == nil && st.Nlink == 0 {
		return 0, errRemoved
	}
	return s.file.Read(b)
}

func openIn(dir int, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// control lends the descriptor of f.
func control(f *os.File, use func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = use(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
