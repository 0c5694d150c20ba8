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

// flood writes that many numbered lines and returns them and the longest
// time one write took.
func flood(t *testing.T, b *bench, lines int) (text string, longest time.Duration) {
	t.Helper()
	w, err := b.stream.WriteEnd()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var all strings.Builder
	padding := strings.Repeat("x", 200)
	for i := 0; i < lines; {
		part := all.Len()
		for range 100 {
			fmt.Fprintf(&all, "line %d %s\n", i, padding)
			i++
		}
		begin := time.Now()
		if _, err := w.WriteString(all.String()[part:]); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(begin))
	}
	return all.String(), longest
}

// The program goes on while nothing can be written. The file has all that was written
// before and the last of what was written during the fault, and the rest is counted.
func TestProgramGoesOn(t *testing.T) {
	for _, journal := range []bool{false, true} {
		b := start(t, func(b *bench, o *Options, c *Config) {
			if journal {
				o.JournalSocket = listen(t, filepath.Join(b.dir, "journal")).serve().path
				c.Journal = &JournalTarget{Unit: "u.service"}
			}
		})
		b.write("before\n")
		b.drain()
		os.Rename(b.file, b.file+".old")
		os.Mkdir(b.file, 0o755)
		b.stream.Reopen()
		await(t, "it fails", func() bool { return b.stream.Stats().Err != nil })
		text, longest := flood(t, b, 100_000) // 20 MB
		t.Logf("journal %v: the longest write took %v", journal, longest)
		if longest > time.Second {
			t.Errorf("a write took %v", longest)
		}
		// Not while bytes are being discarded: then they are in neither number.
		var st Stats
		await(t, "each byte waits or is counted", func() bool {
			st = b.stream.Stats()
			return st.Lost > 0 && st.Waiting > 0 && int(st.Lost)+st.Waiting == len(text)
		})
		os.Remove(b.file)
		await(t, "it resumes", func() bool { return b.stream.Stats().Err == nil })
		b.write("after\n")
		b.drain()
		st = b.stream.Stats()
		b.want(text[st.Lost:] + "after\n")
		if !strings.HasPrefix(text[st.Lost:], "line ") {
			t.Errorf("the file begins in the middle of a line: %q", clip(text[st.Lost:]))
		}
		if int(st.Bytes+st.Lost) != len(text)+len("before\nafter\n") || st.Waiting != 0 {
			t.Errorf("%d bytes: %+v", len(text), st)
		}
		if got := b.kinds(); got != "write-failed write-resumed" && !journal {
			t.Errorf("events %q", got)
		}
		b.mu.Lock()
		for _, e := range b.events {
			if e.Kind == WriteResumed && (e.Lost != st.Lost || e.For <= 0) {
				t.Errorf("event %+v, lost %d", e, st.Lost)
			}
		}
		b.mu.Unlock()
	}
}

// Writes that waste the pipe's pages fill it with few bytes.
func TestSmallWritesFillPages(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { os.Mkdir(c.File, 0o755) })
	w, err := b.stream.WriteEnd()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	line := strings.Repeat("x", 2099) + "\n" // two do not share a page
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 5000 {
			w.WriteString(line)
		}
	}()
	await(t, "the program goes on", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	await(t, "whole lines wait or are counted", func() bool {
		st := b.stream.Stats()
		return int(st.Lost)+st.Waiting == 5000*len(line) && st.Lost%uint64(len(line)) == 0
	})
}

// A broken stream whose program is quiet costs next to nothing.
func TestBrokenIsQuiet(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) { os.Mkdir(c.File, 0o755) })
	b.write("held\n")
	time.Sleep(2 * time.Second) // until the pauses are long
	began, used := time.Now(), cpu()
	time.Sleep(time.Second)
	if busy := (cpu() - used) / time.Since(began).Seconds(); busy > 0.02 {
		t.Errorf("%.1f %% CPU", 100*busy)
	}
}

func TestThroughLine(t *testing.T) {
	for _, tt := range []struct {
		data string
		n    int
		want string
	}{
		{"ab\ncd\nef", 1, "ab\n"},
		{"ab\ncd\nef", 3, "ab\n"},
		{"ab\ncd\nef", 4, "ab\ncd\n"},
		{"ab\ncd\nef", 7, "ab\ncd\n"},
		{"abcdef", 3, "abc"},
		{"ab\n", 10, "ab\n"},
		{"\n\n", 1, "\n"},
	} {
		if got := string(throughLine([]byte(tt.data), tt.n)); got != tt.want {
			t.Errorf("throughLine(%q, %d) = %q, want %q", tt.data, tt.n, got, tt.want)
		}
	}
}

func TestReadOnly(t *testing.T) {
	var disk string
	b := start(t, func(b *bench, o *Options, c *Config) {
		disk = filepath.Join(b.dir, "disk")
		tinyDisk(t, disk)
		if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		c.File = filepath.Join(disk, "web.log")
	})
	failsThenWorks(t, b, "read-only file system", func() {
		if err := unix.Mount("", disk, "", unix.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
	}, "held\nmore\n")
}

func TestMinFree(t *testing.T) {
	var disk string
	b := start(t, func(b *bench, o *Options, c *Config) {
		disk = filepath.Join(b.dir, "disk")
		tinyDisk(t, disk)
		if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 32<<10), 0o644); err != nil {
			t.Fatal(err)
		}
		c.File = filepath.Join(disk, "web.log")
		c.Rotation.MinFree = 40 << 10
	})
	failsThenWorks(t, b, "less than 40.0K free on the file system of "+b.file+" (log_min_free)", func() {
		os.Remove(filepath.Join(disk, "ballast"))
	}, "held\nmore\n")
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{1: "1", 1024: "1.0K", 1 << 30: "1.0G", 3 << 29: "1.5G", 1 << 62: "4096.0P"} {
		if got := formatSize(n); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", n, got, want)
		}
	}
}

// Rotating makes room on a full disk.
func TestRotateOnFullDisk(t *testing.T) {
	var disk string
	b := start(t, func(b *bench, o *Options, c *Config) {
		disk = filepath.Join(b.dir, "disk")
		tinyDisk(t, disk)
		c.File = filepath.Join(disk, "web.log")
		c.Rotation = Rotation{Backups: 1}
		if err := os.WriteFile(c.File+".1", make([]byte, 32<<10), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	text := strings.Repeat("0123456789abcde\n", 3000)
	b.write(text)
	await(t, "the disk is full", func() bool { return errors.Is(b.stream.Stats().Err, unix.ENOSPC) })
	if err := b.stream.Rotate(soon(t)); err != nil {
		t.Error(err)
	}
	await(t, "it resumes", func() bool { return b.stream.Stats().Err == nil })
	b.drain()
	if got := read(t, b.file+".1") + b.content(); got != text {
		t.Errorf("%d bytes, want %d", len(got), len(text))
	}
}
