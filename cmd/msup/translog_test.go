package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"msup/units"
)

// Each record is in the log once, whatever became of the log and of the supervisor.
func TestTransitionLogAfterAnother(t *testing.T) {
	records := func(from, to uint64) (out []units.Record) {
		for n := from; n <= to; n++ {
			out = append(out, units.Record{Seq: 86 + n, Time: time.Unix(int64(n), 0), Reason: fmt.Sprintf("record %d", n)})
		}
		return out
	}
	lines := func(from, to uint64) (out string) {
		for _, r := range records(from, to) {
			out += logLine(r)
		}
		return out
	}
	tests := []struct {
		name   string
		logged uint64 // by the first supervisor
		happen func(log, marker string) error
		saved  []units.Record
		want   string
	}{
		{"nothing", 3, nil, records(1, 3), lines(1, 3)},
		{"killed before it was logged", 2, nil, records(1, 4), lines(1, 4)},
		{"the log was rotated", 3, func(log, _ string) error { return os.Remove(log) }, records(1, 4), lines(4, 4)},
		{"the log was emptied", 3, func(log, _ string) error { return os.Truncate(log, 0) }, records(1, 3), ""},
		{"nothing but the log tells", 3, func(_, marker string) error { return os.Remove(marker) }, records(1, 4), lines(1, 4)},
		{"the log knows more", 3, func(_, marker string) error { return os.WriteFile(marker, []byte("87\n"), 0o600) }, records(1, 4), lines(1, 4)},
		{"the state was lost", 3, nil, nil, lines(1, 3)},
		{"the state begins anew", 3, func(log, _ string) error { return os.Truncate(log, 0) }, records(1, 2), lines(1, 2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path, marker := filepath.Join(dir, "x.log"), filepath.Join(dir, loggedName)
			project := units.Project{Name: "x", Logfile: path}
			l, err := openTransitionLog(project, false, nil, marker)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records(1, tt.logged) {
				l.append(r)
			}
			l.close()
			if tt.happen != nil {
				if err := tt.happen(path, marker); err != nil {
					t.Fatal(err)
				}
			}
			if l, err = openTransitionLog(project, false, &units.Saved{Records: tt.saved}, marker); err != nil {
				t.Fatal(err)
			}
			l.close()
			got, err := os.ReadFile(path)
			if err != nil || string(got) != tt.want {
				t.Errorf("%v, got\n%swant\n%s", err, got, tt.want)
			}
		})
	}
}

// A log that cannot be opened is an error, and what is logged all the same harms nobody.
func TestTransitionLogThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	l, err := openTransitionLog(units.Project{Name: "x", Logfile: dir}, false, nil, filepath.Join(dir, loggedName))
	if err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	l.append(units.Record{Seq: 1, Reason: "told"})
	l.close()
}

// What the configuration no longer has is kept if it runs, and if nobody knows.
func TestKeepRemoved(t *testing.T) {
	before := units.Project{Programs: []units.Program{{Name: "web"}, {Name: "up"}, {Name: "down"}, {Name: "unknown"}}}
	saved := &units.Saved{Programs: map[string]units.SavedProgram{"up": {}, "down": {}}}
	up := saved.Programs["up"]
	up.State.Phase = "RUNNING"
	saved.Programs["up"] = up
	for _, tt := range []struct {
		saved   *units.Saved
		damaged bool
		want    string
	}{
		{saved, false, "web up"},
		{saved, true, "web up unknown"},
		{nil, false, "web"},
		{nil, true, "web up down unknown"},
	} {
		got := ""
		for i, p := range keepRemoved(units.Project{Programs: []units.Program{{Name: "web"}}}, before, tt.saved, tt.damaged).Programs {
			if got += " " + p.Name; p.Removed != (i > 0) {
				t.Errorf("%s: Removed is %t", p.Name, p.Removed)
			}
		}
		if got[1:] != tt.want {
			t.Errorf("damaged %t: got%s, want %s", tt.damaged, got, tt.want)
		}
	}
}
