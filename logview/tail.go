package logview

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// tail follows a log by its path, whatever file that is, from one rotated file to the next.
type tail struct {
	src  Source
	path string

	// files are what is to be read, oldest first: rotated files, and last the one that
	// the path led to when that was last looked at. They stay open, so that they can be
	// read to their end whatever becomes of them.
	files  []*reader
	before place // where the file before the first of files ended
	timed  bool  // its lines carry times, by which a window chooses

	queued  bool // waits for its turn
	look    bool // the path may lead to another file now
	away    bool // the path does not lead to the last of files
	polled  bool // inotify cannot be trusted for this file
	trouble []error
	noted   map[string]bool // the problems that were told
}

// restless reports whether the whole folder has to be watched: whoever writes may go on
// with a file that has another name now.
func (t *tail) restless() bool { return t.away || len(t.files) > 1 }

// last is the file that the path leads to, or did.
func (t *tail) last() *reader { return t.files[len(t.files)-1] }

// step reads the next chunk. It reports whether there may be more to read at once.
func (t *tail) step(o *output) (again bool, err error) {
	for _, e := range t.trouble {
		if err := o.problem(t, e); err != nil {
			return false, err
		}
	}
	t.trouble = nil
	if len(t.files) == 0 {
		if t.open(); len(t.files) == 0 {
			return len(t.trouble) > 0, nil
		}
	}
	r := t.files[0]
	isLast := len(t.files) == 1
	// So little was read that it does not tell one file from another.
	var weak *place
	isLog := r.number == 0
	if isLog && r.at.offset < seenSize {
		weak = &place{offset: r.at.offset, seen: bytes.Clone(r.seen)}
	}
	complete := t.complete() // before the read, so that nothing can come after it
	buf := o.buffer()
	data, err := r.read(buf)
	switch {
	case weak != nil && (err == nil || errors.Is(err, errTruncated)) && t.overtaken(*weak):
		return true, nil
	case errors.Is(err, errTruncated):
		if isLog {
			return true, t.truncated(o)
		}
	case err != nil:
		if err := o.problem(t, &fs.PathError{Path: r.path, Err: err}); err != nil {
			return false, err
		}
	case len(data) > 0:
		full := len(data)+seenSize >= len(buf) || r.zipped
		return full || !isLast || t.look, r.feed(t.src, data, o)
	}
	if complete {
		return true, t.next(o)
	}
	if t.look {
		return t.replaced(), nil
	}
	return false, nil
}

// complete reports whether a later file has contents, or had: the one that writes has moved
// on to it, and the first of files will not grow any more.
func (t *tail) complete() bool {
	for i := 1; i < len(t.files); i++ {
		if t.files[i].size() > 0 {
			return true
		}
	}
	return len(t.files) > 1 && t.last().number == 0 && newest(t.path) != t.last().behind
}

// next lets the first of files go. An incomplete line goes on in the next one.
func (t *tail) next(o *output) error {
	old, r := t.files[0], t.files[1]
	if r.fresh {
		if err := old.end(t.src, o); err != nil {
			return err
		}
	} else {
		r.goOn(old)
	}
	if old.at.offset > 0 {
		t.before = old.place()
	}
	old.file.Close()
	t.files = t.files[1:]
	return nil
}

// open opens the log and what was rotated before it was first met.
func (t *tail) open() {
	t.look = false
	files, problems := chain(t.path)
	t.trouble = t.untold(problems)
	t.begin(files)
}

func (t *tail) untold(problems []error) []error {
	var list []error
	for _, err := range problems {
		if !t.noted[problemText(err)] && !errors.Is(err, errNotRegular) {
			list = append(list, err)
		}
	}
	return list
}

// begin takes the files to read.
func (t *tail) begin(files []*reader) {
	if len(files) == 0 {
		return
	}
	t.files = files
	last := t.last()
	t.away = last.number > 0
	t.polled = t.polled || !notifies(last.file, t.path)
}

// replaced looks whether the path leads to another file now, and goes on to that, by way
// of all that were there in between. It reports whether there are any.
func (t *tail) replaced() bool {
	t.look = false
	last := t.last()
	st, err := os.Stat(t.path)
	if err != nil {
		// Moved away or deleted. The writer may still have it open: keep on reading.
		t.away = true
		return false
	}
	if identity(st) == last.id() {
		t.away = false
		return false
	}
	files, problems := chain(t.path)
	t.trouble = append(t.trouble, t.untold(problems)...)
	t.away = true
	p := last.place()
	if last.number == 0 && last.at.offset > 0 && !last.holds(p) { // truncated as well, which the next step sees
		closeAll(files)
		t.look = true
		return true
	}
	at := -1
	for i, r := range files {
		if r.same(last) {
			at = i
		}
	}
	if at < 0 { // compressed since, or gone
		at = find(files, p, nil)
	}
	cut := at + 1
	if at < 0 {
		if cut = writtenAfter(files, p.mtime); cut < len(files) {
			files[cut].fresh = true
		}
	}
	closeAll(files[:cut])
	if cut == len(files) {
		return len(t.trouble) > 0
	}
	t.files = append(t.files, files[cut:]...)
	t.away = t.last().number > 0
	return true
}

// find returns which rotated file but those of the log itself holds a place, the newest if
// several do, -1 if none does.
func find(files []*reader, p place, log *reader) int {
	for i, r := range slices.Backward(files) {
		if r.number > 0 && (log == nil || !r.same(log)) && r.holds(p) {
			return i
		}
	}
	return -1
}

// writtenAfter returns the index of the first file that is the log or was written after t.
func writtenAfter(files []*reader, t time.Time) int {
	for i, r := range files {
		if r.number == 0 || r.mtime.After(t) {
			return i
		}
	}
	return len(files)
}

// truncated goes on in the copy that was made of the log before it was truncated, or
// begins anew if there is none.
func (t *tail) truncated(o *output) error {
	r := t.files[0]
	files, problems := chain(t.path)
	t.trouble = append(t.trouble, t.untold(problems)...)
	if p := r.place(); p.offset >= seenSize {
		if at := find(files, p, r); at >= 0 {
			t.insert(files, at, max(at+1, t.indexOf(files)), p)
			return nil
		}
	}
	// Where it stands now, if copies are made before much of it is read.
	r.behind = newest(t.path)
	t.before = endOf(files)
	closeAll(files)
	err := r.end(t.src, o)
	r.seek(0)
	t.look = true
	return err
}

// endOf returns the end of the last rotated file that has contents.
func endOf(files []*reader) place {
	for _, r := range slices.Backward(files) {
		if r.number > 0 && !r.empty() {
			r.seekEnd()
			return r.place()
		}
	}
	return place{}
}

// overtaken reports whether the log, of which not much was read yet, was copied and
// truncated since it was opened, and puts the copies before it, from p on.
func (t *tail) overtaken(p place) bool {
	r := t.files[0]
	id := newest(t.path)
	if id == r.behind {
		return false
	}
	files, _ := chain(t.path)
	self := t.indexOf(files)
	from := find(files, t.before, r) + 1
	if from == 0 && t.before.offset > 0 { // removed since
		from = writtenAfter(files, t.before.mtime)
	}
	for from < self && files[from].empty() {
		from++
	}
	if from >= self {
		if n := len(files); n == 0 || !files[n-1].copied {
			r.behind = id
		}
		closeAll(files)
		return false
	}
	t.insert(files, from, self, p)
	return true
}

// indexOf returns where in the chain the first of files is, or would be.
func (t *tail) indexOf(files []*reader) int {
	r := t.files[0]
	for i, f := range files {
		if f.same(r) {
			r.number = f.number
			return i
		}
	}
	r.number = 1 // not the log any more, and not truncated again
	end := &reader{file: r.file}
	end.seekEnd()
	if i := find(files, end.place(), nil); i >= 0 { // compressed since
		return i
	}
	return writtenAfter(files, r.place().mtime)
}

// insert puts a part of the chain before the first of files, which begins anew, and closes
// the rest. The copy of the first of files goes on at p.
func (t *tail) insert(files []*reader, from, to int, p place) {
	r := t.files[0]
	first := files[from]
	if p.offset > 0 && first.holds(p) {
		first.at.offset, first.seen = p.offset, p.seen
	}
	first.goOn(r)
	first.fresh = r.fresh
	r.hold, r.more, r.fresh = nil, false, false
	r.seek(0)
	if log := files[len(files)-1]; log.number == 0 {
		r.behind = log.behind
	}
	closeAll(files[:from])
	closeAll(files[to:])
	t.files = append(files[from:to:to], t.files...)
}

// drain gives out everything there is and ends an incomplete line. What is written
// meanwhile is not waited for: a busy program would keep us here for ever.
func (t *tail) drain(o *output) error {
	t.look = true
	var of *reader
	var size int64
	for {
		again, err := t.step(o)
		if err != nil {
			return err
		}
		if !again {
			break
		}
		if len(t.files) > 0 && t.last() != of {
			of = t.last()
			size = of.size()
		}
		if len(t.files) == 1 && of.at.offset >= size && (!t.look || !t.replaced()) {
			break
		}
	}
	return t.end(o)
}

// end gives out an incomplete last line.
func (t *tail) end(o *output) error {
	for len(t.files) > 1 { // what is left is empty
		if err := t.next(o); err != nil {
			return err
		}
	}
	if len(t.files) == 0 {
		return nil
	}
	return t.files[0].end(t.src, o)
}

func (t *tail) close() { closeAll(t.files) }

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
