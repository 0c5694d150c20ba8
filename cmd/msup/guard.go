package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"msup/control"

	"golang.org/x/sys/unix"
)

// guard watches the runtime directory: what somebody deletes there is made again, for the
// next command and the next supervisor.
type guard struct {
	dir     string
	inotify *os.File
	done    chan struct{}
	once    sync.Once
}

// newGuard calls missing soon after something has disappeared, until close. Without
// inotify nothing is watched: everything works but for the repair.
func newGuard(dir string, missing func()) *guard {
	g := &guard{dir: dir, done: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		close(g.done)
		return g
	}
	g.inotify = os.NewFile(uintptr(fd), "inotify")
	g.watch()
	go g.run(missing)
	return g
}

// watch watches the directory that is at the path now.
func (g *guard) watch() {
	_ = withFD(g.inotify, func(fd int) error {
		_, err := unix.InotifyAddWatch(fd, g.dir, unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_ONLYDIR)
		return err
	})
}

func (g *guard) run(missing func()) {
	defer close(g.done)
	buf := make([]byte, 4096)
	for {
		if _, err := g.inotify.Read(buf); err != nil {
			return
		}
		time.Sleep(guardDelay) // rm -r takes its time
		missing()
		g.watch()
	}
}

const guardDelay = 50 * time.Millisecond

// close ends the watch; missing is not called any more.
func (g *guard) close() {
	g.once.Do(func() {
		if g.inotify != nil {
			g.inotify.Close()
		}
	})
	<-g.done
}

// repair makes again what is missing of the files by which others find the supervisor, and
// says what that was. FIFOs are made again at the next start of their program (outputs.prepare):
// the one that runs has the old one open, which is still read.
func repair(dir string, runs runningProject, store *stateLog, listener *control.Listener, locks *[]func()) (made string, err error) {
	var names []string
	missing := func(name string) bool {
		_, statErr := os.Lstat(filepath.Join(dir, name))
		return errors.Is(statErr, fs.ErrNotExist)
	}
	again := func(name string, make func() error) {
		if err == nil && missing(name) {
			err = make()
			names = append(names, filepath.Join(dir, name))
		}
	}
	again(lockName, func() error {
		unlock, err := claim(dir)
		if err == nil {
			*locks = append(*locks, unlock)
		}
		return err
	})
	again(control.SocketName, listener.Renew)
	again(projectFile, func() error { return writeJSON(filepath.Join(dir, projectFile), runs) })
	again(stateName, func() error {
		store.stale.Store(true) // the note about it is the change with which it begins anew
		return nil
	})
	return strings.Join(names, ", "), err
}
