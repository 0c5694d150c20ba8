//go:build linux

package torture

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
)

// check reads a file against the books: the lines of each life, from 1 to the last, one life after the other.
func (o output) check(text []byte, lives []*life) error {
	type place struct {
		life, stream int
	}
	number := map[string]int{} // of a life
	for i, l := range lives {
		number[l.id] = i
	}
	next := map[place]int{}
	last, n := 0, 0
	for line := range bytes.Lines(text) {
		n++
		var id string
		var stream, count int
		if _, err := fmt.Sscanf(string(line), "%s %d %d", &id, &stream, &count); err != nil {
			return fmt.Errorf("line %d is none: %.120q", n, line)
		}
		stream--
		i, ok := number[id]
		if !ok {
			return fmt.Errorf("line %d is of no life in the book: %.120q", n, line)
		}
		if want := fill(id, stream, count, o.width); string(line) != want {
			return fmt.Errorf("line %d is %.120q, want %.120q", n, line, want)
		}
		if i < last {
			return fmt.Errorf("line %d is of a life that was over: %.120q", n, line)
		}
		last = i
		at := place{i, stream}
		if o.joint {
			at.stream = 0
		}
		if next[at]++; count != next[at] {
			return fmt.Errorf("line %d is number %d of its life, want %d: %.60q", n, count, next[at], line)
		}
	}
	for i, l := range lives {
		for _, s := range o.streams {
			if o.joint && s > 0 {
				continue
			}
			if got := next[place{i, s}]; l.final && got != l.counts[s] {
				return fmt.Errorf("%v wrote %d lines, %d are there", l, l.counts[s], got)
			}
		}
	}
	return nil
}

// fill is the line that victim writes, see there.
func fill(id string, stream, count, width int) string {
	head := fmt.Sprintf("%s %d %d ", id, stream+1, count)
	return head + strings.Repeat(string(rune('a'+(count-1)%26)), max(0, width-len(head)-1)) + "\n"
}

func readMaybeCompressed(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return text, nil
}
