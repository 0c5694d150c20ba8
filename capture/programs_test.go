package capture

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program starts a command with the FIFO as standard output and error, as systemd does.
func (b *bench) program(name string, args ...string) *exec.Cmd {
	b.t.Helper()
	w, err := b.stream.WriteEnd()
	if err != nil {
		b.t.Fatal(err)
	}
	defer w.Close()
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) shell(script string) {
	b.t.Helper()
	if err := b.program("sh", "-c", script).Wait(); err != nil {
		b.t.Fatal(err)
	}
}

// A line that never ends is in the file as it comes.
func TestNoNewline(t *testing.T) {
	for _, prefix := range []string{"", "> "} {
		b := start(t, func(b *bench, o *Options, c *Config) { c.Prefix = prefix })
		want := prefix
		for range 5 {
			b.shell("printf .")
			want += "."
			await(t, "the dot is in the file", func() bool { return b.content() == want })
		}
	}
}

func TestMiBLines(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) {
		o.JournalSocket = listen(t, filepath.Join(b.dir, "journal")).serve().path
		c.Journal = &JournalTarget{Unit: "u.service"}
		c.Rotation = Rotation{MaxSize: 5 << 20, Backups: 100}
	})
	line := strings.Repeat("0123456789abcdef", 1<<16) + "\n"
	for range 20 {
		b.write(line)
	}
	b.drain()
	var got strings.Builder
	n := highest(t, b.file)
	for i := n; i >= 0; i-- {
		part := numbered(t, b.file, i)
		if i > 0 && len(part) != 5*len(line) {
			t.Errorf("number %d has %d bytes", i, len(part))
		}
		got.WriteString(part)
	}
	if got.String() != strings.Repeat(line, 20) {
		t.Errorf("%d bytes in %d files", got.Len(), n+1)
	}
}

// A gigabyte through rotation, with a limit that is far from a multiple of a page.
func TestGigabyte(t *testing.T) {
	const total = 1 << 30
	b := rotating(t, Rotation{MaxSize: 100_000_001, Backups: 3})
	w, err := b.stream.WriteEnd()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	block := bytes.Repeat([]byte("0123456789abcdef0123456789abcde\n"), 2<<10)
	for range total / len(block) {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	b.drain()
	t.Logf("%.0f MB/s", total/time.Since(begin).Seconds()/1e6)
	if st := b.stream.Stats(); st.Bytes != total || st.Lost != 0 || st.RotateErr != nil {
		t.Errorf("stats %+v", st)
	}
	b.wantTree(" .1 .2 .3")
	for _, name := range []string{".1", ".2", ".3"} {
		if n := len(read(t, b.file+name)); n != 100_000_000 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

// Binary output is not touched, whatever looks at it.
func TestBinary(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) {
		o.JournalSocket = listen(t, filepath.Join(b.dir, "journal")).serve().path
		c.Journal = &JournalTarget{Unit: "u.service"}
		c.Rotation = Rotation{MaxSize: 100_000, Backups: 1000, Compress: true}
	})
	r := rand.New(rand.NewPCG(1, 2))
	sum := sha256.New()
	for range 300 {
		p := make([]byte, 1+r.IntN(20000))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		sum.Write(p)
		b.write(string(p))
	}
	b.drain()
	await(t, "all but the newest are compressed", func() bool {
		tree := b.tree()
		return strings.Count(tree, ".gz") == len(strings.Fields(tree))-1 && !strings.Contains(tree, "tmp")
	})
	got := sha256.New()
	for n := highest(t, b.file); n >= 0; n-- {
		got.Write([]byte(numbered(t, b.file, n)))
	}
	if !bytes.Equal(got.Sum(nil), sum.Sum(nil)) {
		t.Error("the files differ from what was written")
	}
}

// A program that closes its standard output, and one that opens it again.
func TestClosesStdout(t *testing.T) {
	b := start(t, nil)
	b.shell("echo one; exec 1>&-; echo two >&2")
	b.shell("echo three; exec 1>/dev/null; echo nothing; echo four >/dev/stderr")
	b.drain()
	b.want("one\ntwo\nthree\nfour\n")
}

// A daemon that a program leaves behind goes on writing; a drain does not wait for it.
func TestDaemonKeepsStdout(t *testing.T) {
	b := start(t, nil)
	c := b.program("sh", "-c", "setsid sh -c 'while :; do echo still here; sleep 0.01; done' & echo $! >"+b.file+".pid; echo done")
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(read(t, b.file+".pid"))
	defer func() {
		if err := exec.Command("kill", "-9", pid).Run(); err != nil {
			t.Error(err)
		}
	}()
	begin := time.Now()
	b.drain()
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the drain took %v", d)
	}
	if !strings.Contains(b.content(), "done\n") {
		t.Errorf("file has %q", b.content())
	}
	n := strings.Count(b.content(), "still here")
	await(t, "the daemon's lines", func() bool { return strings.Count(b.content(), "still here") > n+3 })
}
