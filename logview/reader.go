package logview

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	chunk    = 64 << 10 // bytes read at once
	seenSize = 64       // bytes by which a place in a file is known again
)

var (
	// errNotRegular is the answer to following a device or a pipe: they have no past, and
	// reading would take their contents away from others.
	errNotRegular = errors.New("not a regular file")
	// errTruncated: what was read is not in the file any more.
	errTruncated = errors.New("truncated")
)

// position is a place in a file.
type position struct {
	dev, ino uint64
	offset   int64 // bytes, of a compressed file those of its contents
}

// reader is one open file and what was read from it.
type reader struct {
	file   *os.File
	path   string // where it was opened
	number int    // of the rotated file, 0 = the log itself
	zipped bool
	opened int64     // its size then, bytes
	mtime  time.Time // … and when it was last written
	at     position
	// seen is what stands right before the offset. A file that has something else there
	// was truncated; another that has the same is a copy.
	seen []byte
	gz   io.Reader // of a compressed file, from the offset on; nil until read

	// Of the log itself: the newest rotated file when it was opened, and whether there was
	// a copy in the making besides.
	behind birth
	copied bool

	fresh bool      // it begins with a line, whatever the file before it ends with
	hold  []byte    // an incomplete line
	held  time.Time // when hold last grew
	more  bool      // a part of the present line was given out
}

// openReader opens a regular file at its beginning.
func openReader(path string, number int, zipped bool) (*reader, error) {
	// O_NONBLOCK: the open of a FIFO would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &reader{file: f, path: path, number: number, zipped: zipped, opened: st.Size(), mtime: st.ModTime(), at: identity(st)}, nil
}

// identity is the position at the beginning of a file.
func identity(st os.FileInfo) position {
	sys := st.Sys().(*syscall.Stat_t)
	return position{dev: uint64(sys.Dev), ino: sys.Ino} //nolint:unconvert // not an uint64 everywhere
}

func (r *reader) size() int64 {
	st, err := r.file.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

// empty reports whether there is nothing in it.
func (r *reader) empty() bool {
	if !r.zipped {
		return r.size() == 0
	}
	s, err := r.stream()
	if err == nil {
		_, err = io.CopyN(io.Discard, s, 1)
	}
	return err != nil
}

// stream returns the contents as they are now, from the beginning.
func (r *reader) stream() (io.Reader, error) {
	s := io.NewSectionReader(r.file, 0, r.size())
	if r.zipped {
		return gzip.NewReader(s)
	}
	return s, nil
}

// seek goes to an offset. In a compressed file seen is known only after the next read.
func (r *reader) seek(offset int64) {
	r.at.offset, r.seen = offset, nil
	if r.zipped {
		return
	}
	seen := make([]byte, min(offset, seenSize))
	if n, _ := r.file.ReadAt(seen, offset-int64(len(seen))); n == len(seen) {
		r.seen = seen
	}
}

// seekEnd goes to the end.
func (r *reader) seekEnd() {
	if !r.zipped {
		r.seek(r.size())
		return
	}
	buf := make([]byte, chunk)
	for {
		if data, err := r.read(buf); len(data) == 0 || err != nil {
			return
		}
	}
}

// read reads on. No data and no error is the end, for now.
func (r *reader) read(buf []byte) ([]byte, error) {
	if r.zipped {
		return r.unzip(buf)
	}
	// What was seen is read again: it costs nothing, and tells in the same moment whether
	// the file was truncated, even if it has grown beyond the offset since.
	at := r.at.offset - int64(len(r.seen))
	n, err := unix.Pread(int(r.file.Fd()), buf, at)
	for err == unix.EINTR {
		n, err = unix.Pread(int(r.file.Fd()), buf, at)
	}
	if err != nil {
		return nil, err
	}
	if n < len(r.seen) || !bytes.Equal(buf[:len(r.seen)], r.seen) {
		return nil, errTruncated
	}
	data := buf[len(r.seen):n]
	r.advance(data)
	return data, nil
}

func (r *reader) unzip(buf []byte) ([]byte, error) {
	if r.gz == nil {
		s, err := r.stream()
		if err == nil {
			_, err = io.CopyN(io.Discard, s, r.at.offset)
		}
		r.gz = s
		if err != nil {
			r.gz = strings.NewReader("") // told once
			return nil, unexpected(err)
		}
	}
	for {
		n, err := r.gz.Read(buf)
		if errors.Is(err, io.EOF) {
			err = nil
		} else if n == 0 && err == nil {
			continue
		}
		if err != nil && n > 0 {
			err = nil // it comes again
		}
		if err != nil {
			r.gz = strings.NewReader("")
		}
		r.advance(buf[:n])
		return buf[:n], err
	}
}

// unexpected makes an end too early an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *reader) advance(data []byte) {
	r.at.offset += int64(len(data))
	if len(data) >= seenSize {
		r.seen = append(r.seen[:0], data[len(data)-seenSize:]...)
		return
	}
	if over := len(r.seen) + len(data) - seenSize; over > 0 {
		r.seen = append(r.seen[:0], r.seen[over:]...)
	}
	r.seen = append(r.seen, data...)
}

// place is a place in a file by what stands before it.
type place struct {
	offset int64
	seen   []byte
	mtime  time.Time // of the file
}

func (r *reader) place() place {
	p := place{offset: r.at.offset, seen: bytes.Clone(r.seen), mtime: r.mtime}
	if st, err := r.file.Stat(); err == nil {
		p.mtime = st.ModTime()
	}
	return p
}

// holds reports whether the file has the same before the place.
func (r *reader) holds(p place) bool {
	if len(p.seen) == 0 {
		return false
	}
	found := make([]byte, len(p.seen))
	at := p.offset - int64(len(found))
	if !r.zipped {
		_, err := r.file.ReadAt(found, at)
		return err == nil && bytes.Equal(found, p.seen)
	}
	s, err := r.stream()
	if err == nil {
		_, err = io.CopyN(io.Discard, s, at)
	}
	if err == nil {
		_, err = io.ReadFull(s, found)
	}
	return err == nil && bytes.Equal(found, p.seen)
}

// goOn takes over the incomplete line of the file before this one.
func (r *reader) goOn(from *reader) {
	r.hold, r.held, r.more = from.hold, from.held, from.more
}
