package logview

import (
	"bytes"
	"time"
	"unicode/utf8"
)

const maxLine = 64 << 10 // bytes of an incomplete line that are held back at most

// feed cuts data into lines and keeps an incomplete last one.
func (r *reader) feed(src Source, data []byte, o *output) error {
	lines := o.lines[:0]
	first := true
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		text := data[:i]
		if first && len(r.hold) > 0 {
			r.hold = append(r.hold, text...)
			text = r.hold
		}
		lines = append(lines, Line{Program: src.Program, Stream: src.Stream, Text: text, Rest: r.more})
		r.more, first = false, false
		data = data[i+1:]
	}
	o.lines = lines
	if len(lines) > 0 {
		if err := o.give(lines); err != nil {
			return err
		}
		r.hold = r.hold[:0]
	}
	if len(data) > 0 {
		r.hold = append(r.hold, data...)
		r.held = time.Now()
	}
	if len(r.hold) > maxLine {
		return r.part(src, o)
	}
	return nil
}

// part gives out what there is of an incomplete line.
func (r *reader) part(src Source, o *output) error {
	text := r.hold
	// Do not cut a character in two.
	cut := len(text)
	for i := 1; i < utf8.UTFMax && i < len(text); i++ {
		if b := text[len(text)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(text[len(text)-i:]) {
				cut -= i
			}
			break
		}
	}
	err := o.give([]Line{{Program: src.Program, Stream: src.Stream, Text: text[:cut], More: true, Rest: r.more}})
	r.hold, r.more = append(r.hold[:0], text[cut:]...), true
	r.held = time.Now()
	return err
}

// end gives out an incomplete line as if it were complete.
func (r *reader) end(src Source, o *output) error {
	if len(r.hold) == 0 && !r.more {
		return nil
	}
	err := o.give([]Line{{Program: src.Program, Stream: src.Stream, Text: r.hold, Rest: r.more}})
	r.hold, r.more = r.hold[:0], false
	return err
}
