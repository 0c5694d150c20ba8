package capture

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestScan(t *testing.T) {
	pattern := regexp.MustCompile(`ready on \d+$`)
	long := strings.Repeat("x", 20)
	for _, tt := range []struct {
		name, data string
		long       bool // before
		free       int
		line       string
		after      bool // long
	}{
		{"nothing", "", false, 0, "", false},
		{"no line", "read", false, 0, "", false},
		{"other lines", "one\ntwo\n", false, 8, "", false},
		{"and the begin of one", "one\nready on 80", false, 4, "", false},
		{"the line", "one\nready on 80\ntwo\n", false, 4, "ready on 80", false},
		{"with CR", "ready on 80\r\n", false, 0, "ready on 80", false},
		{"the first of two", "ready on 1\nready on 2\n", false, 0, "ready on 1", false},
		{"binary", "\x00\xff\xfe\n\xff ready on 80\n", false, 4, "\xff ready on 80", false},
		{"a long line without its end", long, false, 20, "", true},
		{"goes on", long + "ready on 80", true, 31, "", true},
		{"and ends", long + "ready on 80\nrea", true, 32, "", false},
		{"a long line", long + " ready on 80\n", false, 33, "", false},
		{"a long line that begins so", strings.Repeat("x", 5) + "ready on 80" + long, false, 0, "xxxxxready on 80", false},
	} {
		e := &Expectation{Pattern: pattern, long: tt.long}
		if tt.name == "a long line that begins so" {
			e.Pattern = regexp.MustCompile(`ready on \d+`)
		}
		free, line, after := e.scan([]byte(tt.data), 16)
		if free != tt.free || string(line) != tt.line || after != tt.after {
			t.Errorf("%s: %d, %q, %t; want %d, %q, %t", tt.name, free, line, after, tt.free, tt.line, tt.after)
		}
	}
	// An empty line is a line.
	if _, line, _ := (&Expectation{Pattern: regexp.MustCompile(`^$`)}).scan([]byte("a\n\n"), 16); line == nil || len(line) != 0 {
		t.Errorf("an empty line: %q", line)
	}
}

// expecting is a stream that waits for "ready"; the line is sent to found, and whether it is
// taken is asked of taken.
func expecting(t *testing.T, change func(*Config)) (b *bench, found chan string, taken chan bool) {
	found, taken = make(chan string, 10), make(chan bool, 10)
	b = start(t, func(_ *bench, _ *Options, c *Config) {
		c.Expect = &Expectation{Pattern: regexp.MustCompile("ready"), Found: func(line []byte) bool {
			found <- string(line)
			return <-taken
		}}
		if change != nil {
			change(c)
		}
	})
	return b, found, taken
}

// The line stays in the pipe until it has been taken. What comes before is moved, what comes
// after waits.
func TestExpect(t *testing.T) {
	for name, prefix := range map[string]string{"": "", "staged": "| "} {
		t.Run(name, func(t *testing.T) {
			b, found, taken := expecting(t, func(c *Config) { c.Prefix = prefix })
			b.write("one\ntw")
			await(t, "what comes before is there", func() bool { return b.content() == prefix+"one\n" })
			b.write("o\n")
			await(t, "the line is there when it has ended", func() bool { return b.content() == prefix+"one\n"+prefix+"two\n" })
			b.write("is ready\nthree\n")
			if line := <-found; line != "is ready" {
				t.Errorf("found %q", line)
			}
			time.Sleep(20 * time.Millisecond) // whatever moves it would have done so by then
			b.want(prefix + "one\n" + prefix + "two\n")
			taken <- true
			b.drain()
			all := prefix + "one\n" + prefix + "two\n" + prefix + "is ready\n" + prefix + "three\n"
			b.want(all)
			// Nothing is looked at any more, and nothing held back.
			b.write("ready again")
			b.drain()
			b.want(all + prefix + "ready again")
			if len(found) > 0 || b.stream.expected.Load() != nil {
				t.Error("it still looks")
			}
		})
	}
}

// A line that is not taken is found again by the next stream, and is in the file once.
func TestExpectAcrossStreams(t *testing.T) {
	for name, prefix := range map[string]string{"": "", "staged": "| "} {
		t.Run(name, func(t *testing.T) {
			b, found, taken := expecting(t, func(c *Config) { c.Prefix = prefix })
			kept, err := b.stream.Descriptors()
			if err != nil {
				t.Fatal(err)
			}
			b.write("one\nready\ntwo\nthr")
			<-found
			taken <- false
			if err := b.stream.Close(soon(t)); err == nil {
				t.Error("closed as if all were written")
			}
			again := make(chan string, 10)
			cfg := b.stream.Config()
			cfg.Expect = &Expectation{Pattern: regexp.MustCompile("ready"), Found: func(line []byte) bool {
				again <- string(line)
				return true
			}}
			b.stream, err = b.mover.Open(cfg, kept...)
			if err != nil {
				t.Fatal(err)
			}
			if line := <-again; line != "ready" {
				t.Errorf("found %q", line)
			}
			b.write("ee\n")
			b.drain()
			b.want(prefix + "one\n" + prefix + "ready\n" + prefix + "two\n" + prefix + "three\n")
		})
	}
}

// The begin of a line is not waited for by those who ask for what is there, and stays for who
// comes next.
func TestBeginOfALine(t *testing.T) {
	b, found, taken := expecting(t, nil)
	kept, err := b.stream.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	b.write("one\nrea")
	b.drain()
	b.want("one\n")
	b.stream.Mark("started")
	await(t, "the mark is there", func() bool { return b.content() == "one\nstarted\n" })
	began := time.Now()
	if err := b.stream.Close(soon(t)); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	b.want("one\nstarted\n")
	cfg := b.stream.Config()
	taken <- true
	if b.stream, err = b.mover.Open(cfg, kept...); err != nil {
		t.Fatal(err)
	}
	b.write("dy\n")
	if line := <-found; line != "ready" {
		t.Errorf("found %q", line)
	}
	b.drain()
	b.want("one\nstarted\nready\n")
	// It goes when nobody expects anything any more.
	b.stream.Expect(&Expectation{Pattern: regexp.MustCompile("x")})
	b.write("four")
	b.drain()
	b.want("one\nstarted\nready\n")
	b.stream.Expect(nil)
	await(t, "all is there", func() bool { return b.content() == "one\nstarted\nready\nfour" })
}

// What was written before does not count, although it is still there because the file cannot be
// written.
func TestExpectBehindABrokenFile(t *testing.T) {
	found := make(chan string, 10)
	b := start(t, func(b *bench, _ *Options, c *Config) {
		if err := os.WriteFile(filepath.Join(b.dir, "d"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c.File = filepath.Join(b.dir, "d", "out.log")
	})
	b.write("ready before\n")
	if err := b.stream.Drain(soon(t)); err == nil {
		t.Fatal("the file can be written")
	}
	b.stream.Expect(&Expectation{Pattern: regexp.MustCompile("ready"), Found: func(line []byte) bool {
		found <- string(line)
		return true
	}})
	if err := os.Remove(filepath.Join(b.dir, "d")); err != nil {
		t.Fatal(err)
	}
	b.write("ready now\n")
	if line := <-found; line != "ready now" {
		t.Errorf("found %q", line)
	}
	await(t, "all is there", func() bool {
		text, _ := os.ReadFile(b.file)
		return string(text) == "ready before\nready now\n"
	})
}

// Much output, in pieces of all sizes, with lines of all lengths: every byte is in the file, and
// the line is found wherever it stands.
func TestExpectInMuchOutput(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 5 {
		var text []byte
		for range 2000 {
			line := make([]byte, r.IntN(1<<r.IntN(15)))
			for i := range line {
				line[i] = byte('a' + r.IntN(3))
			}
			text = append(append(text, line...), '\n')
		}
		at := r.IntN(len(text))
		for at > 0 && text[at-1] != '\n' {
			at--
		}
		all := string(text[:at]) + "now ready\n" + string(text[at:])
		var before atomic.Int64
		b := start(t, func(b *bench, _ *Options, c *Config) {
			c.Expect = &Expectation{Pattern: regexp.MustCompile("^now ready$"), Found: func([]byte) bool {
				st, err := os.Stat(filepath.Join(b.dir, "out.log"))
				if err == nil {
					before.Store(st.Size() + 1)
				}
				return true
			}}
		})
		for rest := all; rest != ""; {
			n := min(len(rest), 1+r.IntN(1<<r.IntN(17)))
			b.write(rest[:n])
			rest = rest[n:]
		}
		b.drain()
		await(t, "it is found", func() bool { return before.Load() > 0 })
		if b.content() != all || before.Load()-1 > int64(at) {
			t.Errorf("of %d bytes there are %d; found when %d were there, the line is at %d", len(all), len(b.content()), before.Load()-1, at)
		}
	}
}

// /dev/null takes the output of who writes to the journal alone.
func TestExpectWithoutAFile(t *testing.T) {
	j := listen(t, filepath.Join(t.TempDir(), "journal")).serve()
	found := make(chan string, 1)
	b := start(t, func(_ *bench, o *Options, c *Config) {
		o.JournalSocket = j.path
		c.File, c.Journal = os.DevNull, &JournalTarget{Unit: "msup-web.service"}
		c.Rotation = Rotation{MaxSize: 4096, Backups: 3}
		c.Expect = &Expectation{Pattern: regexp.MustCompile("ready"), Found: func(line []byte) bool {
			found <- string(line)
			return true
		}}
	})
	b.write("one\nready\ntwo\n")
	<-found
	b.drain()
	await(t, "the journal has the lines", func() bool { return strings.Join(j.messages(), " ") == "one ready two" })
	b.write(strings.Repeat("x\n", 10000))
	b.drain()
	if st := b.stream.Stats(); st.Err != nil || st.RotateErr != nil || st.Bytes != 20014 {
		t.Errorf("stats %+v", st)
	}
}
