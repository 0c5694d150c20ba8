package logview

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// handle finds the files that events are about.
func (f *follower) handle(events map[event]struct{}) {
	again := false
	for e := range events {
		if e.mask&unix.IN_Q_OVERFLOW != 0 {
			again = true
			for _, d := range f.folders {
				d.watched = false
			}
			continue
		}
		dirs := f.byWatch[e.watch]
		gone := e.mask&(unix.IN_IGNORED|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT) != 0 && e.name == ""
		if gone && len(dirs) > 0 {
			// A watch is on the folder itself, wherever it is moved to.
			f.watcher.remove(e.watch)
			delete(f.byWatch, e.watch)
		}
		inner := e.mask&unix.IN_ISDIR != 0 && e.name != ""
		again = again || gone || inner
		for dir := range dirs {
			if gone {
				f.forget(dir)
			}
			if d := f.folders[filepath.Join(dir, e.name)]; d != nil && inner {
				d.watched = false // came, went, or was replaced
			}
			d := f.folders[dir]
			if d == nil {
				continue // watched for the folders below
			}
			for name, tails := range d.tails {
				for _, t := range tails {
					if gone || name == e.name || t.restless() {
						f.enqueue(t, e.mask != unix.IN_MODIFY || t.restless())
					}
				}
			}
		}
	}
	if again {
		f.rewatch()
	}
}

// forget makes rewatch look again at a folder and all below it.
func (f *follower) forget(dir string) {
	below := strings.TrimSuffix(dir, "/") + "/"
	for path, d := range f.folders {
		if path == dir || strings.HasPrefix(path, below) {
			d.watched = false
		}
	}
}

// rewatch watches every folder that is not watched, or the nearest folder above it that
// is there.
func (f *follower) rewatch() {
	for dir, d := range f.folders {
		if d.watched {
			continue
		}
		blind := false
		for at, last := dir, ""; ; {
			err := f.watch(at)
			if at == dir {
				d.watched = err == nil
				blind = err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR)
			}
			if err != nil {
				if up := filepath.Dir(at); up != at {
					at = up
					continue
				}
				break
			}
			// The folder may have come before there was a watch above it: look once more,
			// as long as that leads further down.
			if at == dir || at == last || unix.Access(below(at, dir), unix.F_OK) != nil {
				break
			}
			at, last = dir, at
		}
		for _, tails := range d.tails {
			for _, t := range tails {
				// No right to watch, no watches left (ENOSPC), or no inotify at all.
				t.polled = t.polled || blind
				f.enqueue(t, true)
			}
		}
	}
}

// watch watches a folder, and the one above it, which alone tells that the folder was
// removed: the kernel keeps a removed folder, without a word, while a file in it is open.
func (f *follower) watch(dir string) error {
	if f.watcher == nil {
		return unix.ENOSYS
	}
	// The upper one first, so that there is no moment in which a removal is not seen.
	if up := filepath.Dir(dir); up != dir {
		_ = f.add(up, watchFolders)
	}
	return f.add(dir, watchAll)
}

func (f *follower) add(dir string, mask uint32) error {
	watch, err := f.watcher.add(dir, mask)
	if err != nil {
		return err
	}
	if f.byWatch[watch] == nil {
		f.byWatch[watch] = map[string]bool{} // several paths may lead to one folder
	}
	f.byWatch[watch][dir] = true
	return nil
}

// below returns the folder right below top on the way to dir.
func below(top, dir string) string {
	for {
		up := filepath.Dir(dir)
		if up == top || up == dir {
			return dir
		}
		dir = up
	}
}
