package main

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// Marks stand where the program's output was when its state changed, once in each file.
func TestMarks(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.log")
	log := units.Log{NoJournal: true, Markers: true}
	o := outputsOf(t,
		units.Program{Name: "x", Stdout: file, Stderr: file, Log: log},
		units.Program{Name: "quiet", Stdout: filepath.Join(dir, "quiet.log"), Log: units.Log{NoJournal: true}})
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.FixedZone("", 3600))
	mark := func(program string, from, to policy.Phase, reason string) {
		o.mark(units.Record{Time: at, Program: program, From: from, To: to, Reason: reason})
	}
	mark("x", policy.Stopped, policy.Starting, "by request")
	mark("x", policy.Starting, policy.Running, "started")
	mark("quiet", policy.Stopped, policy.Starting, "by request")
	drain(t, o, "x")
	write(t, o, "x", "first\nsecond")
	mark("x", policy.Running, policy.Failed, "exit status 1")
	mark("x", policy.Failed, policy.Running, "started with systemctl")
	drain(t, o, "x")
	write(t, o, "x", "third\n")
	o.close()
	const want = `--- 2026-11-23T10:00:00.000+01:00 msup: x STARTING: by request ---
first
second
--- 2026-11-23T10:00:00.000+01:00 msup: x FAILED: exit status 1 ---
--- 2026-11-23T10:00:00.000+01:00 msup: x RUNNING: started with systemctl ---
third
`
	if diff := cmp.Diff(want, content(t, file)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if got := content(t, filepath.Join(dir, "quiet.log")); got != "" {
		t.Errorf("marks that nobody asked for: %q", got)
	}
}

// Where each line begins with a time, marks have no second one.
func TestMarksOfStampedLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.log")
	o := outputsOf(t, units.Program{Name: "x", Stdout: file, Log: units.Log{NoJournal: true, Markers: true, Timestamps: units.Unix}})
	o.mark(units.Record{Time: time.Unix(0, 0), Program: "x", From: policy.Stopped, To: policy.Starting, Reason: "autostart"})
	o.close()
	if got := content(t, file); !regexp.MustCompile(`^\d+\.\d{3} --- msup: x STARTING: autostart ---\n$`).MatchString(got) {
		t.Errorf("file has %q", got)
	}
}
