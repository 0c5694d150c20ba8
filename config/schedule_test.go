package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"msup/policy"
	"msup/units"
)

func TestScheduleKeys(t *testing.T) {
	const hint = "; use a calendar event, for example *-*-* 03:00 or Mon..Fri 08:30, or for example every 10m; systemd-analyze calendar tries one"
	for text, want := range map[string]string{
		"schedule = 0 3 * * *\n":                            `x.conf:3: [program a] schedule: "0 3 * * *" is cron's way to say it; write schedule = *-*-* 03:00:00`,
		"schedule = 0 0 13 * 5\n":                           `x.conf:3: [program a] schedule: "0 0 13 * 5" is cron's way to say it; write schedule = *-*-13 00:00:00 and another line schedule = Fri *-*-* 00:00:00`,
		"schedule = @daily\n":                               `x.conf:3: [program a] schedule: "@daily" is cron's way to say it; write schedule = daily`,
		"schedule = @reboot\n":                              `x.conf:3: [program a] schedule: "@reboot" is cron's; remove it: autostart = true starts it with msup up`,
		"schedule = @every 5m\n":                            `x.conf:3: [program a] schedule: "@every 5m" is no calendar event; write every 5m`,
		"schedule = 0 0 L * *\n":                            `x.conf:3: [program a] schedule: "0 0 L * *" is cron's way to say it; write a calendar event of systemd's, for example *-*-* 03:00`,
		"schedule = 10m\n":                                  `x.conf:3: [program a] schedule: "10m" is no calendar event; write every 10m`,
		"schedule = dayly\n":                                `x.conf:3: [program a] schedule: "dayly" is no calendar event; did you mean daily?`,
		"schedule = 25:00\n":                                "x.conf:3: [program a] schedule: hour 25 is out of range, 0 to 23" + hint,
		"schedule = 03:00 Europe/Berlim\n":                  "x.conf:3: [program a] schedule: Europe/Berlim is no time zone" + hint,
		"schedule = every\n":                                "x.conf:3: [program a] schedule: ",
		"schedule = every now\n":                            "x.conf:3: [program a] schedule: ",
		"schedule = every 500ms\n":                          "x.conf:3: [program a] schedule: every 500ms is too often; use 1s or more",
		"schedule = every 1m\nschedule = every 2m\n":        "x.conf:4: [program a] schedule: there is every 60s already; say it once; calendar events may stand beside it",
		"every = 10m\n":                                     "x.conf:3: [program a] every: unknown key; write schedule = every and the time, for example every 10m",
		"OnCalendar = daily\n":                              "x.conf:3: [program a] OnCalendar: unknown key; msup calls it schedule",
		"cron_restart = 0 0 * * *\n":                        "x.conf:3: [program a] cron_restart: unknown key; write schedule for a program that ends; max_age restarts one that runs",
		"schedule_missed = no\nschedule = daily\n":          `x.conf:3: [program a] schedule_missed: "no" is not`,
		"schedule_spread = 5m\n":                            "warning: x.conf:3: [program a] schedule_spread: schedule_spread has no effect: there is no schedule",
		"schedule_missed = run\n":                           "warning: x.conf:3: [program a] schedule_missed: schedule_missed has no effect: there is no schedule",
		"schedule = every 5m\nschedule_missed = run\n":      "warning: x.conf:4: [program a] schedule_missed: schedule_missed has no effect: every misses no time",
		"schedule = 2020-01-01\n":                           "warning: x.conf:3: [program a] schedule: its times are over: it names no year to come",
		"schedule = 2020/2-01-01\n":                         "",
		"schedule = 2020..2199-01-01\n":                     "",
		"schedule = daily\nautorestart = always\n":          "warning: x.conf:4: [program a] autostart: ",
		"schedule = daily\nautorestart = on-failure\n":      "",
		"schedule = Mon..Fri 08:30 # at work\n":             "",
		"schedule = 'weekly UTC'\nschedule = every 1h30m\n": "",
	} {
		c, err := loadText("program a\ncommand = sleep 1\n" + text)
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case len(c.Warnings) > 0:
			got = "warning: " + c.Warnings[0].String()
		}
		if strings.Contains(want, "autostart: ") {
			want = "warning: x.conf:4: [program a] autorestart: it is started again whenever it has ended, so every time of its schedule but the first is skipped; use on-failure or never"
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
}

// What a schedule is, with what it means for other keys, and what [defaults] has.
func TestScheduleOfAProgram(t *testing.T) {
	c, err := loadText(`[defaults]
schedule = daily
schedule_spread = 1m
[program a]
command = sleep 1
schedule = Sun 12:00
schedule = every 90s
schedule_missed = run
[program b]
command = sleep 1
schedule = none
[program c]
command = sleep 1
autorestart = on-failure
schedule = none
schedule = 12:{{instance}}0
instances = 2
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		name     string
		schedule units.Schedule
		awaits   string
		mode     policy.Mode
		timer    string
	}{
		{
			"a",
			units.Schedule{Calendar: []string{"daily", "Sun 12:00"}, Every: 90 * time.Second, Spread: time.Minute, CatchUp: true},
			"daily or Sun 12:00 or every 90s", policy.Never, "msup-a:due.timer",
		},
		{"b", units.Schedule{Spread: time.Minute}, "", policy.OnFailure, "msup-b:due.timer"},
		{"c@2", units.Schedule{Calendar: []string{"12:20"}, Spread: time.Minute}, "12:20", policy.OnFailure, "msup-c@2:due.timer"},
	} {
		p := c.Program(want.name)
		if !slices.Equal(p.Schedule.Calendar, want.schedule.Calendar) || p.Schedule.Every != want.schedule.Every || p.Schedule.Spread != want.schedule.Spread ||
			p.Schedule.CatchUp != want.schedule.CatchUp || p.Rules.Awaits != want.awaits || p.Rules.Autorestart != want.mode || p.TimerUnit() != want.timer {
			t.Errorf("%s: %+v, awaits %q, autorestart %s, %s", want.name, p.Schedule, p.Rules.Awaits, p.Rules.Autorestart, p.TimerUnit())
		}
	}
	// A start with another time is none with another program.
	if a, b := c.Program("c@1").Digest, c.Program("b").Digest; a != b {
		t.Error("the schedule is in the digest")
	}
}

// msup set replaces it, and what follows from it.
func TestSetSchedule(t *testing.T) {
	c, err := loadText("program a\ncommand = sleep 1\nschedule = daily\nschedule = every 1h\n")
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := Override(c.Programs[0], "schedule", "weekly")
	if err != nil || p.Schedule.String() != "weekly" || p.Rules.Awaits != "weekly" || p.Rules.Autorestart != policy.Never {
		t.Errorf("%v %+v %+v", err, p.Schedule, p.Rules)
	}
	if p, _, err = Override(p, "schedule", "none"); err != nil || !p.Schedule.IsZero() || p.Rules.Awaits != "" || p.Rules.Autorestart != policy.OnFailure {
		t.Errorf("%v %+v %+v", err, p.Schedule, p.Rules)
	}
	if _, _, err = Override(p, "schedule", "0 3 * * *"); err == nil || !strings.Contains(err.Error(), "write schedule = *-*-* 03:00:00") {
		t.Error(err)
	}
}

// A new program waits for its schedule; one that has failed at its time waits for the next.
func TestDiffOfSchedules(t *testing.T) {
	c, err := loadText("program a\ncommand = sleep 2\nschedule = daily\n")
	if err != nil {
		t.Fatal(err)
	}
	plan := Diff(units.Project{Name: c.Name}, nil, c)
	if p := plan.Programs[0]; p.Effect != units.EffectAdd || p.Starts || p.Awaits != "daily" || len(plan.Restarts()) > 0 {
		t.Errorf("%+v", p)
	}
	failed := units.Status{Name: "a", Program: c.Programs[0], State: policy.State{Phase: policy.Failed, Armed: true}, Digest: c.Programs[0].Digest}
	wanted, err := loadText("program a\ncommand = sleep 1\nschedule = weekly\n")
	if err != nil {
		t.Fatal(err)
	}
	plan = Diff(c.Project, []units.Status{failed}, wanted)
	if p := plan.Programs[0]; p.Effect != units.EffectNextStart || p.Starts || len(plan.Restarts()) > 0 {
		t.Errorf("%+v", p)
	}
}
