package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"msup/policy"
)

// What contradicts itself is an error, what has no effect a warning.
func TestLifeKeys(t *testing.T) {
	for text, want := range map[string]string{
		"oneshot = maybe\n":                              "x.conf:3: [program a] oneshot: \"maybe\" is neither true nor false",
		"oneshot = true\nautorestart = always\n":         "x.conf:4: [program a] autorestart: the program is a oneshot, which is done when it has ended well; use on-failure or never, or remove oneshot",
		"oneshot = true\nrestart_on = 75 0\n":            "x.conf:4: [program a] restart_on: the program is a oneshot",
		"oneshot = true\nmax_age = 1d\n":                 "x.conf:4: [program a] max_age: the program is a oneshot, which is not restarted for its age; use max_runtime",
		"oneshot = true\nstart_seconds = 5\n":            "warning: x.conf:4: [program a] start_seconds: start_seconds has no effect: a oneshot counts when it has ended",
		"oneshot = true\nrestart_reset = 5\n":            "warning: x.conf:4: [program a] restart_reset: restart_reset has no effect",
		"max_age_spread = 10%\n":                         "warning: x.conf:3: [program a] max_age_spread: max_age_spread has no effect: max_age is not set",
		"max_age_spread = 2\n":                           "x.conf:3: [program a] max_age_spread: \"2\" is not a share; use a number from 0 to 1",
		"max_runtime = soon\n":                           "x.conf:3: [program a] max_runtime: ",
		"max_runtime = 5\nsystemd.RuntimeMaxSec = 7\n":   "x.conf:3: [program a] max_runtime: systemd.RuntimeMaxSec is set too; say it once, by max_runtime",
		"oneshot = true\nrestart_on = 75 oom watchdog\n": "",
		"max_runtime = 0\nsystemd.RuntimeMaxSec = 7\n":   "",
	} {
		c, err := loadText("program a\ncommand = sleep 1\n" + text)
		if want == "" {
			if err != nil || len(c.Warnings) > 0 {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
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
	c, err := loadText("program a\ncommand = sleep 1\nmax_runtime = 5\nmax_age = 1h\nmax_age_spread = 10%\noneshot = no\n")
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Programs[0]; p.MaxRuntime != 5*time.Second || p.Rules.MaxAge != time.Hour || p.Rules.MaxAgeSpread != 0.1 || p.Rules.Oneshot {
		t.Errorf("got %+v", p)
	}
}

// [defaults] are for those programs that can have them.
func TestLifeKeysInDefaults(t *testing.T) {
	c, err := loadText("[defaults]\nstart_seconds = 5\nrestart_reset = 5\nautorestart = always\nmax_age = 1d\nmax_age_spread = 10%\nschedule_spread = 5s\nstart_retry_delay = 3\n" +
		"program job\ncommand = sleep 1\noneshot = true\nprogram a\ncommand = sleep 1\n")
	if err != nil || len(c.Warnings) > 0 {
		t.Fatal(err, c)
	}
	if r := c.Programs[0].Rules; r.Autorestart != policy.OnFailure || r.MaxAge != 0 {
		t.Errorf("the oneshot has %+v", r)
	}
	if r := c.Programs[1].Rules; r.Autorestart != policy.Always || r.MaxAge != 24*time.Hour {
		t.Errorf("the other has %+v", r)
	}
	// What contradicts itself there is told, and so is whose an error is.
	for text, want := range map[string]string{
		"[defaults]\noneshot = true\nstart_seconds = 5\n":         "x.conf:3: [defaults] start_seconds: start_seconds has no effect",
		"[defaults]\nmax_restarts = 0\nrestart_window = 5\n":      "x.conf:3: [defaults] restart_window: restart_window has no effect",
		"[defaults]\noneshot = true\nready = tcp: localhost:80\n": "x.conf:3: [defaults] ready: program job: the program is a oneshot",
	} {
		c, err := loadText(text + "program job\ncommand = sleep 1\n")
		got := fmt.Sprint(err)
		if err == nil && len(c.Warnings) > 0 {
			got = c.Warnings[0].String()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
}
