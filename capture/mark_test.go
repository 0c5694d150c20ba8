package capture

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestMark(t *testing.T) {
	b := start(t, nil)
	b.stream.Mark("started")
	b.write("one\ntw")
	b.stream.Mark("ended:\nexit status 1")
	b.stream.Mark("started")
	b.write("o\n")
	b.drain()
	b.want("started\none\ntw\nended: exit status 1\nstarted\no\n")
	if st := b.stream.Stats(); st.Bytes != 8 {
		t.Errorf("stats %+v", st)
	}
}

// While the mover is at work a mark may come behind what was written right after it was
// asked for, but never before what was written until then.
func TestMarkWhileMoving(t *testing.T) {
	b := start(t, nil)
	for i := range 2000 {
		b.write(fmt.Sprintln(i))
		b.stream.Mark(fmt.Sprint("mark ", i))
	}
	b.drain()
	last, marks := -1, 0
	for line := range strings.Lines(b.content()) {
		var i int
		if _, err := fmt.Sscanf(line, "mark %d", &i); err == nil {
			if marks++; i > last {
				t.Fatalf("mark %d is before line %d", i, i)
			}
		} else if fmt.Sscan(line, &i); i != last+1 {
			t.Fatalf("line %q after line %d", line, last)
		} else {
			last = i
		}
	}
	if last != 1999 || marks != 2000 {
		t.Errorf("%d lines, %d marks", last+1, marks)
	}
}

func TestMarkCannotBeWritten(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { os.Mkdir(c.File, 0o755) })
	b.write("held\n")
	b.stream.Mark("dropped")
	await(t, "it fails", func() bool { return b.stream.Drain(soon(t)) != nil })
	os.Remove(b.file)
	await(t, "it resumes", func() bool { return b.stream.Stats().Err == nil })
	b.drain()
	b.want("held\n")
}
