package logview

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tail follows one file of a program by its path, whatever file that is.
type tail struct {
	src  Source
	path string
	from position // where to begin, once

	cur *reader // the file at path, or the one that was there last
	// old is the file that was at path before cur. Whoever writes may go on with it for a
	// while, so it is let go only when cur has contents.
	old *reader

	queued bool   // waits for its turn
	look   bool   // the path may lead to another file now
	lost   bool   // the path does not lead to cur, or old is still open: watch the whole folder
	polled bool   // inotify cannot be trusted for this file
	noted  string // the last problem that was told
}

// step reads the next chunk. It reports whether there may be more to read at once.
func (t *tail) step(o *output) (again bool, err error) {
	if t.cur == nil {
		if !t.open(o) {
			return false, o.err
		}
		t.look = false
	}
	buf := o.buffer()
	n, rerr := t.cur.read(buf)
	if n > 0 && t.old != nil {
		// The writer has moved on to the new file, so the old one is complete.
		if err := t.finishOld(o); err != nil {
			return false, err
		}
	}
	if n > 0 {
		if err := t.cur.feed(t.src, buf[:n], o); err != nil {
			return false, err
		}
		if n == len(buf) {
			return true, nil
		}
	} else {
		if t.old != nil {
			if _, err := t.old.rest(t.src, o); err != nil {
				return false, err
			}
		}
		// Truncated: it begins anew. A file that has outgrown the old offset already
		// cannot be told from one that was never truncated.
		if st, err := t.cur.file.Stat(); err == nil && st.Size() < t.cur.at.offset {
			if err := t.cur.end(t.src, o); err != nil {
				return false, err
			}
			t.cur.at.offset = 0
			return true, nil
		}
	}
	if rerr != nil {
		return false, o.problem(t, rerr)
	}
	if t.look {
		return t.replaced(o)
	}
	return false, nil
}

// replaced looks whether the path leads to another file now, and moves on to it.
func (t *tail) replaced(o *output) (bool, error) {
	st, err := os.Stat(t.path)
	if err != nil {
		// Moved away or deleted. The writer may still have it open: keep on reading.
		t.look, t.lost = false, true
		return false, nil
	}
	id := identity(st)
	if id.dev == t.cur.at.dev && id.ino == t.cur.at.ino {
		t.look, t.lost = false, t.old != nil
		return false, nil
	}
	f, id, err := open(t.path)
	if err != nil {
		t.look, t.lost = false, true
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, o.problem(t, err)
	}
	if t.old != nil {
		if err := t.finishOld(o); err != nil {
			f.Close()
			return false, err
		}
	}
	t.old, t.cur = t.cur, &reader{file: f, at: id}
	t.look, t.lost = false, true
	return true, nil
}

func (t *tail) finishOld(o *output) error {
	old := t.old
	t.old, t.lost = nil, false
	defer old.file.Close()
	for {
		again, err := old.rest(t.src, o)
		if err != nil {
			return err
		}
		if !again {
			return old.end(t.src, o)
		}
	}
}

// open opens the file at the path for the first time.
func (t *tail) open(o *output) bool {
	f, id, err := open(t.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			t.from = position{} // what comes is another file, even with the same number
		} else {
			_ = o.problem(t, err) // an error of out stays in o
		}
		return false
	}
	t.noted = ""
	if t.from.dev == id.dev && t.from.ino == id.ino {
		id.offset = t.from.offset
	}
	t.from = position{}
	t.cur = &reader{file: f, at: id}
	t.polled = t.polled || !notifies(f, t.path)
	return true
}

// drain gives out everything there is and ends an incomplete line. What is written
// meanwhile is not waited for: a busy program would keep us here for ever.
func (t *tail) drain(ctx context.Context, o *output) error {
	t.look = true
	var of *reader
	var size int64
	for ctx.Err() == nil {
		again, err := t.step(o)
		if err != nil {
			return err
		}
		if t.cur != of {
			of, size = t.cur, 0
			if st, err := of.file.Stat(); err == nil {
				size = st.Size()
			}
		}
		if again && of.at.offset >= size && t.look {
			again, err = t.replaced(o)
			if err != nil {
				return err
			}
		}
		if !again || t.cur == of && of.at.offset >= size {
			break
		}
	}
	if t.old != nil {
		if err := t.finishOld(o); err != nil {
			return err
		}
	}
	if t.cur != nil {
		return t.cur.end(t.src, o)
	}
	return nil
}

func (t *tail) close() {
	for _, r := range []*reader{t.cur, t.old} {
		if r != nil {
			r.file.Close()
		}
	}
}

// notifies reports whether inotify tells about every write to the file. It does not where
// another machine may write, and not for splice(2) into overlayfs before Linux 6.6, which
// is how the supervisor writes in containers.
func notifies(f *os.File, path string) bool {
	// A link's target changes in a folder that is not watched.
	if real, err := filepath.EvalSymlinks(path); err != nil || filepath.Base(real) != filepath.Base(path) ||
		!sameFolder(real, path) {
		return false
	}
	var s unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &s) != nil {
		return false
	}
	switch s.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC,
		unix.F2FS_SUPER_MAGIC, unix.RAMFS_MAGIC, 0x2fc12fc1 /* zfs */, 0xca451a4e /* bcachefs */ :
		return true
	}
	return false
}

func sameFolder(a, b string) bool {
	sa, err := os.Stat(filepath.Dir(a))
	if err != nil {
		return false
	}
	sb, err := os.Stat(filepath.Dir(b))
	return err == nil && os.SameFile(sa, sb)
}

// output hands lines to the function of the caller.
type output struct {
	out   func([]Line) error
	err   error // the first error of out; nothing is given out after it
	lines []Line
	buf   []byte
}

func (o *output) buffer() []byte {
	if o.buf == nil {
		o.buf = make([]byte, chunk)
	}
	return o.buf
}

func (o *output) give(lines []Line) error {
	if o.err == nil && len(lines) > 0 {
		o.err = o.out(lines)
	}
	return o.err
}

func (o *output) notes(texts []string) error {
	for _, text := range texts {
		_ = o.give([]Line{{Text: []byte(text), Note: true}})
	}
	return o.err
}

// problem tells once why a file cannot be read. A device has nothing to show, which is no
// problem: "stdout = /dev/null" is a usual thing to write.
func (o *output) problem(t *tail, err error) error {
	if errors.Is(err, errNotRegular) {
		return o.err
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	text := fmt.Sprintf("cannot read %s: %v", t.path, err)
	if t.noted == text {
		return o.err
	}
	t.noted = text
	return o.give([]Line{{Program: t.src.Program, Stream: t.src.Stream, Text: []byte(text), Note: true}})
}
