package capture

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The space of a file system is asked for this often, or after this many bytes.
const (
	spaceEvery = pathCheckEvery
	spaceBytes = 4 << 20
)

// space is how much is free where a file lies, as far as known.
type space struct {
	free    int64
	checked time.Time
	written int64 // since then
}

// enough fails if n more bytes should not be written, for the sake of MinFree. It is called
// with t.mu held and the file open.
func (t *target) enough(n int, now time.Time) error {
	if t.rotation.MinFree == 0 || !t.regular {
		return nil
	}
	t.space.written += int64(n)
	if now.Sub(t.space.checked) >= spaceEvery || t.space.written >= spaceBytes {
		var st unix.Statfs_t
		if err := unix.Fstatfs(t.fd, &st); err != nil {
			return nil // the write will tell what is wrong
		}
		// What is free for everybody, as df(1) has it, without what is reserved for root.
		t.space = space{free: int64(st.Bavail) * st.Frsize, checked: now}
	}
	if t.space.free < t.rotation.MinFree {
		return fmt.Errorf("cannot write %s: less than %s free on the file system of %[1]s (log_min_free)",
			t.path, formatSize(t.rotation.MinFree))
	}
	return nil
}

func formatSize(n int64) string {
	if n < 1024 {
		return fmt.Sprint(n)
	}
	f, unit := float64(n)/1024, 0
	for ; f >= 1024 && unit < 4; unit++ {
		f /= 1024
	}
	return fmt.Sprintf("%.1f%c", f, "KMGTP"[unit])
}
