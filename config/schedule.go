package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"msup/policy"
	"msup/property"
	"msup/units"
)

const (
	scheduleKey  = "schedule"
	calendarDemo = "*-*-* 03:00"
)

// scheduleKeys say when a program is started that does not run all the time.
var scheduleKeys = []Key{
	{
		Section: programSection, Name: scheduleKey, Kind: Text, Unset: "none", Repeats: true, Allowed: "a calendar event of systemd's (man 7 systemd.time), every and a time, or none", Example: calendarDemo,
		Doc: "When it is started: at the times of a calendar event, \"Mon..Fri 08:30 Europe/Berlin\", or \"every 10m\"; of several lines each is a time more. autostart then means the schedule. " +
			"A time at which it runs is skipped. none takes back what [defaults] has.",
		Other: []string{"OnCalendar", "cron", "crontab", "cron_schedule"}, set: setSchedule,
	},
	{
		Section: programSection, Name: "schedule_spread", Kind: Scalar, Default: "0", Allowed: durationWords, Example: "5m",
		Doc:   "How much later than its time it may be started, by chance each time, so that not all are at one moment (RandomizedDelaySec).",
		Other: []string{"RandomizedDelaySec"}, set: duration(func(p *units.Program) *time.Duration { return &p.Schedule.Spread }),
	},
	{
		Section: programSection, Name: "schedule_missed", Kind: Scalar, Default: "skip", Allowed: "skip or run", Example: "run",
		Doc:   "What becomes of the times of a calendar event at which the machine or the project was down: with run, one start makes up for all of them, with msup up (Persistent).",
		Other: []string{"Persistent"}, set: func(t *target, s setting) error {
			t.prog.Schedule.CatchUp = s.value == "run"
			return oneOf(s.value, "skip", "run")
		},
	},
}

// leastEvery is the shortest time between two starts.
const leastEvery = time.Second

func setSchedule(t *target, s setting) error {
	sched := &t.prog.Schedule
	if s.value == "none" {
		sched.Calendar, sched.Every = nil, 0
		return nil
	}
	if text, isEvery := cutEvery(s.value); isEvery {
		d, err := ParseDuration(text)
		switch {
		case err != nil:
			return hinted("write for example every 10m; a calendar event of systemd's is for times of the day, for example "+calendarDemo, "%v", err)
		case d < leastEvery:
			return hinted("use 1s or more", "%s is too often", s.value)
		case sched.Every > 0:
			return hinted("say it once; calendar events may stand beside it", "there is every %s already", policy.Words(sched.Every))
		}
		sched.Every = d
		return nil
	}
	event, err := property.ParseCalendar(s.value)
	if err != nil {
		return scheduleError(s.value, err)
	}
	if event.Over(time.Now().Add(-24 * time.Hour)) { // somewhere it is still the year before
		t.warn(s, "its times are over: it names no year to come", "")
	}
	sched.Calendar = append(sched.Calendar, s.value)
	return nil
}

// cutEvery reports whether it says "every", and what follows.
func cutEvery(text string) (rest string, ok bool) {
	word, rest, _ := strings.Cut(text, " ")
	return strings.Trim(rest, blank), strings.EqualFold(word, "every")
}

// scheduleError says what is meant most likely.
func scheduleError(text string, err error) error {
	if events, ok := property.FromCron(text); ok {
		write := "write " + scheduleKey + " = " + strings.Join(events, " and another line "+scheduleKey+" = ")
		return hinted(write, "%s is cron's way to say it", quote(text))
	}
	lower := strings.ToLower(text)
	switch every, isEvery := cutEvery(strings.TrimPrefix(lower, "@")); {
	case lower == "@reboot":
		return hinted("remove it: autostart = true starts it with msup up", "%s is cron's", quote(text))
	case isEvery:
		return hinted("write every "+every, "%s is no calendar event", quote(text))
	case looksLikeCron(text):
		return hinted("write a calendar event of systemd's, for example "+calendarDemo, "%s is cron's way to say it", quote(text))
	}
	if _, err := ParseDuration(text); err == nil {
		return hinted("write every "+text, "%s is no calendar event", quote(text))
	}
	if near := Suggest(text, property.CalendarWords()); near != "" && !strings.ContainsAny(text, " :*") {
		return hinted("did you mean "+near+"?", "%s is no calendar event", quote(text))
	}
	e := &property.CalendarError{}
	if errors.As(err, &e) {
		err = fmt.Errorf("%s", e.Why)
	}
	return hinted("use a calendar event, for example "+calendarDemo+" or Mon..Fri 08:30, or for example every 10m; systemd-analyze calendar tries one", "%v", err)
}

// looksLikeCron reports whether a text has the five or six fields of crontab(5).
func looksLikeCron(text string) bool {
	fields := strings.Fields(text)
	return (len(fields) == 5 || len(fields) == 6) && !strings.Contains(text, ":")
}

// completeSchedule says what a schedule means for other keys.
func completeSchedule(t *target, given func(key string) bool, idle func(key, why string, with ...string)) {
	s, r := t.prog.Schedule, &t.prog.Rules
	r.Awaits = s.String()
	if !given("autorestart") {
		r.Autorestart = policy.OnFailure
		if !s.IsZero() {
			r.Autorestart = policy.Never // its next time is the next try
		}
	}
	switch {
	case s.IsZero():
		idle("schedule_spread", "there is no schedule")
		idle("schedule_missed", "there is no schedule")
	case len(s.Calendar) == 0 && s.CatchUp:
		idle("schedule_missed", "every misses no time: it counts from the last start", scheduleKey)
	}
	if !s.IsZero() && r.Autorestart == policy.Always && !r.Oneshot && !t.quiet {
		t.warn(t.prog.at("autorestart"), "it is started again whenever it has ended, so every time of its schedule but the first is skipped", "use on-failure or never")
	}
}
