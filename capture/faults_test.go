package capture

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// failsThenWorks checks that writing fails with a message, loses nothing, is told once
// and resumes by itself when repair has been called.
func failsThenWorks(t *testing.T, b *bench, message string, repair func(), want string) {
	t.Helper()
	b.write("held\n")
	await(t, "an error", func() bool { return b.stream.Stats().Err != nil })
	if err := b.stream.Stats().Err; !strings.Contains(err.Error(), message) {
		t.Errorf("error %q, want %q", err, message)
	}
	if err := b.stream.Drain(soon(t)); err == nil {
		t.Error("the drain succeeds")
	}
	if since := b.stream.Stats().ErrSince; time.Since(since) > time.Minute {
		t.Errorf("since %v", since)
	}
	repair()
	await(t, "it resumes", func() bool { return b.stream.Stats().Err == nil })
	b.write("more\n")
	b.drain()
	b.want(want)
	if got := b.kinds(); got != "write-failed write-resumed" {
		t.Errorf("events %q", got)
	}
}

func TestFolderIsAFile(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) {
		os.WriteFile(filepath.Join(b.dir, "logs"), nil, 0o644)
		c.File = filepath.Join(b.dir, "logs", "web.log")
	})
	failsThenWorks(t, b, "cannot open "+b.file+": not a directory", func() {
		os.Remove(filepath.Join(b.dir, "logs"))
	}, "held\nmore\n")
}

func TestFileReplacedByFolder(t *testing.T) {
	b := start(t, nil)
	b.write("before\n")
	b.drain()
	os.Remove(b.file)
	os.Mkdir(b.file, 0o755)
	b.stream.Reopen()
	failsThenWorks(t, b, "is a directory", func() { os.Remove(b.file) }, "held\nmore\n")
}

func TestSymlinkIsNotFollowed(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { os.Symlink("/dev/full", c.File) })
	failsThenWorks(t, b, "symbolic link", func() { os.Remove(b.file) }, "held\nmore\n")
}

func TestFIFOInPlaceOfFile(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { unix.Mkfifo(c.File, 0o600) })
	failsThenWorks(t, b, "cannot open", func() { os.Remove(b.file) }, "held\nmore\n")
}

func TestFolderDeleted(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { c.File = filepath.Join(b.dir, "a", "b", "web.log") })
	b.write("gone\n")
	b.drain()
	os.RemoveAll(filepath.Join(b.dir, "a"))
	b.stream.Reopen()
	b.write("new\n")
	b.drain()
	b.want("new\n")
	if st, err := os.Stat(b.file); err != nil || st.Mode() != 0o644 {
		t.Errorf("%v, %v", st, err)
	}
}

func TestUnwritableFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write into any folder")
	}
	b := start(t, func(b *bench, o *Options, c *Config) {
		os.Mkdir(filepath.Join(b.dir, "logs"), 0o500)
		c.File = filepath.Join(b.dir, "logs", "web.log")
	})
	failsThenWorks(t, b, "permission denied", func() { os.Chmod(filepath.Dir(b.file), 0o700) }, "held\nmore\n")
}

// tinyDisk mounts a tmpfs of 64 KiB.
func tinyDisk(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a tmpfs (only root may): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// A full disk holds the program, loses nothing, and every byte is there when it has room.
func TestDiskFull(t *testing.T) {
	for _, copies := range []bool{false, true} {
		var disk string
		b := start(t, func(b *bench, o *Options, c *Config) {
			disk = filepath.Join(b.dir, "disk")
			tinyDisk(t, disk)
			if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 32<<10), 0o644); err != nil {
				t.Fatal(err)
			}
			c.File = filepath.Join(disk, "web.log")
		})
		b.stream.target.mu.Lock()
		b.stream.target.copies = copies
		b.stream.target.mu.Unlock()
		text := strings.Repeat("0123456789abcde\n", 3000) // 48,000 bytes: more than there is room for
		b.write(text)
		await(t, "the disk is full", func() bool { return errors.Is(b.stream.Stats().Err, unix.ENOSPC) })
		if st := b.stream.Stats(); st.Bytes != 32<<10 || st.Lost != 0 {
			t.Errorf("copies %v: stats %+v", copies, st)
		}
		os.Remove(filepath.Join(disk, "ballast"))
		await(t, "it resumes", func() bool { return b.stream.Stats().Err == nil })
		b.drain()
		b.want(text)
		if got := b.kinds(); got != "write-failed write-resumed" {
			t.Errorf("copies %v: events %q", copies, got)
		}
	}
}

// What a stream that is removed could not write is counted.
func TestLostIsCounted(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { os.Mkdir(c.File, 0o755) })
	b.write("12345")
	if err := b.stream.Remove(soon(t)); err == nil {
		t.Error("no error")
	}
	if st := b.stream.Stats(); st.Lost != 5 {
		t.Errorf("lost %d bytes, want 5", st.Lost)
	}
}
