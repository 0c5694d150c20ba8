package config

import (
	"strings"
	"testing"

	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// Hooks are found as the command is, those of [defaults] run first, and a - lets one fail.
func TestHooks(t *testing.T) {
	c, err := loadText("[defaults]\nbefore_start = -sleep 1\n[program a]\ncommand = sleep 1\nbefore_start = - sleep '$X' 2\nstop_command = /bin/sh -c 'exit 0'\nafter_stop = sleep\n")
	if err != nil {
		t.Fatal(err)
	}
	sleep := c.Programs[0].Path
	want := units.Hooks{
		BeforeStart: []units.Hook{{Path: sleep, Argv: []string{"sleep", "1"}, MayFail: true}, {Path: sleep, Argv: []string{"sleep", "$X", "2"}, MayFail: true}},
		StopCommand: []units.Hook{{Path: "/bin/sh", Argv: []string{"/bin/sh", "-c", "exit 0"}}},
		AfterStop:   []units.Hook{{Path: sleep, Argv: []string{"sleep"}}},
	}
	if diff := cmp.Diff(want, c.Programs[0].Hooks); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

func TestBadHooks(t *testing.T) {
	const head = "[program a]\ncommand = sleep 1\n"
	for text, want := range map[string]string{
		head + "before_start = nothere\n":                                   `x.conf:3: [program a] before_start: "nothere" is not found in`,
		head + "after_stop = ./nothere\n":                                   "x.conf:3: [program a] after_stop: nothere does not exist",
		head + "before_stop = -\n":                                          `x.conf:3: [program a] before_stop: there is no program in "-"; write the program to run`,
		head + "before_stop = 'open\n":                                      "x.conf:3: [program a] before_stop: a quote ' is not closed",
		head + "unit_type = scope\nreload_command = sleep 1\n":              "x.conf:4: [program a] reload_command: a scope cannot have it; systemd starts only services itself",
		head + "ExecStartPre = sleep\n":                                     "x.conf:3: [program a] ExecStartPre: unknown key; write systemd.ExecStartPre",
		head + "before_strt = sleep\n":                                      "x.conf:3: [program a] before_strt: unknown key; did you mean before_start?",
		head + "before_start = sleep 1 && sleep 2\n":                        "warning: x.conf:3: [program a] before_start: no shell runs this",
		head + "reload_command = sleep $MAINPID\n":                          "warning: x.conf:3: [program a] reload_command: nothing is expanded",
		"[defaults]\nbefore_start = sleep\n" + head + "unit_type = scope\n": "warning: x.conf:2: [defaults] before_start: program a is a scope and runs without it",
	} {
		c, err := loadText(text)
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case len(c.Warnings) > 0:
			got = "warning: " + c.Warnings[0].String()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
}

// Before systemd 254 a daemon-reload damages what is run after it.
func TestDamagedHooks(t *testing.T) {
	for value, want := range map[string]bool{
		"reload_command = sh -c 'kill -HUP \"$MAINPID\"'": true,
		"before_stop = sleep 'it''s'":                     false,
		"after_stop = sleep \"it's\"":                     true,
		"before_start = sh -c 'echo $X'":                  false,
	} {
		c, err := loadText("[program a]\ncommand = sleep 1\n" + value + "\n")
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if err := c.CheckSystemd(254); err != nil || len(c.Warnings) > 0 {
			t.Errorf("%s: with 254 %v, %v", value, err, c.Warnings)
		}
		if err := c.CheckSystemd(252); err != nil || (len(c.Warnings) == 1) != want {
			t.Errorf("%s: with 252 %v, %v", value, err, c.Warnings)
		}
	}
}
