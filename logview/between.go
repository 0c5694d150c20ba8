package logview

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Place is a place in a file of a log, which keeps its inode when it is rotated.
type Place struct {
	Inode  uint64 // 0 = there was no file yet
	Offset int64  // bytes
}

// ErrGone says that a file of a log is there no more: it was deleted, truncated, or
// compressed, which makes another file of it.
var ErrGone = errors.New("the file that had it was deleted, truncated or compressed since")

const (
	betweenMax = 1 << 20 // bytes of a file that are looked at
	lineMax    = 4 << 10 // bytes that are returned of a line
)

// Between returns the last n lines of a log and its rotated files that stand between two
// places; from = nil is the beginning. The error is [ErrGone] where the second place
// cannot be found any more; without the first one, everything before the second is taken.
func Between(path string, from, to *Place, n int) ([]string, error) {
	if to.Inode == 0 || n <= 0 {
		return nil, nil
	}
	files, problems := chain(path)
	defer closeAll(files)
	last := slices.IndexFunc(files, func(r *reader) bool { return r.at.ino == to.Inode && !r.zipped })
	if last < 0 || files[last].size() < to.Offset {
		return nil, errors.Join(append([]error{fmt.Errorf("cannot read %s: %w", path, ErrGone)}, problems...)...)
	}
	var lines []string
	for i := last; i >= 0 && len(lines) < n; i-- {
		r := files[i]
		low, high := int64(0), r.size()
		if i == last {
			high = to.Offset
		}
		begun := from != nil && r.at.ino == from.Inode
		if begun {
			low = min(from.Offset, high)
		}
		more, err := r.lastLines(low, high, n-len(lines))
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", r.path, err)
		}
		if lines = append(more, lines...); begun {
			break
		}
	}
	return lines, nil
}

// lastLines returns the last n lines of a part of the file.
func (r *reader) lastLines(low, high int64, n int) ([]string, error) {
	var text []byte
	if r.zipped {
		// It stands before the file that was asked for, so it is read to its end.
		s, err := r.stream()
		if err != nil {
			return nil, err
		}
		at, _, _ := lastLines(s, n)
		if s, err = r.stream(); err == nil {
			_, err = io.CopyN(io.Discard, s, at)
		}
		if err != nil {
			return nil, err
		}
		if text, err = io.ReadAll(io.LimitReader(s, betweenMax)); err != nil {
			return nil, err
		}
		return splitLines(text), nil
	}
	part := io.NewSectionReader(r.file, low, high-low)
	at, _, err := linesBack(part, high-low, n)
	if err != nil {
		return nil, err
	}
	at = max(at, high-low-betweenMax)
	text = make([]byte, high-low-at)
	if _, err := part.ReadAt(text, at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return splitLines(text), nil
}

func splitLines(text []byte) []string {
	var lines []string
	for line := range bytes.Lines(text) {
		lines = append(lines, clip(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))))
	}
	return lines
}

// clip is the beginning of a line that is too long.
func clip(line []byte) string {
	if len(line) > lineMax {
		return string(bytes.ToValidUTF8(line[:lineMax], nil)) + "…"
	}
	return string(line)
}
