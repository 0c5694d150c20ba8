package logview

import (
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBetween(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "web.log")
	write := func(path, text string) uint64 {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Sys().(*syscall.Stat_t).Ino
	}
	f, err := os.Create(log + ".2.gz")
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	z.Write([]byte("a1\na2\n"))
	z.Close()
	f.Close()
	old := write(log+".1", "b1\nb2\nb3\n")
	now := write(log, "c1\nc2\nc3 is cut")
	for _, c := range []struct {
		name     string
		from, to *Place
		n        int
		want     string
	}{
		{"to the end", nil, &Place{now, 15}, 2, "c2|c3 is cut"},
		{"not what comes after", nil, &Place{now, 3}, 2, "b3|c1"},
		{"from a place", &Place{now, 3}, &Place{now, 6}, 10, "c2"},
		{"across a rotation", &Place{old, 6}, &Place{now, 6}, 10, "b3|c1|c2"},
		{"in a rotated file", &Place{old, 3}, &Place{old, 6}, 10, "b2"},
		{"into a compressed one", nil, &Place{old, 6}, 3, "a2|b1|b2"},
		{"all there is", nil, &Place{old, 3}, 9, "a1|a2|b1"},
		{"nothing", &Place{now, 6}, &Place{now, 6}, 9, ""},
		{"no file yet", nil, &Place{}, 9, ""},
		{"the first place is gone", &Place{1, 6}, &Place{now, 3}, 2, "b3|c1"},
	} {
		got, err := Between(log, c.from, c.to, c.n)
		if diff := cmp.Diff(c.want, strings.Join(got, "|")); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, diff)
		}
	}
	for _, to := range []Place{{now, 99}, {1, 0}} {
		if got, err := Between(log, nil, &to, 9); !errors.Is(err, ErrGone) {
			t.Errorf("%+v: %q, %v", to, got, err)
		}
	}
	long := strings.Repeat("ä", lineMax)
	ino := write(log, long+"\n")
	got, err := Between(log, nil, &Place{ino, int64(len(long) + 1)}, 1)
	if err != nil || len(got) != 1 || got[0] != strings.Repeat("ä", lineMax/2)+"…" {
		t.Errorf("a long line: %d bytes, %v", len(strings.Join(got, "")), err)
	}
}
