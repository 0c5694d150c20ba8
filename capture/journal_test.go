package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func journaled(t *testing.T, change func(*JournalTarget)) (*bench, *fakeJournal) {
	t.Helper()
	var f *fakeJournal
	b := start(t, func(b *bench, o *Options, c *Config) {
		o.JournalSocket = filepath.Join(b.dir, "journal")
		f = listen(t, o.JournalSocket)
		c.Journal = &JournalTarget{
			Unit: "msup-web.service", Identifier: "web", Program: "web", Name: "stderr", Priority: PriorityStderr,
		}
		if change != nil {
			change(c.Journal)
		}
	})
	return b, f
}

func TestJournalEntry(t *testing.T) {
	b, f := journaled(t, nil)
	f.serve()
	b.write("hello\n")
	b.drain()
	await(t, "one entry", func() bool { return f.count() == 1 })
	want := "SYSLOG_IDENTIFIER=web\nOBJECT_SYSTEMD_UNIT=msup-web.service\nMSUP_PROGRAM=web\nMSUP_STREAM=stderr\nPRIORITY=4\nMESSAGE=hello\n"
	if f.entries[0] != want {
		t.Errorf("entry %q\nwant  %q", f.entries[0], want)
	}
	await(t, "the count", func() bool { return b.stream.Stats().JournalLines == 1 })
}

func TestJournalFields(t *testing.T) {
	got := string(fields(JournalTarget{Unit: "u.service", UserManager: true, Identifier: "two\nlines"}))
	want := "SYSLOG_IDENTIFIER\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\nUSER_UNIT=u.service\nOBJECT_SYSTEMD_USER_UNIT=u.service\n"
	if got != want {
		t.Errorf("fields %q, want %q", got, want)
	}
}

func TestJournalLines(t *testing.T) {
	long := strings.Repeat("x", 1<<20) // cut into LineMax pieces
	tests := []struct {
		name  string
		write []string
		want  []string
	}{
		{"two lines", []string{"one\ntwo\n"}, []string{"one", "two"}},
		{"cut in the middle", []string{"on", "e\nt", "wo\n"}, []string{"one", "two"}},
		{"no newline at the end", []string{"one\ntwo"}, []string{"one", "two"}},
		{"empty lines", []string{"\n\r\n one \n\n"}, []string{" one "}},
		{"carriage return", []string{"one\r\ntwo\rthree\r\n"}, []string{"one", "two\rthree"}},
		{"binary", []string{"a\x00b\xff\n"}, []string{"a\x00b\xff"}},
		{"level", []string{"<3>bad\n<9>kept\n<3\n"}, []string{"bad", "<9>kept", "<3"}},
		{"exactly the longest", []string{long[:LineMax] + "\nx\n"}, []string{long[:LineMax], "x"}},
		{"1 MiB", []string{long, "\nend\n"}, append(pieces(long), "end")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, f := journaled(t, nil)
			f.serve()
			for _, w := range tt.write {
				b.write(w)
			}
			b.drain()
			await(t, "all entries", func() bool { return f.count() >= len(tt.want) })
			if got := f.messages(); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("messages %.300q, want %.300q", got, tt.want)
			}
			b.want(strings.Join(tt.write, ""))
		})
	}
}

func pieces(s string) []string {
	var ps []string
	for ; len(s) > LineMax; s = s[LineMax:] {
		ps = append(ps, s[:LineMax])
	}
	return append(ps, s)
}

// Whatever the pieces in which bytes come, the lines are the same.
func FuzzLines(f *testing.F) {
	f.Add("one\ntwo\r\n\nthree", 3)
	f.Add(strings.Repeat("y", LineMax+1)+"\n", LineMax)
	f.Fuzz(func(t *testing.T, text string, at int) {
		cut := func(parts ...string) string {
			s := &sender{work: make(chan struct{}, 1)}
			j := newJournalStream(s, JournalTarget{}, func(_, _ uint64) {})
			now := time.Now()
			j.budget.ready(now)
			for _, p := range parts {
				j.feed([]byte(p), now)
			}
			j.flush(now)
			var lines []string
			for _, b := range s.queue {
				from := 0
				for _, end := range b.ends {
					lines = append(lines, string(b.text[from:end]))
					from = end
				}
			}
			return strings.Join(lines, "\n")
		}
		at = max(0, min(at, len(text)))
		if whole, parts := cut(text), cut(text[:at], text[at:]); whole != parts {
			t.Errorf("whole %q, in two parts %q", clip(whole), clip(parts))
		}
	})
}

// A flood spends the budget; what exceeds it is counted, told once, and in the file.
func TestJournalBudget(t *testing.T) {
	b, f := journaled(t, func(j *JournalTarget) { j.Budget = NewBudget(1, 10) })
	f.serve()
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	b.write(text.String())
	b.drain()
	b.want(text.String())
	await(t, "the burst is told", func() bool { return b.kinds() != "" })
	st := b.stream.Stats()
	if st.JournalLines < 10 || st.JournalLines > 15 || st.JournalLines+st.JournalDropped != 1000 || st.JournalSkipped != 0 {
		t.Errorf("stats %+v", st)
	}
	await(t, "the notice", func() bool {
		m := f.messages()
		return strings.HasSuffix(m[len(m)-1], " lines not sent to the journal")
	})
	if got := b.kinds(); got != string(JournalDropped) {
		t.Errorf("events %q", got)
	}
}

// Once the budget is spent, bytes are not even looked at; then lines begin at a newline.
func TestJournalSkip(t *testing.T) {
	s := &sender{work: make(chan struct{}, 1)}
	j := newJournalStream(s, JournalTarget{Budget: NewBudget(100, 2)}, func(_, _ uint64) {})
	defer j.close()
	now := time.Now()
	j.budget.ready(now)
	j.feed([]byte("1\n2\n3\npart"), now)
	if j.wants(now) {
		t.Error("a spent budget wants more")
	}
	j.skip(100, now)
	now = now.Add(time.Second)
	if !j.wants(now) {
		t.Error("a full budget wants nothing")
	}
	j.feed([]byte("rest\nwhole\n"), now)
	if _, dropped, skipped := j.counts(); dropped != 1 || skipped != 105 {
		t.Errorf("dropped %d lines and skipped %d bytes, want 1 and 105", dropped, skipped)
	}
	if last := s.queue[len(s.queue)-1]; string(last.text) != "whole" {
		t.Errorf("queued %q, want the first whole line", last.text)
	}
}

// A journald that does not read, or is not there, delays no file.
func TestJournalAway(t *testing.T) {
	for _, mode := range []string{"absent", "silent"} {
		t.Run(mode, func(t *testing.T) {
			b, f := journaled(t, nil)
			if mode == "absent" {
				os.Remove(f.path)
			}
			text := strings.Repeat("a line of some length\n", 1000)
			for range 100 {
				b.write(text)
			}
			begin := time.Now()
			b.drain()
			if d := time.Since(begin); d > time.Second {
				t.Errorf("the drain took %v", d)
			}
			if got := len(b.content()); got != 100*len(text) {
				t.Errorf("%d bytes in the file, want %d", got, 100*len(text))
			}
			await(t, "lines are counted", func() bool { return b.stream.Stats().JournalDropped > 0 })
		})
	}
}

// journald comes back with a new socket at the same path.
func TestJournalRestart(t *testing.T) {
	b, f := journaled(t, nil)
	f.serve()
	b.write("one\n")
	b.drain()
	await(t, "one entry", func() bool { return f.count() == 1 })
	f.conn.Close()
	os.Remove(f.path)
	b.write("lost\n")
	b.drain()
	await(t, "the drop is counted", func() bool { return b.stream.Stats().JournalDropped == 1 })
	f = listen(t, f.path).serve()
	await(t, "lines arrive again", func() bool {
		b.write("two\n")
		b.drain()
		return f.count() > 0
	})
}

// The streams of a program share one budget.
func TestSharedBudget(t *testing.T) {
	var budget *Budget
	b, f := journaled(t, func(j *JournalTarget) { budget = NewBudget(1, 100); j.Budget = budget })
	f.serve()
	second, err := b.mover.Open(Config{
		FIFO: filepath.Join(b.dir, "second"), File: b.file + "2", Journal: &JournalTarget{Unit: "u.service", Budget: budget},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := &bench{t: t, stream: second}
	for i := range 100 {
		b.write(fmt.Sprintf("one %d\n", i))
		other.write(fmt.Sprintf("two %d\n", i))
	}
	b.drain()
	other.drain()
	sent := func() uint64 { return b.stream.Stats().JournalLines + second.Stats().JournalLines }
	await(t, "what the budget allows", func() bool { return sent() >= 100 })
	// Anything beyond comes at one line a second.
	if n := sent(); n > 130 {
		t.Errorf("%d lines in the journal", n)
	}
	second.Close(soon(t))
}

func TestNoBudget(t *testing.T) {
	if NewBudget(0, 5) != nil || NewBudget(7, 0).burst != 70 {
		t.Error("defaults")
	}
	b, f := journaled(t, nil)
	f.serve()
	b.write(strings.Repeat("x\n", 30000))
	b.drain()
	await(t, "all lines", func() bool { return b.stream.Stats().JournalLines == 30000 })
	_ = f
}

// A journald that is slow, then gone, then back, while the program writes: the file has
// everything at the usual speed, and each line is sent or counted.
func TestJournalSlow(t *testing.T) {
	b, f := journaled(t, nil)
	go func() {
		for buf := make([]byte, 1<<20); ; time.Sleep(time.Millisecond) {
			if _, err := f.conn.Read(buf); err != nil {
				return
			}
		}
	}()
	var text strings.Builder
	lines := 0
	var longest time.Duration
	for phase := range 3 {
		switch phase {
		case 1:
			f.conn.Close()
			os.Remove(f.path)
		case 2:
			f = listen(t, f.path).serve()
		}
		for range 200 {
			from := text.Len()
			for range 100 {
				fmt.Fprintf(&text, "line %d of some length, so that it takes some room\n", lines)
				lines++
			}
			b.write(text.String()[from:])
			begin := time.Now()
			b.drain()
			longest = max(longest, time.Since(begin))
		}
	}
	if longest > 500*time.Millisecond {
		t.Errorf("a drain took %v", longest)
	}
	b.want(text.String())
	var st Stats
	await(t, "each line is sent or counted", func() bool {
		st = b.stream.Stats()
		return st.JournalLines+st.JournalDropped == uint64(lines)
	})
	if st.JournalDropped == 0 || st.JournalLines == 0 || st.JournalSkipped != 0 || st.Bytes != uint64(text.Len()) {
		t.Errorf("stats %+v", st)
	}
}
