package logview

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher is an inotify(7) instance. Folders are watched instead of files: 500 programs
// share a few folders, and a file that is replaced or comes later is seen too.
type watcher struct {
	file *os.File
	wake chan struct{} // has a value when take has something to give

	mu      sync.Mutex
	pending map[event]struct{}
}

// event is what happened to a name in a folder.
type event struct {
	watch int32 // from add
	mask  uint32
	name  string // in the folder; "" = the folder itself
}

const (
	// watchFolders tells about the names in a folder. IN_MASK_ADD: the folder may be
	// watched for its files already.
	watchFolders = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
		unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR | unix.IN_MASK_ADD
	// watchAll tells about writes to the files in it as well.
	watchAll = watchFolders | unix.IN_MODIFY | unix.IN_ATTRIB
)

// newWatcher fails where the user has too many inotify instances already (128 by default,
// fs.inotify.max_user_instances).
func newWatcher() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot watch folders: %w", err)
	}
	// Non-blocking, so that it waits in the runtime's poller and Close ends the read.
	w := &watcher{file: os.NewFile(uintptr(fd), "inotify"), wake: make(chan struct{}, 1), pending: map[event]struct{}{}}
	go w.read()
	return w, nil
}

// add watches a folder. A folder that is watched already keeps its number.
func (w *watcher) add(dir string, mask uint32) (int32, error) {
	var wd int
	raw, err := w.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := raw.Control(func(fd uintptr) { wd, err = unix.InotifyAddWatch(int(fd), dir, mask) }); cerr != nil {
		return 0, cerr
	}
	return int32(wd), err
}

func (w *watcher) remove(watch int32) {
	if raw, err := w.file.SyscallConn(); err == nil {
		// It fails for a folder that is gone, which the kernel stopped watching.
		_ = raw.Control(func(fd uintptr) { _, _ = unix.InotifyRmWatch(int(fd), uint32(watch)) })
	}
}

// take returns what happened since the last take, each thing once.
func (w *watcher) take() map[event]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.pending
	w.pending = map[event]struct{}{}
	return p
}

func (w *watcher) close() { w.file.Close() }

// read takes events from the kernel at once, so that its queue (16384 by default,
// fs.inotify.max_queued_events) stays short while the terminal is slow.
func (w *watcher) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buf)
		if err != nil {
			return // closed
		}
		w.mu.Lock()
		for _, e := range parseEvents(buf[:n]) {
			w.pending[e] = struct{}{}
		}
		w.mu.Unlock()
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// parseEvents parses struct inotify_event: wd, mask, cookie, len, name.
func parseEvents(b []byte) []event {
	var events []event
	for len(b) >= unix.SizeofInotifyEvent {
		e := event{watch: int32(binary.NativeEndian.Uint32(b)), mask: binary.NativeEndian.Uint32(b[4:])}
		size := int(binary.NativeEndian.Uint32(b[12:]))
		b = b[unix.SizeofInotifyEvent:]
		if size > len(b) {
			break
		}
		name, _, _ := bytes.Cut(b[:size], []byte{0})
		e.name = string(name)
		b = b[size:]
		events = append(events, e)
	}
	return events
}
