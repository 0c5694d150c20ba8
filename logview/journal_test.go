package logview

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeJournal puts a journalctl into PATH that runs this shell script. $DIR is a folder of
// its own; every call adds its arguments to the file "calls" in it.
func fakeJournal(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\nDIR='%s'\necho \"$*\" >>\"$DIR/calls\"\n%s\n", dir, script)
	must(t, os.WriteFile(filepath.Join(dir, "journalctl"), []byte(text), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func calls(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "calls"))
	must(t, err)
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func TestFollowJournal(t *testing.T) {
	// Follows until it is ended, then shows one entry more to whoever asks what is left.
	dir := fakeJournal(t, `case "$*" in
*--follow*)
	cat <<'END'
{"__CURSOR":"c1","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":"one"}
{"__CURSOR":"c2","_SYSTEMD_UNIT":"user@1000.service","_SYSTEMD_USER_UNIT":"msup-web.service","MESSAGE":[119,101,98,27,255]}
{"__CURSOR":"c3","_SYSTEMD_UNIT":"other.service","MESSAGE":"not ours"}
{"__CURSOR":"c4","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":"two\nlines\n"}
{"__CURSOR":"c5","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":null}
END
	exec tail -f /dev/null;;
*--after-cursor=c5*)
	echo '{"__CURSOR":"c6","_SYSTEMD_UNIT":"msup-db.service","MESSAGE":"last"}';;
esac`)
	r, stop := following(t, []Source{
		{Program: "db", Stream: Stdout, Unit: "msup-db.service"},
		{Program: "db", Stream: Stderr, Unit: "msup-db.service"},
		{Program: "web", Stream: Stderr, Unit: "msup-web.service", User: true},
	}, nil, nil)
	want := []string{"db one", "web/stderr web\x1b\xff", "db two", "db lines", "db "}
	r.wait(t, want...)
	stop()
	if got := r.all(); !slices.Equal(got, append(want, "db last")) {
		t.Errorf("got %q", got)
	}
	got := calls(t, dir)
	if len(got) != 2 {
		t.Fatalf("%d calls: %q", len(got), got)
	}
	for _, part := range []string{
		"--output=json", "--all", "--follow", "--no-tail", "--since=@",
		fmt.Sprintf("_SYSTEMD_UNIT=msup-db.service + _SYSTEMD_USER_UNIT=msup-web.service _UID=%d", os.Getuid()),
	} {
		if !strings.Contains(got[0], part) {
			t.Errorf("no %s in %s", part, got[0])
		}
	}
}

// TestLastEntries has a program that wrote nearly everything lately.
func TestLastEntries(t *testing.T) {
	entry := func(cursor, unit, text string) string {
		return fmt.Sprintf(`{"__CURSOR":"%s","__REALTIME_TIMESTAMP":"1700000000000000","_SYSTEMD_UNIT":"%s","MESSAGE":"%s"}`+"\n", cursor, unit, text)
	}
	dir := fakeJournal(t, `case "$*" in
*_SYSTEMD_UNIT=busy.service*) cat "$DIR/all";;
*) cat "$DIR/quiet";;
esac`)
	var all string
	for i := 6; i > 0; i-- {
		all += entry(fmt.Sprint("b", i), "busy.service", fmt.Sprint("busy ", i))
	}
	must(t, os.WriteFile(filepath.Join(dir, "all"), []byte(all), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "quiet"), []byte(entry("q", "quiet.service", "hello")), 0o644))
	sources := []Source{{Program: "busy", Unit: "busy.service"}, {Program: "quiet", Unit: "quiet.service"}, {Program: "none", Unit: "none.service"}}
	r := newRecorder()
	must(t, Tail(t.Context(), sources, Window{Lines: 2}, r.out))
	if got, want := r.all(), []string{"busy busy 5", "busy busy 6", "quiet hello"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got := calls(t, dir)
	if len(got) != 2 || !strings.Contains(got[0], "--lines=6 ") || !strings.Contains(got[1], "--lines=4 ") || strings.Contains(got[1], "busy") {
		t.Errorf("calls %q", got)
	}
	// What comes after is asked for from the last entry on.
	if p := Last(t.Context(), sources, Window{Lines: 2}); p.journal.cursor != "b6" {
		t.Errorf("cursor %q", p.journal.cursor)
	}
}

func TestJournalCannot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	add(t, file, "hello\n")
	sources := []Source{{Program: "web", Stream: Stdout, File: file}, {Program: "web", Stream: Stderr, Unit: "msup-web.service"}}
	tests := []struct{ name, script, want string }{
		{"no permission", "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1", " NOTE cannot read the journal for web: No journal files were opened due to insufficient permissions."},
		{"fails", "exit 3", " NOTE cannot read the journal for web: journalctl: exit status 3"},
		{"no JSON", "echo '-- No entries --'", ` NOTE cannot read the journal for web: cannot parse journal entry "-- No entries --\n": `},
		{"not installed", "", " NOTE cannot read the journal for web: journalctl is not installed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := fakeJournal(t, tt.script)
			if tt.script == "" {
				must(t, os.Remove(filepath.Join(dir, "journalctl")))
				t.Setenv("PATH", dir)
			}
			check := func(got []string) bool {
				return len(got) == 2 && slices.Contains(got, "web/stdout hello") &&
					slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, tt.want) })
			}
			r := newRecorder()
			must(t, Tail(t.Context(), sources, Window{Lines: 5}, r.out))
			if !check(r.all()) {
				t.Errorf("tail: %q, want %q", r.all(), tt.want)
			}
			// Once, although two journalctl fail.
			r, stop := following(t, sources, Last(t.Context(), sources, Window{Lines: 5}), nil)
			r.until(t, tt.want, check)
			stop()
			if !check(r.all()) {
				t.Errorf("follow: %q", r.all())
			}
		})
	}
}

func TestNames(t *testing.T) {
	var sources []Source
	for p := range strings.FieldsSeq("a b c d e f g") {
		sources = append(sources, Source{Program: p}, Source{Program: p})
	}
	if got := names(sources[:4]); got != "a, b" {
		t.Errorf("%q", got)
	}
	if got := names(sources); got != "a, b, c, d and 3 others" {
		t.Errorf("%q", got)
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(`{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":["a","b"],"MESSAGE":["one",[116,119,111],null]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		parseEntry(line)
	})
}

func TestParseEntryRepeated(t *testing.T) {
	e, err := parseEntry([]byte(`{"MESSAGE":["one",[116,119,111]]}`))
	if err != nil || string(e.text) != "one\ntwo" {
		t.Errorf("%q, %v", e.text, err)
	}
}

// Lines that a supervisor has given to the journal are shown beside those of the unit itself.
func TestRelayed(t *testing.T) {
	dir := fakeJournal(t, `cat <<'END'
{"__CURSOR":"c3","__REALTIME_TIMESTAMP":"3","_SYSTEMD_UNIT":"msup.service","OBJECT_SYSTEMD_UNIT":"msup-web.service","MSUP_STREAM":"stdout","MESSAGE":"three"}
{"__CURSOR":"c2","__REALTIME_TIMESTAMP":"2","_SYSTEMD_UNIT":"msup.service","OBJECT_SYSTEMD_UNIT":"msup-web.service","MESSAGE":"the supervisor's own"}
{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"msup-web.service","MESSAGE":"one"}
END`)
	r := newRecorder()
	must(t, Tail(t.Context(), []Source{{Program: "web", Stream: Stdout, Unit: "msup-web.service", Relayed: true}}, Window{Lines: 5}, r.out))
	if got, want := r.all(), []string{"web/stdout one", "web/stdout three"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	const match = "_SYSTEMD_UNIT=msup-web.service + OBJECT_SYSTEMD_UNIT=msup-web.service _UID=0 MSUP_STREAM=stdout"
	if got := calls(t, dir); len(got) != 1 || !strings.HasSuffix(got[0], match) {
		t.Errorf("calls %q, want %s", got, match)
	}
	both := Source{Unit: "msup-web.service", User: true, Relayed: true}
	if got, want := strings.Join(both.relayed(), " "), fmt.Sprintf("OBJECT_SYSTEMD_USER_UNIT=msup-web.service _UID=%d MSUP_STREAM=stdout MSUP_STREAM=stderr", os.Getuid()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
