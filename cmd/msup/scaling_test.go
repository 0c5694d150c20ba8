package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"msup/config"
	"msup/policy"
	"msup/units"
)

// A supervisor that takes over has the number of instances that the state tells of: a change
// of it that was written down, and had not begun, has not been.
func TestKeepScales(t *testing.T) {
	conf := func(n string) units.Project {
		file := filepath.Join(t.TempDir(), "msup.conf")
		if err := os.WriteFile(file, []byte("[program web]\ncommand = /bin/sleep 1\ninstances = "+n+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Project
	}
	scale := func(p units.Project, n int) units.Project {
		p, _, err := config.Scale(p, "web", n)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	state := func(n int, dropping ...string) *units.Saved {
		s := &units.Saved{Programs: map[string]units.SavedProgram{}}
		for i := range n {
			s.Programs[units.InstanceName("web", i+1)] = units.SavedProgram{State: policy.State{Phase: policy.Running}}
		}
		for _, name := range dropping {
			s.Programs[name] = units.SavedProgram{Dropping: true, State: policy.State{Phase: policy.Stopping}}
		}
		return s
	}
	two := conf("2")
	for _, tt := range []struct {
		name         string
		file, before units.Project
		saved        *units.Saved
		want, scaled int
	}{
		{"never scaled", two, two, state(2), 2, 0},
		{"scaled up", two, scale(two, 4), state(4), 4, 4},
		{"not begun", two, scale(two, 4), state(2), 2, 0},
		{"scaled up from 3, not begun", two, scale(two, 4), state(3), 3, 3},
		{"scaled down", two, scale(two, 1), state(1, "web@2"), 1, 1},
		{"scaled down, all is over", two, scale(two, 1), state(1), 1, 1},
		{"scaled down, not begun", two, scale(two, 1), state(2), 2, 0},
		{"the file has another number", conf("3"), scale(two, 4), state(4), 4, 4},
		{"another number, not begun", conf("3"), scale(two, 4), state(2), 3, 0},
		{"the file has caught up", conf("4"), scale(two, 4), state(4), 4, 0},
		{"the file is wrong", scale(two, 4), scale(two, 4), state(4), 4, 4},
		{"the file is wrong, not begun", scale(two, 4), scale(two, 4), state(2), 2, 0},
		{"no state", two, scale(two, 4), nil, 4, 4},
		{"a damaged state", two, scale(two, 4), &units.Saved{Damaged: true}, 4, 4},
	} {
		got, err := keepScales(tt.file, tt.before, tt.saved)
		if err != nil || countOf(got, "web") != tt.want || got.Template("web").Scaled != tt.scaled {
			t.Errorf("%s: %d instances, scaled %d, %v; want %d, %d", tt.name, countOf(got, "web"), got.Template("web").Scaled, err, tt.want, tt.scaled)
		}
	}

	// What cannot be kept is told, and the file holds.
	file := filepath.Join(t.TempDir(), "msup.conf")
	if err := os.WriteFile(file, []byte("[program web]\ncommand = /bin/nothere{{instance}}\ninstances = 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := keepScales(wrong.Project, scale(two, 4), state(4))
	if err == nil || !strings.Contains(err.Error(), "cannot keep the 4 instances of program web: ") || countOf(got, "web") != 2 {
		t.Errorf("%d instances, %v", countOf(got, "web"), err)
	}
}

func TestParseScales(t *testing.T) {
	for arg, want := range map[string]string{
		"web=6":      "",
		"web":        "needs NAME=N",
		"=6":         "needs NAME=N",
		"web=":       "bad number of instances",
		"web=-1":     "bad number of instances",
		"web=1001":   "bad number of instances",
		"w*=2":       "one program at a time",
		"web@1=2":    "web@1 is one instance: write web=N",
		"b=2 web=20": "",
		"b=2 b=3":    "b is there twice",
	} {
		_, err := parseScales(strings.Fields(arg))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || err.(*exitError).code != exitUsage) {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
}
