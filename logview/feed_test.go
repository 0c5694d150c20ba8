package logview

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// clock gives the time of a minute of one day as programs write it.
func clock(minute int) string {
	return time.Date(2026, 11, 23, minute/60, minute%60, 0, 0, time.Local).Format("2006-01-02 15:04:05")
}

func minute(n int) time.Time { return time.Date(2026, 11, 23, n/60, n%60, 0, 0, time.Local) }

// write writes a file that was last written in that minute.
func write(t testing.TB, path, text string, last int) {
	t.Helper()
	b := []byte(text)
	if strings.HasSuffix(path, ".gz") {
		b = zipped(t, text)
	}
	must(t, os.WriteFile(path, b, 0o644))
	must(t, os.Chtimes(path, minute(last), minute(last)))
}

func tailOf(t *testing.T, sources []Source, w Window) []string {
	t.Helper()
	r := newRecorder()
	must(t, Tail(t.Context(), sources, w, r.out))
	return r.all()
}

func TestMerge(t *testing.T) {
	fakeJournal(t, fmt.Sprintf(`entry() { echo '{"__CURSOR":"c'$1'","__REALTIME_TIMESTAMP":"'$2'000000","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":"db '$1'"}'; }
case "$*" in
*--reverse*) entry 2 %[2]d; entry 1 %[1]d;;
*) entry 1 %[1]d; entry 2 %[2]d;;
esac`, minute(2).Unix(), minute(7).Unix()))
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write(t, file("web.log.1"), clock(1)+" w1\n"+clock(3)+" w3\n  trace of w3\n", 3)
	write(t, file("web.log"), clock(6)+" w6\n", 6)
	write(t, file("api.log"), "end of a trace\n"+clock(4)+" a4\n"+clock(5)+" a5\n"+clock(4)+" late\n"+clock(8)+" a8\n", 8)
	write(t, file("plain.log"), "p1\np2\n", 9)
	sources := []Source{
		{Program: "web", File: file("web.log")},
		{Program: "plain", File: file("plain.log")},
		{Program: "api", File: file("api.log")},
		{Program: "db", Unit: "msup-db.service"},
	}
	short := func(lines []string) string { // without the times
		for i, l := range lines {
			if at := strings.Index(l, "2026-"); at >= 0 {
				lines[i] = l[:at] + l[at+20:]
			}
		}
		return strings.Join(lines, "; ")
	}
	for _, n := range []int{-1, 9} {
		want := "web w1; db db 1; web w3; web   trace of w3; api end of a trace; api a4; api a5; api late; web w6; db db 2; api a8; plain p1; plain p2"
		if got := short(tailOf(t, sources, Window{Lines: n})); got != want {
			t.Errorf("-n %d: %s\nwant %s", n, got, want)
		}
	}
	// A line whose predecessor is not shown stands before the next one with a time.
	if got, want := short(tailOf(t, sources, Window{Lines: 2})), "db db 1; api late; web   trace of w3; web w6; db db 2; api a8; plain p1; plain p2"; got != want {
		t.Errorf("-n 2: %s\nwant %s", got, want)
	}
	// The same before following.
	r, _ := following(t, sources[:3], Last(t.Context(), sources[:3], Window{Lines: -1}), nil)
	r.until(t, "the past", func(got []string) bool { return len(got) == 11 })
	add(t, file("web.log"), clock(2)+" from the past\n")
	r.until(t, "the new line at the end", func(got []string) bool {
		return short(got) == "web w1; web w3; web   trace of w3; api end of a trace; api a4; api a5; api late; web w6; api a8; plain p1; plain p2; web from the past"
	})
}

// TestMergeRandom compares the merge of many long logs with sorting.
func TestMergeRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	type line struct {
		at   int
		text string
	}
	var all []line
	var sources []Source
	for p := range 20 {
		var b strings.Builder
		at := rnd.IntN(100)
		for i := range rnd.IntN(8000) {
			at += rnd.IntN(3)
			text := fmt.Sprintf("%d.000 p%02d %d %s", 1_500_000_000+at, p, i, strings.Repeat("x", rnd.IntN(60)))
			fmt.Fprintln(&b, text)
			all = append(all, line{at, fmt.Sprintf("p%02d %s", p, text)})
		}
		file := filepath.Join(dir, fmt.Sprint(p))
		add(t, file, b.String())
		sources = append(sources, Source{Program: fmt.Sprintf("p%02d", p), File: file})
	}
	slices.SortStableFunc(all, func(a, b line) int { return a.at - b.at })
	got := tailOf(t, sources, Window{Lines: -1})
	if len(got) != len(all) {
		t.Fatalf("%d lines, want %d", len(got), len(all))
	}
	for i := range all {
		if got[i] != all[i].text {
			t.Fatalf("line %d: %.80q, want %.80q", i, got[i], all[i].text)
		}
	}
}

// TestMergeLongLine: a line that is given out in parts is not interrupted.
func TestMergeLongLine(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	add(t, a, clock(1)+" "+strings.Repeat("x", 5*maxLine)+"\n")
	add(t, b, clock(1)+" one\n"+clock(1)+" two\n")
	for _, sources := range [][]Source{{{Program: "a", File: a}, {Program: "b", File: b}}, {{Program: "b", File: b}, {Program: "a", File: a}}} {
		got := tailOf(t, sources, Window{Lines: -1})
		first := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "a ") })
		last := len(got) - 1
		for ; !strings.HasPrefix(got[last], "a "); last-- {
		}
		if last == first || slices.ContainsFunc(got[first:last], func(s string) bool { return strings.HasPrefix(s, "b ") }) {
			t.Errorf("the line has something in it, or one part: %.20q", got)
		}
	}
}

func TestSince(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "web.log")
	write(t, file+".3.gz", clock(1)+" 1\n", 1)
	write(t, file+".2.gz", "banner\n"+clock(2)+" 2\n"+clock(4)+" 4\n  trace of 4\n", 4)
	write(t, file+".1", "  more of 4\n"+clock(6)+" 6\n  trace of 6\n"+clock(8)+" 8\n", 8)
	write(t, file, clock(10)+" 10\nincomplete", 10)
	sources := []Source{{Program: "web", File: file}}
	numbers := func(lines []string) string {
		var out []string
		for _, l := range lines {
			l = strings.TrimPrefix(l, "web ")
			if strings.HasPrefix(l, "2026-") {
				l = l[20:]
			}
			out = append(out, strings.TrimSpace(l))
		}
		return strings.Join(out, ", ")
	}
	tests := []struct {
		since, until, lines int // -1 = none
		want                string
	}{
		{-1, -1, -1, "1, banner, 2, 4, trace of 4, more of 4, 6, trace of 6, 8, 10, incomplete"},
		{4, -1, -1, "4, trace of 4, more of 4, 6, trace of 6, 8, 10, incomplete"},
		{5, -1, -1, "6, trace of 6, 8, 10, incomplete"},
		{8, -1, -1, "8, 10, incomplete"},
		{9, -1, -1, "10, incomplete"},
		{11, -1, -1, ""},
		{5, -1, 3, "8, 10, incomplete"},
		{9, -1, 5, "10, incomplete"},
		{-1, 4, -1, "1, banner, 2, 4, trace of 4, more of 4"},
		{-1, 6, 2, "6, trace of 6"},
		{4, 6, -1, "4, trace of 4, more of 4, 6, trace of 6"},
		{4, 6, 1, "trace of 6"},
		{-1, 0, -1, ""},
		{4, 6, 0, ""},
	}
	for _, tt := range tests {
		w := Window{Lines: tt.lines}
		if tt.since >= 0 {
			w.Since = minute(tt.since)
		}
		if tt.until >= 0 {
			w.Until = minute(tt.until)
		}
		if got := numbers(tailOf(t, sources, w)); got != tt.want {
			t.Errorf("since %d until %d -n %d: %s\nwant %s", tt.since, tt.until, tt.lines, got, tt.want)
		}
	}
	// Followed, what comes is shown whatever its time.
	r, _ := following(t, sources, Last(t.Context(), sources, Window{Lines: -1, Since: minute(10)}), nil)
	r.until(t, "the past", func(got []string) bool { return len(got) == 1 })
	add(t, file, "\n"+clock(1)+" strange\n")
	r.until(t, "the new line", func(got []string) bool { return numbers(got) == "10, incomplete, strange" })
}

// TestSinceLarge finds its place without reading all.
func TestSinceLarge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	var b strings.Builder
	for s := range 40_000 {
		fmt.Fprintf(&b, "%s line %d %s\n", minute(0).Add(time.Duration(s)*time.Second).Format(time.RFC3339), s, strings.Repeat("x", 40))
		if s%1000 == 0 {
			b.WriteString(strings.Repeat("  no time\n", 500))
		}
	}
	add(t, file, b.String())
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	for _, s := range []int{0, 1, 59, 20_000, 31_000, 39_999} {
		since := minute(0).Add(time.Duration(s) * time.Second)
		got := tailOf(t, []Source{{Program: "web", File: file}}, Window{Lines: -1, Since: since})
		lines := slices.DeleteFunc(got, func(s string) bool { return strings.HasSuffix(s, "no time") })
		if len(lines) != 40_000-s || !strings.Contains(lines[0], fmt.Sprintf(" line %d ", s)) {
			t.Errorf("since %d: %d lines from %.60q on", s, len(lines), lines[0])
		}
		at := sinceOffset(f, int64(b.Len()), since)
		if exact := int64(strings.Index(b.String(), fmt.Sprintf(" line %d ", s))); at > exact || exact-at > 4*sample {
			t.Errorf("since %d: offset %d, the line is at %d", s, at, exact)
		}
	}
}

// TestSinceWithoutTimes goes by whole files, and says so once.
func TestSinceWithoutTimes(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "web.log"), filepath.Join(dir, "api.log")
	write(t, file+".2.gz", "a\n", 2)
	write(t, file+".1", "b\n", 5)
	write(t, file, "c\n", 9)
	write(t, other, "d\n", 9)
	sources := []Source{{Program: "web", File: file}, {Program: "api", File: other}}
	const note = " NOTE the lines of web, api carry no time: shown are whole files of that time (log_timestamps = rfc3339 puts a time before each line)"
	for _, tt := range []struct {
		w    Window
		want []string
	}{
		{Window{Lines: -1, Since: minute(3)}, []string{note, "web b", "web c", "api d"}},
		{Window{Lines: 1, Since: minute(3)}, []string{note, "web c", "api d"}},
		{Window{Lines: -1, Since: minute(10)}, nil},
		{Window{Lines: -1, Until: minute(3)}, []string{note, "web a", "web b", "api d"}},
		{Window{Lines: 2, Since: minute(3), Until: minute(4)}, []string{note, "web b", "api d"}},
	} {
		if got := tailOf(t, sources, tt.w); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q, want %q", tt.w, got, tt.want)
		}
	}
}

func TestSinceJournal(t *testing.T) {
	dir := fakeJournal(t, "")
	sources := []Source{{Program: "db", Unit: "msup-db.service"}}
	w := Window{Lines: -1, Since: time.Unix(1000, 5e8), Until: time.Unix(2000, 0)}
	tailOf(t, sources, w)
	w.Lines = 3
	tailOf(t, sources, w)
	got := calls(t, dir)
	for i, extra := range []string{"--output=json", "--lines=3"} {
		if len(got) != 2 || !strings.Contains(got[i], "--since=@1000.500000 --until=@2000.000000") || !strings.Contains(got[i], extra) {
			t.Errorf("calls %q", got)
		}
	}
}

func TestOfStream(t *testing.T) {
	sources := []Source{
		{Program: "two", Stream: Stdout, File: "/o"},
		{Program: "two", Stream: Stderr, Unit: "two.service"},
		{Program: "one", File: "/one"},
		{Program: "plain", Unit: "plain.service"},
	}
	got, notes := OfStream(sources, Stderr)
	if len(got) != 3 || got[0].Stream != Stderr || len(notes) != 2 || !strings.Contains(notes[0], "of one go to one file") || !strings.Contains(notes[1], "of plain go to the journal") {
		t.Errorf("%+v, %q", got, notes)
	}
	if got, notes := OfStream(sources, Both); len(got) != 4 || notes != nil {
		t.Errorf("%+v, %q", got, notes)
	}
}
