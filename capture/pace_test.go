package capture

import (
	"strings"
	"testing"
	"time"
)

func TestPauseAfter(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		n    int
		over time.Duration
		size int
		want time.Duration
	}{
		{100, 2 * time.Millisecond, mib, gatherFor},           // a slow program
		{mib / 2, 2 * time.Millisecond, mib, gatherFor},       // half of the pipe: just right
		{mib, 2 * time.Millisecond, mib, time.Millisecond},    // full: half as long
		{mib / 2, time.Millisecond, mib, time.Millisecond},    // as fast, looked at sooner
		{64 << 10, time.Millisecond, 64 << 10, gatherFor / 4}, // by the size of this pipe
		{mib, 80 * time.Microsecond, mib, 0},                  // no sleep is that short
		{mib, 0, mib, 0},                                      // the clock stood still
	} {
		if got := pauseAfter(c.n, c.over, c.size); got != c.want {
			t.Errorf("pauseAfter(%d, %v, %d) = %v, want %v", c.n, c.over, c.size, got, c.want)
		}
	}
}

// A pipe that left the epoll set while its program wrote much is watched again
// afterwards, and the goroutine ends though nobody kicks it.
func TestRestsAfterBurst(t *testing.T) {
	b := start(t, nil)
	want := 0
	for range 3 {
		burst := strings.Repeat("0123456789abcde\n", 1<<16) // more than any pipe holds
		b.write(burst)
		b.write("last\n")
		want += len(burst) + len("last\n")
		await(t, "all bytes are in the file", func() bool { return b.stream.Stats().Bytes == uint64(want) })
		await(t, "the goroutine ends", func() bool {
			b.stream.mu.Lock()
			defer b.stream.mu.Unlock()
			return !b.stream.running
		})
		b.write("quiet\n")
		want += len("quiet\n")
		await(t, "a single line is in the file", func() bool { return b.stream.Stats().Bytes == uint64(want) })
	}
	if !strings.HasSuffix(b.content(), "e\nlast\nquiet\n") {
		t.Error("the file ends otherwise")
	}
}

// A drain and a close are not held up by the wait for more bytes, not even while the
// stream looks at an empty pipe for a while.
func TestHurryEndsGathering(t *testing.T) {
	b := start(t, nil)
	b.write(strings.Repeat("0123456789abcde\n", 1<<12))
	b.drain()
	b.stream.wake <- struct{}{} // as left behind by a kick that nobody needed
	b.write("end")
	b.drain()
	if !strings.HasSuffix(b.content(), "e\nend") {
		t.Error("the drain came back too early")
	}
	if err := b.stream.Close(soon(t)); err != nil {
		t.Error(err)
	}
}
