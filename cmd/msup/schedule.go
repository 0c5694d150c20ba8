package main

import (
	"fmt"
	"time"

	"msup/control"
	"msup/policy"
)

// scheduleWords are the last and the next run of a program with a schedule.
func scheduleWords(s control.ScheduleReport, state policy.Phase, now time.Time) string {
	text := ""
	if s.LastRun != nil && !state.Up() {
		text += ", last run " + momentWords(*s.LastRun, now)
	}
	switch {
	case s.Armed && s.Over:
		text += ", no next run"
	case s.Armed && s.Next != nil:
		text += fmt.Sprintf(", next run in %s (%s)", age(s.Next.Sub(now).Round(time.Second)), momentWords(*s.Next, now))
	}
	if s.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", s.Skipped)
	}
	return text
}

// momentWords is a time as short as it is clear: "03:00:00" of today, "Fri 03:00" of the days
// around, else with its date.
func momentWords(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch apart := t.Sub(now).Abs(); {
	case apart < 24*time.Hour && t.Day() == now.Day():
		return t.Format("15:04:05")
	case apart < 6*24*time.Hour:
		return t.Format("Mon 15:04")
	}
	return t.Format("2006-01-02 15:04")
}
