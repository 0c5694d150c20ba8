package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func prefixed(t *testing.T, change func(b *bench, c *Config)) *bench {
	return start(t, func(b *bench, o *Options, c *Config) {
		c.Prefix = "> "
		if change != nil {
			change(b, c)
		}
	})
}

func TestHead(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7_900_000, time.FixedZone("", 3600))
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Timestamps: RFC3339}, "2026-02-03T04:05:06.007+01:00 "},
		{Config{Timestamps: Unix, Prefix: "web: "}, "1770087906.007 web: "},
		{Config{Prefix: "a\nb "}, "a b "},
		{Config{}, ""},
	} {
		if got := string(tt.cfg.appendHead(nil, at)); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.cfg, got, tt.want)
		}
	}
}

func TestPrefix(t *testing.T) {
	b := prefixed(t, func(b *bench, c *Config) { os.WriteFile(c.File, []byte("before"), 0o600) })
	for _, part := range []string{" and\none\ntw", "o", "\n", "\n", "three"} {
		b.write(part)
		b.drain()
	}
	b.stream.Mark("mark")
	b.write("four\n")
	b.drain()
	b.want("before and\n> one\n> two\n> \n> three\n> mark\n> four\n")
	if st := b.stream.Stats(); st.Bytes != uint64(len(" and\none\ntwo\n\nthreefour\n")) {
		t.Errorf("stats %+v", st)
	}
	// Truncated in the middle of a line.
	b.write("half")
	b.drain()
	os.Truncate(b.file, 0)
	b.write("new\n")
	b.drain()
	b.want("> new\n")
}

func TestTimestamps(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { c.Timestamps = RFC3339 })
	b.write("a line\n")
	b.drain()
	m := regexp.MustCompile(`^(\S+) a line\n$`).FindStringSubmatch(b.content())
	if m == nil {
		t.Fatalf("file has %q", b.content())
	}
	if at, err := time.Parse(time.RFC3339, m[1]); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("time %q, %v", m[1], err)
	}
}

// Much of it, in all kinds of pieces.
func TestPrefixMuch(t *testing.T) {
	b := prefixed(t, nil)
	var text strings.Builder
	for i := range 20000 {
		from := text.Len()
		fmt.Fprintf(&text, "%d %s\n", i, strings.Repeat("x", i%300))
		if i%3 == 0 {
			fmt.Fprintf(&text, "%d part ", i)
		}
		b.write(text.String()[from:])
	}
	text.WriteString(strings.Repeat("y", 1<<20) + "\n")
	b.write(text.String()[text.Len()-1<<20-1:])
	b.drain()
	var want strings.Builder
	for line := range strings.Lines(text.String()) {
		want.WriteString("> " + line)
	}
	b.want(want.String())
}

// Programs that share a file do not run into each other's lines.
func TestPrefixShared(t *testing.T) {
	b := prefixed(t, nil)
	cfg := b.stream.Config()
	cfg.FIFO, cfg.Prefix = filepath.Join(b.dir, "second"), "2 "
	second, err := b.mover.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(soon(t))
	other := &bench{t: t, stream: second}
	b.write("half a li")
	b.drain()
	other.write("whole\n")
	other.drain()
	b.write("ne\n")
	b.drain()
	b.want("> half a li\n2 whole\n> ne\n")
}

func TestPrefixRotation(t *testing.T) {
	for _, size := range []int64{50, 1000, 200_000} {
		b := prefixed(t, func(b *bench, c *Config) { c.Rotation = Rotation{MaxSize: size, Backups: 1 << 20} })
		var text, want strings.Builder
		for i := 0; int64(text.Len()) < 20*size; i++ {
			from := text.Len()
			for j := 0; j == 0 || int64(text.Len()-from) < size/10; j++ {
				line := fmt.Sprintf("%d.%d %s\n", i, j, strings.Repeat("x", (i+j)%30))
				text.WriteString(line)
				want.WriteString("> " + line)
			}
			b.write(text.String()[from:])
		}
		b.drain()
		var got strings.Builder
		for n := highest(t, b.file); n >= 0; n-- {
			part := numbered(t, b.file, n)
			if int64(len(part)) > size || n > 0 && (int64(len(part)) < size/2 || !strings.HasSuffix(part, "\n")) {
				t.Errorf("number %d has %d bytes, %d allowed, and ends with %q", n, len(part), size, part[max(0, len(part)-10):])
			}
			got.WriteString(part)
		}
		if got.String() != want.String() {
			t.Errorf("%d bytes, want %d", got.Len(), want.Len())
		}
		if st := b.stream.Stats(); int(st.Bytes) != text.Len() {
			t.Errorf("stats %+v, want %d bytes", st, text.Len())
		}
	}
}

func TestPrefixLongLine(t *testing.T) {
	b := prefixed(t, func(b *bench, c *Config) { c.Rotation = Rotation{MaxSize: 1000, Backups: 100} })
	huge := strings.Repeat("z", 3<<20)
	b.write(huge + "\nend\n")
	b.drain()
	var got strings.Builder
	for n := highest(t, b.file); n >= 0; n-- {
		part := numbered(t, b.file, n)
		if len(part) > 1000+overMax || !strings.HasPrefix(part, "> ") {
			t.Errorf("number %d has %d bytes", n, len(part))
		}
		got.WriteString(strings.TrimPrefix(part, "> "))
	}
	if got.String() != huge+"\nend\n" {
		t.Errorf("%d bytes", got.Len())
	}
}

func TestPrefixRotateByHand(t *testing.T) {
	b := prefixed(t, func(b *bench, c *Config) { c.Rotation = Rotation{Backups: 3} })
	b.rotate()
	b.write("one\ntw")
	b.rotate()
	b.write("o\n")
	b.drain()
	b.wantTree(" .1")
	b.want("> o\n")
	if got := read(t, b.file+".1"); got != "> one\n> tw" {
		t.Errorf("backup has %q", got)
	}
}

// A full disk holds whole batches, and none is there by half.
func TestPrefixDiskFull(t *testing.T) {
	var disk string
	b := prefixed(t, func(b *bench, c *Config) {
		disk = filepath.Join(b.dir, "disk")
		tinyDisk(t, disk)
		if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 32<<10), 0o644); err != nil {
			t.Fatal(err)
		}
		c.File = filepath.Join(disk, "web.log")
	})
	text := strings.Repeat("0123456789abcd\n", 2500)
	b.write(text)
	await(t, "the disk is full", func() bool { return errors.Is(b.stream.Stats().Err, unix.ENOSPC) })
	if st := b.stream.Stats(); int(st.Bytes)+st.Waiting != len(text) || st.Lost != 0 {
		t.Errorf("stats %+v", st)
	}
	os.Remove(filepath.Join(disk, "ballast"))
	await(t, "it resumes", func() bool { return b.stream.Stats().Err == nil })
	b.drain()
	b.want(strings.Repeat("> 0123456789abcd\n", 2500))
	if got := b.kinds(); got != "write-failed write-resumed" {
		t.Errorf("events %q", got)
	}
}

func TestPrefixProgramGoesOn(t *testing.T) {
	b := prefixed(t, func(b *bench, c *Config) { os.Mkdir(c.File, 0o755) })
	text, _ := flood(t, b, 50_000)
	await(t, "each byte waits or is counted", func() bool {
		st := b.stream.Stats()
		return st.Lost > 0 && int(st.Lost)+st.Waiting == len(text)
	})
	os.Remove(b.file)
	await(t, "it resumes", func() bool { return b.stream.Stats().Err == nil })
	b.drain()
	b.want("> " + strings.ReplaceAll(strings.TrimSuffix(text[b.stream.Stats().Lost:], "\n"), "\n", "\n> ") + "\n")
}

// Killed at each step of a batch: the successor finishes it, takes it back, or begins it.
func TestStageSteps(t *testing.T) {
	for _, tt := range []struct {
		name   string
		file   string // as the predecessor left it
		staged string
		record record
		want   string
	}{
		{"before the record", "> a\n", "b\n", record{}, "> a\n> b\n"},
		{"before the write", "> a\n", "b\n", record{State: writing, Offset: 4, Length: 4}, "> a\n> b\n"},
		{"in the write", "> a\n> ", "b\n", record{State: writing, Offset: 4, Length: 4}, "> a\n> b\n"},
		{"after the write", "> a\n> b\n", "b\n", record{State: writing, Offset: 4, Length: 4}, "> a\n> b\n"},
		{"after that was recorded", "> a\n> b\n", "b\n", record{State: written, Offset: 4, Length: 4}, "> a\n> b\n"},
		{"half discarded", "> a\n> b\n", "\n", record{State: written, Offset: 4, Length: 4}, "> a\n> b\n"},
		{"discarded", "> a\n> b\n", "", record{State: written, Offset: 4, Length: 4}, "> a\n> b\n"},
		{"some stays", "> a\n> b\n", "b\nc\n", record{State: written, Offset: 4, Length: 4, Rest: 2}, "> a\n> b\n> c\n"},
		{"truncated meanwhile", "", "b\n", record{State: writing, Offset: 4, Length: 4}, "> b\n"},
		{"somebody appended", "> a\n> b\nx\n", "b\n", record{State: writing, Offset: 4, Length: 4}, "> a\n> b\nx\n"},
	} {
		for _, rotated := range []string{"", ".1", "-20261123"} {
			t.Run(fmt.Sprintf("%s, moved to %q", tt.name, rotated), func(t *testing.T) {
				b := prefixed(t, func(b *bench, c *Config) {
					if err := os.WriteFile(c.File, []byte(tt.file), 0o644); err != nil {
						t.Fatal(err)
					}
					var st unix.Stat_t
					if err := unix.Stat(c.File, &st); err != nil {
						t.Fatal(err)
					}
					if rotated != "" {
						if err := os.Rename(c.File, c.File+rotated); err != nil {
							t.Fatal(err)
						}
					}
					fd, err := openPipe(stagePath(c.FIFO), nil, nil)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { unix.Close(fd) })
					if _, err := unix.Write(fd, []byte(tt.staged)); tt.staged != "" && err != nil {
						t.Fatal(err)
					}
					g, err := openStage(*c, nil)
					if err != nil {
						t.Fatal(err)
					}
					r := tt.record
					if r.State != none {
						r.Dev, r.Ino = st.Dev, st.Ino
					}
					if err := g.put(r); err != nil {
						t.Fatal(err)
					}
					g.close()
				})
				b.drain()
				got := b.content()
				if rotated != "" {
					got = read(t, b.file+rotated) + got
				}
				if got != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
		}
	}
}

// A configuration that no longer asks for a prefix: what is staged is written, and the
// FIFO goes the next time.
func TestPrefixNoMore(t *testing.T) {
	b := prefixed(t, func(b *bench, c *Config) { os.Mkdir(c.File, 0o755) })
	b.write("one\n")
	await(t, "it fails", func() bool { return b.stream.Stats().Err != nil })
	files, err := b.stream.Descriptors()
	if err != nil || len(files) != 2 || filepath.Base(files[1].Name()) != "out.fifo.staging" {
		t.Fatalf("%v, %v", files, err)
	}
	if _, err := b.stream.load(peekMax); err != nil {
		t.Fatal(err)
	}
	b.stream.Close(soon(t))
	os.Remove(b.file)
	cfg := b.stream.Config()
	cfg.Prefix = ""
	for range 2 {
		if b.stream, err = b.mover.Open(cfg, files...); err != nil {
			t.Fatal(err)
		}
		b.write("two\n")
		b.drain()
		if files, err = b.stream.Descriptors(); err != nil {
			t.Fatal(err)
		}
		b.stream.Close(soon(t))
	}
	b.want("one\ntwo\ntwo\n")
	if left, _ := filepath.Glob(cfg.FIFO + ".*"); len(left) > 0 || len(files) != 1 {
		t.Errorf("%v are left, %d descriptors", left, len(files))
	}
	if b.stream, err = b.mover.Open(cfg, files...); err != nil {
		t.Fatal(err)
	}
}
