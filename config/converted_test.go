package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAbsent: what another format's program needs and the machine does not have is a warning, and
// a path is known at which it may come to be.
func TestAbsent(t *testing.T) {
	made := Converted{
		Path:  "/srv/app/other.ini",
		Place: func(line int) (string, int) { return "/srv/app/other.ini", 10 * line },
		Data: []byte("[program a]\ncommand = nothere\nbefore_start = ./nohook\nenvironment = PATH=:/opt/bin:/usr/bin\n" +
			"[program b]\ncommand = ./nothere\n[program c]\ncommand = run\ndirectory = away\n[program d]\ncommand = ./run\ndirectory = away\n"),
	}
	c, err := made.load(fakeHost(nil), true)
	if err != nil {
		t.Fatal(err)
	}
	var got, paths []string
	for _, w := range c.Warnings {
		got = append(got, strings.TrimPrefix(w.String(), "/srv/app/"))
	}
	for _, p := range c.Programs {
		paths = append(paths, p.Path)
	}
	want := []string{
		"other.ini:20: [program a] command: \"nothere\" is not found in :/opt/bin:/usr/bin: a cannot be started; write the whole path",
		"other.ini:30: [program a] before_start: nohook does not exist: a cannot be started",
		"other.ini:60: [program b] command: nothere does not exist: b cannot be started",
		"other.ini:80: [program c] command: \"run\" is not found in " + defaultPath + ": c cannot be started; write the whole path",
		"other.ini:90: [program c] directory: folder away does not exist: c cannot be started; create it, or name another",
		"other.ini:120: [program d] directory: folder away does not exist: d cannot be started; create it, or name another",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/opt/bin/nothere", "/srv/app/nothere", "/usr/local/sbin/run", "/srv/app/away/run"}, paths); diff != "" {
		t.Error(diff)
	}
}
