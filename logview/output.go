package logview

import (
	"errors"
	"fmt"
	"io/fs"
)

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
	text := problemText(err)
	if errors.Is(err, errNotRegular) || t.noted[text] {
		return o.err
	}
	if t.noted == nil {
		t.noted = map[string]bool{}
	}
	t.noted[text] = true
	return o.give([]Line{{Program: t.src.Program, Stream: t.src.Stream, Text: []byte(text), Note: true}})
}

func problemText(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("cannot read %s: %v", pe.Path, pe.Err)
	}
	return "cannot read: " + err.Error()
}
