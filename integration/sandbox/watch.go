//go:build linux

package sandbox

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// watch waits for something to happen to a file or folder. The kernel tells it too of what UML does, as that does it by system calls of the host.
type watch struct{ inotify *os.File }

func newWatch(path string, event uint32) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	w := &watch{os.NewFile(uintptr(fd), "inotify")}
	if _, err := unix.InotifyAddWatch(fd, path, event); err != nil {
		return nil, errors.Join(os.NewSyscallError("inotify_add_watch", err), w.Close())
	}
	return w, nil
}

// next returns true when it has happened, perhaps several times, false when the watch is closed.
func (w *watch) next() bool {
	var events [4096]byte
	_, err := w.inotify.Read(events[:])
	return err == nil
}

func (w *watch) Close() error { return w.inotify.Close() }
