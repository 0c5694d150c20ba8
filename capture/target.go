package capture

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pathCheckEvery bounds how often a busy stream looks whether its path still leads to
// the file it has open. A quiet one looks at its next byte.
const pathCheckEvery = 250 * time.Millisecond

// target is a file that output goes to. Streams that name the same path share one target,
// so that each of their moves ends before the next begins.
type target struct {
	path     string
	rotation Rotation
	mode     os.FileMode // of a file that is made
	owner    *Owner
	refs     int // guarded by Mover.mu

	mu       sync.Mutex
	fd       int // -1 = not open
	dev      uint64
	ino      uint64
	regular  bool
	copies   bool // splice is refused or unwise here: peek, write, then discard
	checked  time.Time
	rotateAt time.Time // not before, since it failed
	space    space
	partial  *Stream     // who has last written with something before each line
	stale    atomic.Bool // asked to reopen
}

func (m *Mover) acquire(cfg Config) *target {
	path := filepath.Clean(cfg.File)
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.targets[path]
	if t == nil {
		t = &target{path: path, rotation: cfg.Rotation, mode: cfg.Mode, owner: cfg.Owner, fd: -1}
		if t.mode == 0 {
			t.mode = 0o644
		}
		m.targets[path] = t
	}
	t.refs++
	return t
}

// hold acquires a target that is in use once more.
func (m *Mover) hold(t *target) *target {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.refs++
	return t
}

// held acquires all targets.
func (m *Mover) held() []*target {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.targets {
		t.refs++
	}
	return slices.Collect(maps.Values(m.targets))
}

func (m *Mover) release(t *target) {
	m.mu.Lock()
	t.refs--
	last := t.refs == 0
	if last {
		delete(m.targets, t.path)
	}
	m.mu.Unlock()
	if last {
		t.mu.Lock()
		t.close()
		t.mu.Unlock()
	}
}

// ready opens the file where needed; it is opened anew when its path leads elsewhere.
func (t *target) ready(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.prepare(now); err != nil {
		return err
	}
	return t.enough(0, now)
}

// prepare is ready with t.mu held.
func (t *target) prepare(now time.Time) error {
	if t.fd >= 0 && (t.stale.Load() || now.Sub(t.checked) >= pathCheckEvery) {
		t.checked = now
		var st unix.Stat_t
		// A path that cannot be looked at (folder renamed, permission lost) is one
		// that has to be opened again, which gives the error a user understands.
		if err := unix.Lstat(t.path, &st); err != nil || st.Dev != t.dev || st.Ino != t.ino || t.stale.Load() {
			t.close()
		}
	}
	t.stale.Store(false)
	if t.fd >= 0 {
		return nil
	}
	return t.open(now)
}

func (t *target) open(now time.Time) error {
	dir, base, err := openFolder(t.path)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", t.path, err)
	}
	defer unix.Close(dir)
	fd, st, err := openFile(dir, base, t.mode, t.owner)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", t.path, err)
	}
	_ = unix.SetNonblock(fd, false)
	t.fd, t.dev, t.ino = fd, st.Dev, st.Ino
	t.regular = st.Mode&unix.S_IFMT == unix.S_IFREG
	t.copies = unwise(fd)
	t.checked = now
	return nil
}

// unwise reports whether the file lies where a write may hang for good. splice holds the
// pipe's lock while it writes, and a program that waits for that lock cannot be killed.
func unwise(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.SMB_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC:
		return true
	}
	return false
}

func (t *target) close() {
	if t.fd >= 0 {
		unix.Close(t.fd)
		t.fd = -1
	}
}

// end returns where the next byte goes: the end of the file as it is now. Asking each
// time costs a fraction of a microsecond and follows a file that was truncated
// (logrotate's copytruncate) or that somebody else appended to.
func (t *target) end() (*int64, error) {
	if !t.regular {
		return nil, nil // a device has no offset
	}
	var st unix.Stat_t
	if err := unix.Fstat(t.fd, &st); err != nil {
		return nil, err
	}
	return &st.Size, nil
}

// bare strips the operation and the path that os errors carry: our messages name both.
func bare(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}
