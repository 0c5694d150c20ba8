package capture

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// read returns the text of a log, compressed or not.
func read(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(text)
}

// tidied waits until the keeper has nothing to do.
func (b *bench) tidied() {
	b.t.Helper()
	await(b.t, "the keeper is done", b.mover.keeper.idle)
}

func (k *keeper) idle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.running
}

func TestCompress(t *testing.T) {
	b := rotating(t, Rotation{MaxSize: 10000, Backups: 1000, Compress: true})
	var all strings.Builder
	for i := range 10000 {
		line := fmt.Sprintf("line %d\n", i)
		all.WriteString(line)
		b.write(line)
	}
	b.drain()
	await(t, "all but the newest are compressed", func() bool {
		tree := strings.Fields(b.tree())
		n := 0
		for _, name := range tree {
			if strings.HasSuffix(name, ".gz") {
				n++
			}
		}
		return n == len(tree)-1 && n > 3 && !strings.Contains(b.tree(), "tmp")
	})
	if _, err := os.Stat(b.file + ".1"); err != nil {
		t.Error(err)
	}
	var got strings.Builder
	n := strings.Count(b.tree(), ".gz") + 1
	for i := n; i > 1; i-- {
		got.WriteString(read(t, fmt.Sprintf("%s.%d.gz", b.file, i)))
	}
	got.WriteString(read(t, b.file+".1") + b.content())
	if got.String() != all.String() {
		t.Errorf("%d bytes, want %d", got.Len(), all.Len())
	}
}

// A compressed file is as old as the plain one, and belongs to the same.
func TestCompressKeeps(t *testing.T) {
	then := time.Now().Add(-time.Hour).Truncate(time.Second)
	b := start(t, func(b *bench, o *Options, c *Config) {
		c.Rotation = Rotation{Compress: true}
		if err := os.WriteFile(c.File+".2", []byte("text"), 0o640); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(c.File+".2", 1234, 4321); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(c.File+".2", then, then); err != nil {
			t.Fatal(err)
		}
		// Left by a kill: a half written one, and both where the plain one is over.
		os.WriteFile(c.File+".gz.tmp", []byte("half"), 0o600)
		os.WriteFile(c.File+".3", []byte("done"), 0o600)
		f, err := os.Create(c.File + ".3.gz")
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		z.Write([]byte("done"))
		z.Close()
		f.Close()
		// gzip(1) is at it.
		os.WriteFile(c.File+".1", []byte("more than that"), 0o600)
		os.WriteFile(c.File+".1.gz", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03half of the file"), 0o600)
	})
	await(t, "it is compressed", func() bool { return b.tree() == " .1 .1.gz .2.gz .3.gz" })
	st, err := os.Stat(b.file + ".2.gz")
	if err != nil {
		t.Fatal(err)
	}
	if !st.ModTime().Equal(then) || st.Mode() != 0o640 {
		t.Errorf("mode %v, time %v", st.Mode(), st.ModTime())
	}
	var sys unix.Stat_t
	if err := unix.Stat(b.file+".2.gz", &sys); err != nil || os.Geteuid() == 0 && (sys.Uid != 1234 || sys.Gid != 4321) {
		t.Errorf("owner %d:%d, %v", sys.Uid, sys.Gid, err)
	}
	if got := read(t, b.file+".2.gz"); got != "text" {
		t.Errorf("text %q", got)
	}
}

// A disk without room for the compressed file keeps the plain one.
func TestCompressDiskFull(t *testing.T) {
	var disk string
	b := start(t, func(b *bench, o *Options, c *Config) {
		disk = filepath.Join(b.dir, "disk")
		tinyDisk(t, disk)
		c.File = filepath.Join(disk, "web.log")
		c.Rotation = Rotation{Backups: 9, Compress: true}
		text := make([]byte, 48<<10)
		for i := range text {
			text[i] = byte(i * i >> 3 * (i >> 5)) // does not compress well
		}
		if err := os.WriteFile(c.File+".2", text, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 12<<10), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	b.tidied()
	b.wantTree(" .2")
	os.Remove(filepath.Join(disk, "ballast"))
	b.mover.keeper.tidyAll()
	b.tidied()
	b.wantTree(" .2.gz")
}

// Numbers change while a file is compressed.
func TestCompressWhileShifting(t *testing.T) {
	b := rotating(t, Rotation{Backups: 50, Compress: true})
	text := strings.Repeat("some text that is long enough to take a while\n", 100_000)
	if err := os.WriteFile(b.file+".2", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	b.mover.keeper.tidy(b.stream.target)
	for i := range 20 {
		b.write(fmt.Sprintf("%d\n", i))
		b.rotate()
	}
	await(t, "all but the newest are compressed", func() bool {
		return strings.Count(b.tree(), ".gz") == 20 && !strings.Contains(b.tree(), "tmp")
	})
	for i := range 20 {
		name := fmt.Sprintf("%s.%d.gz", b.file, 20-i)
		if i == 19 {
			name = b.file + ".1"
		}
		if got, want := read(t, name), fmt.Sprintf("%d\n", i); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	found := 0
	paths, _ := filepath.Glob(b.file + ".*")
	for _, p := range paths {
		if read(t, p) == text {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the long file is there %d times", found)
	}
}
