package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func rotating(t *testing.T, r Rotation) *bench {
	return start(t, func(b *bench, o *Options, c *Config) { c.Rotation = r })
}

func (b *bench) rotate() {
	b.t.Helper()
	if err := b.stream.Rotate(soon(b.t)); err != nil {
		b.t.Fatal(err)
	}
}

// tree returns the names in the folder of the file that begin with its name, without that.
func (b *bench) tree() string {
	b.t.Helper()
	paths, err := filepath.Glob(b.file + "*")
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range paths {
		paths[i] = strings.TrimPrefix(paths[i], b.file)
	}
	return strings.Join(paths, " ")
}

func (b *bench) wantTree(want string) {
	b.t.Helper()
	if got := b.tree(); got != want {
		b.t.Errorf("files %q, want %q", got, want)
	}
}

func TestRotateByHand(t *testing.T) {
	b := rotating(t, Rotation{Backups: 2})
	b.rotate()
	b.wantTree("") // an empty file stays
	for _, text := range []string{"one\n", "two\n", "three\n", "four\nfi"} {
		b.write(text)
		b.rotate()
	}
	b.write("ve\n")
	b.drain()
	b.wantTree(" .1 .2")
	b.want("ve\n")
	for name, want := range map[string]string{".1": "four\nfi", ".2": "three\n"} {
		if got := read(t, b.file+name); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}

// What comes after the call is in the new file, except for the rest of a line.
func TestRotateIsExact(t *testing.T) {
	b := rotating(t, Rotation{Backups: 1})
	for i := range 200 {
		b.write(fmt.Sprintf("before %d\n", i))
		done := make(chan error, 1)
		go func() { done <- b.stream.Rotate(soon(t)) }()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, b.file+".1"), fmt.Sprintf("before %d\n", i); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

func TestRotateNothingToRotate(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { c.File = os.DevNull })
	b.write("x\n")
	if err := b.stream.Rotate(soon(t)); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("rotating /dev/null: %v", err)
	}
}

// Files end with whole lines, are no larger than allowed, and nothing is missing.
func TestRotateBySize(t *testing.T) {
	for _, size := range []int64{100, 5000, 64 << 10, 300 << 10} {
		for _, journal := range []bool{false, true} {
			b := start(t, func(b *bench, o *Options, c *Config) {
				c.Rotation = Rotation{MaxSize: size, Backups: 1 << 20}
				if journal {
					o.JournalSocket = listen(t, filepath.Join(b.dir, "journal")).serve().path
					c.Journal = &JournalTarget{Unit: "u.service"}
				}
			})
			var all strings.Builder
			for i := 0; int64(all.Len()) < 20*size; i++ {
				from := all.Len()
				for j := 0; j == 0 || int64(all.Len()-from) < size/10; j++ {
					fmt.Fprintf(&all, "line %d.%d %s\n", i, j, strings.Repeat("x", (i+j)%70))
				}
				b.write(all.String()[from:])
			}
			b.drain()
			b.checkAll(all.String(), size)
		}
	}
}

// checkAll checks what all the files have together, and that each ends with a whole line.
func (b *bench) checkAll(want string, size int64) {
	b.t.Helper()
	var got strings.Builder
	n := strings.Count(b.tree(), ".")
	for i := n; i >= 0; i-- {
		path := b.file
		if i > 0 {
			path = fmt.Sprintf("%s.%d", b.file, i)
			if _, err := os.Stat(path); err != nil {
				path += ".gz"
			}
		}
		text := read(b.t, path)
		if i > 0 && !strings.HasSuffix(text, "\n") {
			b.t.Errorf("%s ends with %q", path, clip(text))
		}
		if int64(len(text)) > size || i > 0 && int64(len(text)) < size/2 {
			b.t.Errorf("%s has %d bytes, %d allowed", path, len(text), size)
		}
		got.WriteString(text)
	}
	if got.String() != want {
		b.t.Errorf("%d bytes in %d files, want %d", got.Len(), n+1, len(want))
	}
	if st := b.stream.Stats(); st.Bytes != uint64(len(want)) {
		b.t.Errorf("stats %+v, want %d bytes", st, len(want))
	}
}

// A line longer than the file may be is cut only when it is more than 1 MiB over.
func TestRotateLongLines(t *testing.T) {
	b := rotating(t, Rotation{MaxSize: 1000, Backups: 100})
	long := strings.Repeat("y", 5000) + "\n"
	b.write("short\n" + long + "short\n")
	b.drain()
	if got := read(t, b.file+".1"); got != long {
		t.Errorf("%q is not the long line", clip(got))
	}
	b.want("short\n")

	b = rotating(t, Rotation{MaxSize: 1000, Backups: 100})
	huge := strings.Repeat("z", 3<<20)
	b.write(huge)
	b.drain()
	b.wantTree(" .1 .2")
	if got := read(t, b.file+".2"); len(got) != 1000+overMax {
		t.Errorf("the first piece has %d bytes", len(got))
	}
	if got := read(t, b.file+".2") + read(t, b.file+".1") + b.content(); got != huge {
		t.Errorf("%d bytes of %d", len(got), len(huge))
	}
}

// Numbers move up only to the first that is free; names that only look alike are left.
func TestShift(t *testing.T) {
	b := rotating(t, Rotation{Backups: 4})
	for name, text := range map[string]string{
		".1": "1", ".2": "2", ".4": "4", ".5.gz": "5", ".02": "x", ".2.bak": "x", ".x": "x", ".0": "x", ".2.gz.gz": "x",
	} {
		if err := os.WriteFile(b.file+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.write("0")
	b.rotate()
	b.wantTree(" .0 .02 .1 .2 .2.bak .2.gz.gz .3 .4 .x")
	for name, want := range map[string]string{".1": "0", ".2": "1", ".3": "2", ".4": "4"} {
		if got := read(t, b.file+name); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}

func TestNoBackups(t *testing.T) {
	b := rotating(t, Rotation{MaxSize: 100})
	for i := range 100 {
		b.write(fmt.Sprintf("line %d\n", i))
		b.drain()
	}
	b.wantTree("")
	if got := b.content(); len(got) > 100 || !strings.HasSuffix(got, "line 99\n") {
		t.Errorf("file has %q", got)
	}
}

func TestAgeAndTotal(t *testing.T) {
	old := func(b *bench, name string, size int, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(b.file+name, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(b.file+name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	b := start(t, func(b *bench, o *Options, c *Config) {
		c.Rotation = Rotation{Backups: 100, MaxAge: time.Hour}
		b.file = c.File
		old(b, ".1", 10, time.Minute)
		old(b, ".2", 10, 2*time.Hour)
		old(b, ".3", 10, 3*time.Hour)
	})
	await(t, "what is too old goes when the file is opened", func() bool { return b.tree() == " .1" })
	old(b, ".1", 10, 2*time.Hour)
	b.write("x\n")
	b.rotate()
	b.wantTree(" .1")

	b = rotating(t, Rotation{MaxSize: 1000, Backups: 100, TotalMax: 3500})
	for i := range 1000 {
		b.write(fmt.Sprintf("line %d\n", i))
		b.drain()
		total := int64(0)
		paths, _ := filepath.Glob(b.file + "*")
		for _, p := range paths {
			if st, err := os.Stat(p); err == nil {
				total += st.Size()
			}
		}
		if total > 3500 {
			t.Fatalf("%d bytes in all after %d lines", total, i)
		}
	}
	b.wantTree(" .1 .2")
	// Hourly, of files nobody writes to.
	old(b, ".7", 3000, time.Minute)
	b.mover.keeper.tidyAll()
	await(t, "what is too much goes", func() bool { return b.tree() == " .1 .2" })
}

// A file that cannot be rotated grows; it is told once, and rotated when that works.
func TestRotateFails(t *testing.T) {
	var made string
	b := start(t, func(b *bench, o *Options, c *Config) {
		c.Rotation = Rotation{MaxSize: 100, Backups: 3}
		made = c.File
	})
	b.write(strings.Repeat("line\n", 10))
	b.drain()
	dir := filepath.Dir(made)
	if err := setImmutable(dir, true); err != nil {
		t.Skipf("cannot make a folder immutable (root on ext4, btrfs or xfs may): %v", err)
	}
	t.Cleanup(func() { setImmutable(dir, false) })
	for range 100 {
		b.write("line\n")
		b.drain()
	}
	st := b.stream.Stats()
	if !errors.Is(st.RotateErr, unix.EPERM) || st.Err != nil || st.Bytes != 550 {
		t.Errorf("stats %+v", st)
	}
	if got := b.kinds(); got != "rotate-failed" {
		t.Errorf("events %q", got)
	}
	if err := b.stream.Rotate(soon(t)); !errors.Is(err, unix.EPERM) {
		t.Errorf("rotating: %v", err)
	}
	setImmutable(dir, false)
	b.rotate()
	b.wantTree(" .1")
	if st := b.stream.Stats(); st.RotateErr != nil {
		t.Errorf("stats %+v", st)
	}
}

// setImmutable sets what chattr(1) calls +i (ioctl_iflags(2)).
func setImmutable(path string, on bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return control(f, func(fd int) error {
		flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
		if err != nil {
			return err
		}
		const immutable = 0x10 // FS_IMMUTABLE_FL, linux/fs.h
		flags &^= immutable
		if on {
			flags |= immutable
		}
		return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags)
	})
}

// Beside an external logrotate, whichever way it works.
func TestRotateBesideLogrotate(t *testing.T) {
	b := rotating(t, Rotation{MaxSize: 1 << 20, Backups: 5})
	b.write("one\n")
	b.drain()
	if err := os.Rename(b.file, b.file+".1"); err != nil {
		t.Fatal(err)
	}
	b.write("two\n") // before we are told, or notice: still to the renamed file
	b.drain()
	b.stream.Reopen()
	b.write("three\n")
	b.rotate()
	b.wantTree(" .1 .2")
	if got := read(t, b.file+".2") + read(t, b.file+".1"); got != "one\ntwo\nthree\n" {
		t.Errorf("files have %q", got)
	}
	// Moved away while we are about to rotate: not one file is renamed twice.
	b.write("four\n")
	b.drain()
	if err := os.Rename(b.file, b.file+"-moved"); err != nil {
		t.Fatal(err)
	}
	b.rotate()
	b.write("five\n")
	b.drain()
	b.want("five\n")
	b.wantTree(" -moved .1 .2")
	// copytruncate
	if err := os.Truncate(b.file, 0); err != nil {
		t.Fatal(err)
	}
	b.write("six\n")
	b.rotate()
	if got := read(t, b.file+".1"); got != "six\n" {
		t.Errorf("after a truncation %q", got)
	}
}
