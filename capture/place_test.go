package capture

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestHere(t *testing.T) {
	b := start(t, nil)
	here := func(what string, want Place) {
		t.Helper()
		if got, err := b.stream.Here()(soon(t)); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
		}
	}
	here("before the first byte", Place{inode(t, b.file), 0})
	b.write("one\n")
	wait := b.stream.Here()
	b.stream.Mark("a mark")
	b.write("two\n") // of the next run
	if got, err := wait(soon(t)); err != nil || got != (Place{inode(t, b.file), 4}) {
		t.Errorf("behind the first line: %+v, %v", got, err)
	}
	here("behind the second", Place{inode(t, b.file), 15})

	// A file that was there before, and nothing written yet.
	b = start(t, func(_ *bench, _ *Options, c *Config) {
		if err := os.WriteFile(c.File, []byte("old\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	here("behind what was there", Place{inode(t, b.file), 4})
}

func TestHereOfADevice(t *testing.T) {
	b := start(t, func(b *bench, _ *Options, c *Config) { c.File = "/dev/zero" })
	b.write("lost\n")
	if got, err := b.stream.Here()(soon(t)); err == nil {
		t.Errorf("a place in a device: %+v", got)
	}
}
