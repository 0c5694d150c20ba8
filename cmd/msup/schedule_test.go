package main

import (
	"testing"
	"time"

	"msup/control"
	"msup/policy"
)

func TestScheduleWords(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.Local) // a Thursday
	at := func(d time.Duration) *time.Time { return new(now.Add(d)) }
	for want, tt := range map[string]struct {
		s     control.ScheduleReport
		state policy.Phase
	}{
		"":                                 {control.ScheduleReport{}, policy.Stopped},
		", next run in 1m30s (10:01:30)":   {control.ScheduleReport{Armed: true, Next: at(90 * time.Second)}, policy.Stopped},
		", next run in 17h00m (Fri 03:00)": {control.ScheduleReport{Armed: true, Next: at(17 * time.Hour)}, policy.Stopped},
		", next run in 40d00h (2027-01-05 10:00)": {control.ScheduleReport{Armed: true, Next: at(40 * 24 * time.Hour)}, policy.Stopped},
		", no next run": {control.ScheduleReport{Armed: true, Over: true}, policy.Stopped},
		", last run 09:00:00, next run in 5s (10:00:05)": {
			control.ScheduleReport{Armed: true, LastRun: at(-time.Hour), Next: at(5 * time.Second)}, policy.Failed,
		},
		", next run in 5s (10:00:05), 3 skipped": {control.ScheduleReport{Armed: true, LastRun: at(-time.Hour), Next: at(5 * time.Second), Skipped: 3}, policy.Running},
		", last run Wed 10:00":                   {control.ScheduleReport{LastRun: at(-24 * time.Hour)}, policy.Stopped}, // somebody has stopped it
	} {
		if got := scheduleWords(tt.s, tt.state, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
