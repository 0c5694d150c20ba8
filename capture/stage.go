package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A stream that puts something before each line cannot be spliced into its file, and yet a
// kill at any moment must neither lose nor double a byte. So its bytes are spliced into a
// second FIFO first, the staging one. What is in it is one batch, looked at and written at
// a known offset, which a record beside it holds; then the batch is discarded. Whoever finds
// a batch and a record knows from the size of the file how far that has come.

// stage is the staging FIFO of a stream and its record.
type stage struct {
	path   string
	pipe   int
	file   *os.File
	record record
}

// record says what is being done with the bytes in the staging FIFO.
type record struct {
	State    int64  // none, writing or written
	Dev, Ino uint64 // of the file
	Offset   int64  // where the bytes go
	Length   int64  // how many they are in the file
	Rest     int64  // how many stay in the staging FIFO when they are written
}

const (
	none    = iota
	writing // between Offset and Offset + Length, which was the end of the file
	written // to be discarded
)

// StagingSuffix is what the name of a staging FIFO has behind that of its stream's.
const StagingSuffix = ".staging"

func stagePath(fifo string) string  { return fifo + StagingSuffix }
func recordPath(fifo string) string { return fifo + ".record" }

// openStage opens the staging FIFO beside cfg.FIFO, or takes over kept. It returns nil
// where the stream needs none and no earlier one has left bytes in it.
func openStage(cfg Config, kept *os.File) (*stage, error) {
	path := stagePath(cfg.FIFO)
	if !cfg.Stamped() && kept == nil {
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	pipe, err := openPipe(path, kept, nil)
	if err != nil {
		return nil, err
	}
	g := &stage{path: path, pipe: pipe}
	if n, err := readable(pipe); !cfg.Stamped() && n == 0 && err == nil {
		g.close()
		return nil, g.remove(cfg.FIFO)
	}
	// As much as is looked at in one go; if that is refused, batches are smaller.
	_, _ = unix.FcntlInt(uintptr(pipe), unix.F_SETPIPE_SZ, peekMax)
	fd, err := unix.Open(recordPath(cfg.FIFO), unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		g.close()
		return nil, fmt.Errorf("cannot open %s: %w", recordPath(cfg.FIFO), err)
	}
	g.file = os.NewFile(uintptr(fd), recordPath(cfg.FIFO))
	b := make([]byte, binary.Size(g.record))
	if n, _ := g.file.ReadAt(b, 0); n == len(b) {
		_ = binary.Read(bytes.NewReader(b), binary.NativeEndian, &g.record)
	}
	return g, nil
}

// put writes the record. A kill cannot divide it: it is one small write within a page.
func (g *stage) put(r record) error {
	b, err := binary.Append(nil, binary.NativeEndian, r)
	if err == nil {
		_, err = g.file.WriteAt(b, 0)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", g.file.Name(), bare(err))
	}
	g.record = r
	return nil
}

// state changes only what is being done.
func (g *stage) state(state int64) error {
	r := g.record
	r.State = state
	return g.put(r)
}

// settle finishes, or takes back, what is on record: a predecessor was killed, or the disk
// failed in the middle. It returns how many bytes are in the file by that and no longer in
// the staging FIFO. It is called with t.mu held and the file open.
func (s *Stream) settle() (int, error) {
	g := s.stage
	if g.record.State == none {
		return 0, nil
	}
	held, err := readable(g.pipe)
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", g.path, err)
	}
	if g.record.State == writing && held > 0 {
		done, err := s.target.takeBack(g.record)
		if err == nil && done {
			err = g.state(written)
		}
		if err != nil {
			return 0, err
		}
	}
	n := 0
	if g.record.State == written {
		n = max(0, held-int(g.record.Rest))
		if err := s.mover.discard(g.pipe, n); err != nil {
			return 0, fmt.Errorf("cannot read %s: %w", g.path, err)
		}
	}
	return n, g.state(none)
}

// oldest returns the pipe that has the oldest bytes, for who wants to discard them.
func (s *Stream) oldest() int {
	if g := s.stage; g != nil {
		if n, err := readable(g.pipe); err == nil && n > 0 {
			_ = g.state(none) // what is left of them was not written
			return g.pipe
		}
	}
	return s.pipe
}

// waiting returns how many bytes are in the pipe and the staging FIFO.
func (s *Stream) waiting() (int, error) {
	n, err := readable(s.pipe)
	if s.stage != nil && err == nil {
		var held int
		held, err = readable(s.stage.pipe)
		n += held
	}
	return n, err
}

// takeBack looks how much of what r says is in its file. All of it: done. Some of it: the
// file gets the size that it had before.
func (t *target) takeBack(r record) (done bool, err error) {
	fd := t.fd
	if t.dev != r.Dev || t.ino != r.Ino {
		// Somebody else has rotated it meanwhile.
		if fd, err = t.openMoved(r); fd < 0 || err != nil {
			return false, err
		}
		defer unix.Close(fd)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, fmt.Errorf("cannot write %s: %w", t.path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG, st.Size <= r.Offset:
		return false, nil
	case st.Size >= r.Offset+r.Length:
		return true, nil
	}
	if err := unix.Ftruncate(fd, r.Offset); err != nil {
		return false, fmt.Errorf("cannot truncate %s: %w", t.path, err)
	}
	return false, nil
}

// openMoved opens the file that r is about, which has another name in its folder now; -1 =
// it is not there.
func (t *target) openMoved(r record) (int, error) {
	dir, _, err := openFolder(t.path)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	all, err := list(dir)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	for _, name := range all {
		if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Dev != r.Dev || st.Ino != r.Ino {
			continue
		}
		fd, st, err := openFile(dir, name, t.mode, t.owner)
		if err == nil && (st.Dev != r.Dev || st.Ino != r.Ino) {
			unix.Close(fd)
			return -1, nil
		}
		return fd, err
	}
	return -1, nil
}

func (g *stage) close() {
	unix.Close(g.pipe)
	if g.file != nil {
		g.file.Close()
	}
}

// remove deletes the FIFO and the record that belong to the FIFO of that path.
func (g *stage) remove(fifo string) error {
	var errs []error
	for _, path := range []string{g.path, recordPath(fifo)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("cannot remove %s: %w", path, bare(err)))
		}
	}
	return errors.Join(errs...)
}
