package logview

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestLinesBack(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 999)+"\n", 100) // larger than a block
	tests := []struct {
		text string
		n    int
		want int64
	}{
		{"", 3, 0},
		{"a\nb\nc\n", 0, 6},
		{"a\nb\nc\n", 1, 4},
		{"a\nb\nc\n", 2, 2},
		{"a\nb\nc\n", 3, 0},
		{"a\nb\nc\n", 9, 0},
		{"a\nb\nc", 1, 4},
		{"a\nb\nc", 2, 2},
		{"\n\n\n", 2, 1},
		{"\n", 1, 0},
		{long, 1, 99000},
		{long, 40, 60000},
		{long, 100, 0},
		{long + "end", 2, 99000},
	}
	for _, tt := range tests {
		if got, _, _ := linesBack(strings.NewReader(tt.text), int64(len(tt.text)), tt.n); got != tt.want {
			t.Errorf("%.20q (%d bytes), %d lines: %d, want %d", tt.text, len(tt.text), tt.n, got, tt.want)
		}
	}
}

func FuzzLinesBack(f *testing.F) {
	f.Add("a\nb\n\nc", 2)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 1 {
			return
		}
		lines := slices.Collect(strings.Lines(text))
		want := strings.Join(lines[max(0, len(lines)-n):], "")
		at, count, _ := linesBack(strings.NewReader(text), int64(len(text)), n)
		if got := text[at:]; got != want || count != min(n, len(lines)) {
			t.Errorf("%q, %d lines: %q (%d lines), want %q", text, n, got, count, want)
		}
		// The other way, which needs no going back.
		n = min(n, 1000)
		want = strings.Join(lines[max(0, len(lines)-n):], "")
		at, count, ended := lastLines(iotest.OneByteReader(strings.NewReader(text)), n)
		if got := text[at:]; got != want || count != min(n, len(lines)) || ended != (text == "" || strings.HasSuffix(text, "\n")) {
			t.Errorf("forwards: %q, %d lines: %q (%d lines, ended %v), want %q", text, n, got, count, ended, want)
		}
	})
}

func TestTail(t *testing.T) {
	fakeJournal(t, `two='{"__CURSOR":"c2","__REALTIME_TIMESTAMP":"1700000000000002","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":"db two"}'
one='{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1700000000000001","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":"db one"}'
case "$*" in
*--reverse*) echo "$two"; echo "$one";;
*) echo "$one"; echo "$two";;
esac`)
	dir := t.TempDir()
	out, errs := filepath.Join(dir, "web.log"), filepath.Join(dir, "web.err")
	add(t, out, "1\n2\n3\nincomplete")
	add(t, errs, "e1\ne2\n")
	must(t, os.Chtimes(errs, time.Unix(1e9, 0), time.Unix(1e9, 0))) // stderr is older
	sources := []Source{
		{Program: "db", Unit: "msup-db.service"},
		{Program: "web", Stream: Stdout, File: out},
		{Program: "web", Stream: Stderr, File: errs},
		{Program: "new", File: filepath.Join(dir, "none.log")},
	}
	tests := map[int][]string{
		-1: {"db db one", "db db two", "web/stderr e1", "web/stderr e2", "web/stdout 1", "web/stdout 2", "web/stdout 3", "web/stdout incomplete"},
		2:  {"db db one", "db db two", "web/stderr e1", "web/stderr e2", "web/stdout 3", "web/stdout incomplete"},
		0:  nil,
	}
	for n, want := range tests {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := newRecorder()
			must(t, Tail(t.Context(), sources, Window{Lines: n}, r.out))
			if got := r.all(); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// TestLastThenFollow is "logs -n 1 -f": no line twice and none left out.
func TestLastThenFollow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	add(t, file, "1\n2\nincom")
	sources := []Source{{Program: "web", File: file}}
	from := Last(t.Context(), sources, Window{Lines: 2})
	add(t, file, "plete\n3\n")
	r, _ := following(t, sources, from, nil)
	add(t, file, "4\n")
	r.wait(t, "web 2", "web incomplete", "web 3", "web 4")
}
