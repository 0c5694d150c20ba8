package capture

import (
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAppendsAndKeepsOrder(t *testing.T) {
	b := start(t, func(b *bench, o *Options, c *Config) {
		if err := os.WriteFile(c.File, []byte("before\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	out, _ := b.stream.WriteEnd()
	errs, _ := b.stream.WriteEnd()
	defer out.Close()
	defer errs.Close()
	want := "before\n"
	for i := range 500 {
		w, text := out, "out\n"
		if i%3 == 0 {
			w, text = errs, "err\n"
		}
		want += text
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	b.drain()
	b.want(want)
	if st := b.stream.Stats(); st.Bytes != uint64(len(want)-len("before\n")) || st.Err != nil || st.Lost != 0 {
		t.Errorf("stats %+v", st)
	}
}

// Whatever the sizes of the writes, the file has the same bytes.
func TestByteExact(t *testing.T) {
	for _, copies := range []bool{false, true} {
		b := start(t, nil)
		b.stream.target.mu.Lock()
		b.stream.target.copies = copies
		b.stream.target.mu.Unlock()
		seed := uint64(time.Now().UnixNano())
		t.Logf("copies %v, seed %d", copies, seed)
		r := rand.New(rand.NewPCG(seed, 1))
		w, _ := b.stream.WriteEnd()
		sum := sha256.New()
		for total := 0; total < 16<<20; {
			n := 1 + r.IntN(1<<r.IntN(20))
			p := make([]byte, n)
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			sum.Write(p)
			if _, err := w.Write(p); err != nil {
				t.Fatal(err)
			}
			total += n
		}
		w.Close()
		b.drain()
		if got := sha256.Sum256([]byte(b.content())); string(got[:]) != string(sum.Sum(nil)) {
			t.Errorf("copies %v: file differs from what was written", copies)
		}
	}
}

// What sits in the pipe without a Drain arrives by itself.
func TestMovesByItself(t *testing.T) {
	b := start(t, nil)
	for i := range 3 {
		b.write("line\n")
		await(t, "the line is in the file", func() bool { return b.content() == strings.Repeat("line\n", i+1) })
	}
}

// What was written before a Drain is in the file after it, whatever else goes on.
func TestDrainIsExact(t *testing.T) {
	b := start(t, nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					b.stream.Drain(soon(t))
				}
			}
		})
	}
	for i := range 3000 {
		b.write("x")
		b.drain()
		if st, err := os.Stat(b.file); err != nil || st.Size() != int64(i+1) {
			t.Errorf("after %d bytes: %v, %v", i+1, st.Size(), err)
			break
		}
	}
	close(stop)
	wg.Wait()
}

func TestFollowsTruncation(t *testing.T) {
	b := start(t, nil)
	b.write("one\n")
	b.drain()
	if err := os.Truncate(b.file, 0); err != nil {
		t.Fatal(err)
	}
	b.write("two\n")
	b.drain()
	b.want("two\n")
}

// A renamed file is left, by itself after a while and at once when told.
func TestFollowsRename(t *testing.T) {
	b := start(t, nil)
	b.write("one\n")
	b.drain()
	if err := os.Rename(b.file, b.file+".1"); err != nil {
		t.Fatal(err)
	}
	b.stream.Reopen()
	b.write("two\n")
	b.drain()
	b.want("two\n")

	if err := os.Rename(b.file, b.file+".2"); err != nil {
		t.Fatal(err)
	}
	await(t, "a new file at the path", func() bool {
		b.write("x\n")
		b.drain()
		_, err := os.Stat(b.file)
		return err == nil
	})
}

// Two streams into one file do not overwrite each other.
func TestShareFile(t *testing.T) {
	b := start(t, nil)
	second, err := b.mover.Open(Config{FIFO: filepath.Join(b.dir, "second"), File: b.file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := &bench{t: t, stream: second}
	for range 200 {
		b.write("aaaa\n")
		other.write("bbbb\n")
	}
	b.drain()
	other.drain()
	got := b.content()
	if strings.Count(got, "aaaa\n") != 200 || strings.Count(got, "bbbb\n") != 200 || len(got) != 2000 {
		t.Errorf("lines are missing from %d bytes", len(got))
	}
	if err := second.Remove(soon(t)); err != nil {
		t.Error(err)
	}
	b.write("still open\n")
	b.drain()
	if !strings.HasSuffix(b.content(), "still open\n") {
		t.Error("closing one stream closed the file of the other")
	}
}

func TestCloseAndRemove(t *testing.T) {
	b := start(t, nil)
	b.write("last words")
	if err := b.stream.Remove(soon(t)); err != nil {
		t.Fatal(err)
	}
	b.want("last words")
	if _, err := os.Lstat(b.stream.Config().FIFO); !os.IsNotExist(err) {
		t.Errorf("the FIFO is still there: %v", err)
	}
	if err := b.stream.Drain(soon(t)); err == nil {
		t.Error("a closed stream drains")
	}
}

func TestCheck(t *testing.T) {
	b := start(t, nil)
	if err := b.stream.Check(); err != nil {
		t.Error(err)
	}
	os.Remove(b.stream.Config().FIFO)
	if err := b.stream.Check(); err == nil {
		t.Error("a deleted FIFO passes")
	}
	// The write end does not need the path.
	b.write("x")
	b.drain()
	b.want("x")
}

func TestRefusesOtherFiles(t *testing.T) {
	b := start(t, nil)
	plain := filepath.Join(b.dir, "plain")
	os.WriteFile(plain, nil, 0o600)
	link := filepath.Join(b.dir, "link")
	os.Symlink(b.stream.Config().FIFO, link)
	for _, path := range []string{plain, link, filepath.Join(b.dir, "none", "x")} {
		if s, err := b.mover.Open(Config{FIFO: path, File: b.file}, nil); err == nil {
			s.Close(soon(t))
			t.Errorf("%s is accepted as a FIFO", path)
		} else {
			t.Log(err)
		}
	}
	if f, err := os.Open(plain); err == nil {
		if _, err := b.mover.Open(Config{FIFO: plain, File: b.file}, f); err == nil {
			t.Error("a descriptor of a plain file is taken over")
		}
	}
}
