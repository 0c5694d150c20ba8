package logview

import (
	"bytes"
	"io"
	"slices"
	"time"
)

// start is where the reading of a log begins.
type start struct {
	files    []*reader // oldest first, at their places
	before   place
	problems []error
	timed    bool // lines carry times; known only where a window asks for it
	byFile   bool // they do not, and whole files were chosen by time
	torn     bool // the log was truncated while it was looked at
	older    bool // there are files before these
}

// begin finds the place where the window begins in a log and its rotated files.
func begin(path string, w Window) *start {
	n := w.Lines
	if !w.Until.IsZero() {
		n = -1 // the last ones before that time are not the last ones
	}
	for try := 0; ; try++ {
		s := &start{}
		s.find(path, n, w.Since)
		// A log that was truncated since is looked at anew.
		if len(s.files) == 0 || !s.torn && s.files[len(s.files)-1].grown() || try == chainTries {
			s.choose(w)
			return s
		}
		closeAll(s.files)
	}
}

// grown reports whether the file has all that it had when it was opened. It is asked
// before anything is read on.
func (r *reader) grown() bool {
	return r.size() >= r.opened && (r.zipped || len(r.seen) == int(min(r.at.offset, seenSize)))
}

// find finds the last n lines, in files that were written at since or later.
func (s *start) find(path string, n int, since time.Time) {
	// Most often the log alone will do.
	if r, err := openReader(path, 0, false); err == nil {
		if !since.IsZero() && r.mtime.Before(since) {
			n = 0
		}
		if n >= 0 {
			at, _, err := linesBack(r.file, r.opened, n)
			if s.torn = err != nil; at >= seenSize || s.torn {
				r.seek(at)
				s.files = []*reader{r}
				return
			}
		}
		r.file.Close()
	}
	s.files, s.problems = chain(path)
	if len(s.files) == 0 {
		return
	}
	from := s.back(n, since)
	if from == len(s.files) { // nothing of the past: from the end of the last file on
		from--
		s.files[from].seekEnd()
	}
	if r := s.files[from]; r.number == 0 && r.at.offset < seenSize {
		s.before = endOf(s.files[:from])
	}
	closeAll(s.files[:from])
	s.files, s.older = s.files[from:], from > 0
}

// back returns which of the files the last n lines begin in, and goes to the place there.
// It goes through no file that was last written before since.
func (s *start) back(n int, since time.Time) int {
	if n == 0 {
		return len(s.files)
	}
	contents := false // of a later file
	for i, r := range slices.Backward(s.files) {
		if !since.IsZero() && r.mtime.Before(since) {
			return i + 1
		}
		if n < 0 {
			continue
		}
		at, got, ended, err := r.back(n)
		if !ended && contents && err == nil {
			// Its last line goes on in the file behind it, where it was counted.
			n++
			at, got, _, err = r.back(n)
		}
		s.torn = s.torn || err != nil
		if n == 0 {
			return i + 1
		}
		if n -= got; at > 0 {
			r.seek(at)
			return i
		}
		contents = contents || got > 0
	}
	return 0
}

// back returns where the last n lines begin, how many lines there are, up to n, and whether
// the last one is complete. A compressed file ends where it is damaged.
func (r *reader) back(n int) (at int64, got int, ended bool, err error) {
	if r.zipped {
		s, err := r.stream()
		if err != nil {
			return 0, 0, true, nil
		}
		at, got, ended = lastLines(s, n)
		return at, got, ended, nil
	}
	size := r.size()
	end := []byte{'\n'}
	if size > 0 {
		_, _ = r.file.ReadAt(end, size-1)
	}
	at, got, err = linesBack(r.file, size, n)
	return at, got, end[0] == '\n', err
}

// linesBack returns the offset at which the last n lines before end begin, and how many
// there are. An incomplete last line counts as one.
func linesBack(f io.ReaderAt, end int64, n int) (at int64, got int, err error) {
	if n == 0 || end == 0 {
		return end, 0, nil
	}
	buf := make([]byte, min(end, 32<<10))
	for at = end; at > 0; {
		size := min(int64(len(buf)), at)
		block := buf[:size]
		if _, err := f.ReadAt(block, at-size); err != nil {
			return 0, 0, err // it shrinks under our hands
		}
		if at == end {
			block = block[:size-1] // the newline that ends the last line begins no other
		}
		for {
			i := bytes.LastIndexByte(block, '\n')
			if i < 0 {
				break
			}
			if got++; got == n {
				return at - size + int64(i) + 1, got, nil
			}
			block = block[:i]
		}
		at -= size
	}
	return 0, got + 1, nil
}

// lastLines is linesBack for what can only be read forwards; what cannot be read ends it.
// It keeps n offsets.
func lastLines(s io.Reader, n int) (at int64, got int, ended bool) {
	var starts []int64 // a ring when it has n
	oldest := 0
	ended = true
	buf := make([]byte, chunk)
	for offset := int64(0); ; {
		size, err := s.Read(buf)
		for data := buf[:size]; len(data) > 0; {
			if ended && n > 0 {
				if len(starts) < n {
					starts = append(starts, offset)
				} else {
					starts[oldest] = offset
					oldest = (oldest + 1) % n
				}
			}
			i := bytes.IndexByte(data, '\n')
			ended = i >= 0
			if !ended {
				i = len(data) - 1
			}
			offset += int64(i) + 1
			data = data[i+1:]
		}
		if err != nil {
			if len(starts) == 0 {
				return offset, 0, ended
			}
			return starts[oldest], len(starts), ended
		}
	}
}

// choose narrows the files to the window by the times of their lines, or, where lines have
// none, by the times of the files.
func (s *start) choose(w Window) {
	if !w.timed() || len(s.files) == 0 {
		return
	}
	contents := false
	for _, r := range s.files {
		if r.size() > r.at.offset {
			contents = true
			s.timed = s.timed || r.hasTimes()
		}
	}
	s.byFile = contents && !s.timed
	if s.byFile && !w.Until.IsZero() {
		// A file was begun when the one before it was written for the last time.
		for i := 1; i < len(s.files); i++ {
			if s.files[i-1].mtime.After(w.Until) {
				closeAll(s.files[i:])
				s.files = s.files[:i]
				break
			}
		}
	}
	r := s.files[0]
	if !s.timed || w.Since.IsZero() || r.at.offset > 0 {
		return
	}
	if !r.zipped {
		r.seek(sinceOffset(r.file, r.size(), w.Since))
	}
	if stream, err := r.stream(); err == nil && s.older && r.at.offset == 0 {
		// Lines without a time at the beginning belong to the file before.
		buf := make([]byte, sample)
		n, _ := io.ReadFull(stream, buf)
		if at, _ := firstStamp(buf[:n]); at > 0 {
			r.seek(int64(at))
		}
	}
}

// sample is how much of a file is looked at for times.
const sample = 64 << 10

// hasTimes reports whether lines of the file begin with times, as far as its beginning and
// its end tell.
func (r *reader) hasTimes() bool {
	buf := make([]byte, sample)
	if s, err := r.stream(); err == nil {
		n, _ := io.ReadFull(s, buf)
		if at, _ := firstStamp(buf[:n]); at >= 0 {
			return true
		}
	}
	if size := r.size(); !r.zipped && size > sample {
		n, _ := r.file.ReadAt(buf, size-sample)
		_, rest, _ := bytes.Cut(buf[:n], []byte("\n"))
		at, _ := firstStamp(rest)
		return at >= 0
	}
	return false
}

// firstStamp finds the first line with a time in text that begins with a line.
func firstStamp(text []byte) (at int, stamp int64) {
	for at < len(text) {
		if stamp = stampOf(text[at:min(len(text), at+128)]); stamp != 0 {
			return at, stamp
		}
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	return -1, 0
}

// outOfOrder is how far lines may stand from where their times would put them: several
// threads write, a clock is set.
const outOfOrder = time.Minute

// sinceOffset returns an offset at which a line begins, with all lines of that time or
// later behind it, as far as times ascend.
func sinceOffset(f io.ReaderAt, size int64, since time.Time) int64 {
	early := since.Add(-outOfOrder).UnixNano()
	buf := make([]byte, sample)
	low, high := int64(0), size
	for high-low > sample {
		mid := low + (high-low)/2
		n, _ := f.ReadAt(buf, mid)
		head, rest, ok := bytes.Cut(buf[:n], []byte("\n"))
		at, stamp := -1, int64(0)
		if ok {
			at, stamp = firstStamp(rest)
		}
		if at >= 0 && stamp < early {
			low = mid + int64(len(head)) + 1 + int64(at)
		} else {
			high = mid
		}
	}
	return low
}
