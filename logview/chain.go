package logview

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// chainTries is how often a chain that shifts under our hands is opened again: for two
// seconds at most.
const chainTries = 400

// rotation is a rotated file: FILE.1 is the newest of a log, FILE.2.gz the one before it.
// Numbers may be missing.
type rotation struct {
	number int
	name   string // in the folder of the log
	zipped bool
}

// rotations lists the rotated files of a log, oldest first.
func rotations(path string) []rotation {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // the log itself has the same problem
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	prefix := filepath.Base(path) + "."
	var list []rotation
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		rest, zipped := strings.CutSuffix(rest, ".gz")
		// More digits are a date (logrotate's dateformat), not a place in the chain.
		n, err := strconv.Atoi(rest)
		if err == nil && n > 0 && len(rest) <= 5 && rest == strconv.Itoa(n) {
			list = append(list, rotation{n, name, zipped})
		}
	}
	slices.SortFunc(list, func(a, b rotation) int {
		return cmp.Or(cmp.Compare(b.number, a.number), cmp.Compare(a.name, b.name))
	})
	return list
}

// chain opens a log and its rotated files as they were at one moment, oldest first; the
// last is the log itself if it is there. Open files stay the same whatever their names
// become. The problems are why others cannot be read.
func chain(path string) (files []*reader, problems []error) {
	for try := range chainTries {
		list := rotations(path)
		files, problems = openAll(path, list)
		if slices.Equal(list, rotations(path)) && !slices.ContainsFunc(files, (*reader).moved) &&
			!slices.ContainsFunc(problems, isGone) {
			break
		}
		if try < chainTries-1 {
			closeAll(files)
			time.Sleep(min(time.Duration(try)*100*time.Microsecond, 5*time.Millisecond))
		}
	}
	problems = slices.DeleteFunc(problems, isGone)
	// What is still shifting after all these tries may have been met under two names.
	var once []*reader
	for _, r := range files {
		if slices.ContainsFunc(once, r.same) {
			r.file.Close()
			continue
		}
		once = append(once, r)
	}
	n := len(once)
	if n < 2 || once[n-1].number > 0 {
		return once, problems
	}
	log := once[n-1]
	if copying(once[n-2], log) {
		once[n-2].file.Close()
		once, n = slices.Delete(once, n-2, n-1), n-1
		log.copied = true
	}
	if n >= 2 && once[n-2].number <= 2 {
		log.behind = once[n-2].birth()
	}
	return once, problems
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist)
}

func openAll(path string, list []rotation) (files []*reader, problems []error) {
	add := func(path string, number int, zipped bool) *reader {
		r, err := openReader(path, number, zipped)
		if err != nil {
			problems = append(problems, err)
			return nil
		}
		files = append(files, r)
		return r
	}
	dir := filepath.Dir(path)
	for i, l := range list {
		// A file that was compressed is removed when that is done. One killed in between
		// leaves both; logrotate has both while it writes the other.
		if i+1 < len(list) && list[i+1].number == l.number {
			continue
		}
		r := add(filepath.Join(dir, l.name), l.number, l.zipped)
		if r != nil && i > 0 && list[i-1].number == l.number && !r.whole() {
			r.file.Close()
			files = files[:len(files)-1]
			add(filepath.Join(dir, list[i-1].name), l.number, false)
		}
	}
	// A log that is not there (yet) is no sign of a shift; moved tells if it comes.
	r, err := openReader(path, 0, false)
	switch {
	case err == nil:
		files = append(files, r)
	case !isGone(err):
		problems = append(problems, err)
	}
	return files, problems
}

// moved reports whether the file has another name now, or was cut.
func (r *reader) moved() bool {
	st, err := os.Stat(r.path)
	if err != nil {
		return true
	}
	return identity(st) != r.id() || st.Size() < r.opened
}

// id is the position at the beginning of the file.
func (r *reader) id() position { return position{dev: r.at.dev, ino: r.at.ino} }

func (r *reader) same(o *reader) bool { return r.id() == o.id() }

// copying reports whether rotated is a copy of log that is being made: logrotate's
// copytruncate empties the log when the copy is done. Not born before the log, it is one; as
// long as it is the beginning of the log, the log was not emptied.
func copying(rotated, log *reader) bool {
	if made := log.birth().at; rotated.zipped || made == 0 || rotated.birth().at < made {
		return false
	}
	size, of := rotated.size(), log.size()
	if size > of || of == 0 {
		return false
	}
	for _, at := range []int64{0, max(0, size-4096)} {
		a, b := make([]byte, min(4096, size)), make([]byte, min(4096, size))
		if _, err := rotated.file.ReadAt(a, at); err != nil {
			return false
		}
		if _, err := log.file.ReadAt(b, at); err != nil || !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}

// birth is which file it is, and when it was made: inodes are used again.
type birth struct {
	major, minor uint32
	ino          uint64
	at           int64 // nanoseconds since 1970, 0 where the file system does not know
}

func birthOf(st *unix.Statx_t) birth {
	b := birth{major: st.Dev_major, minor: st.Dev_minor, ino: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		b.at = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return b
}

func (r *reader) birth() birth {
	var st unix.Statx_t
	if err := unix.Statx(int(r.file.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		return birth{}
	}
	return birthOf(&st)
}

// newest says which file is the newest rotated one of a log, the zero birth if there is
// none. While a rotation goes on that may be FILE.2.
func newest(path string) birth {
	for _, name := range []string{path + ".1", path + ".1.gz", path + ".2", path + ".2.gz"} {
		var st unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, name, 0, unix.STATX_INO|unix.STATX_BTIME, &st) == nil {
			return birthOf(&st)
		}
	}
	return birth{}
}

func closeAll(files []*reader) {
	for _, r := range files {
		r.file.Close()
	}
}

// whole reports whether a compressed file can be read to its end.
func (r *reader) whole() bool {
	if !r.zipped {
		return true
	}
	s, err := r.stream()
	if err == nil {
		_, err = io.Copy(io.Discard, s)
	}
	return err == nil
}
