package config

import (
	"testing"
	"time"

	"msup/policy"

	"github.com/google/go-cmp/cmp"
)

func TestParseDelays(t *testing.T) {
	const s, m = time.Second, time.Minute
	for value, want := range map[string][]time.Duration{
		"0": {0}, "1": {s}, "1 3 4": {s, 3 * s, 4 * s}, "1s, 3s,4s": {s, 3 * s, 4 * s}, "1h30m": {90 * m},
		"5 min 7": {5 * m, 7 * s}, "500ms  2m": {s / 2, 2 * m},
	} {
		if got, err := parseDelays(value); err != nil || !cmp.Equal(got, want) {
			t.Errorf("parseDelays(%q) = %v, %v; want %v", value, got, err, want)
		}
	}
	for _, value := range []string{"", ",", "1;2", "min", "1 soon", "-1", "1 -2"} {
		if got, err := parseDelays(value); err == nil {
			t.Errorf("parseDelays(%q) = %v, want an error", value, got)
		}
	}
}

func TestParseExits(t *testing.T) {
	for value, want := range map[string]string{
		"0": "0", "0,2": "0 2", "3-5 0 3-5": "3-5 0", "255": "255", "7-7": "7",
		"term SIGHUP 1": "1 SIGTERM SIGHUP", "oom Watchdog 64-78 signal": "oom watchdog signal 64-78",
		"core-dump,exec-failed unhealthy timeout": "core-dump exec-failed unhealthy timeout",
	} {
		if got, err := parseExits(value); err != nil || got.String() != want {
			t.Errorf("parseExits(%q) = %v, %v; want %v", value, got, err, want)
		}
	}
	for _, value := range []string{"256", "-1", "5-3", "a", ",", "1-", "1-2-3", "+1", "300-400", "SIG", "oom-kill"} {
		if got, err := parseExits(value); err == nil {
			t.Errorf("parseExits(%q) = %v, want an error", value, got)
		}
	}
}

func TestParseShare(t *testing.T) {
	for value, want := range map[string]float64{"0": 0, "1": 1, "0.25": 0.25, "20%": 0.2, "100 %": 1, "0%": 0} {
		if got, err := parseShare(value); err != nil || got != want {
			t.Errorf("parseShare(%q) = %v, %v; want %v", value, got, err, want)
		}
	}
	for _, value := range []string{"", "%", "1.1", "101%", "-1", "x"} {
		if got, err := parseShare(value); err == nil {
			t.Errorf("parseShare(%q) = %v, want an error", value, got)
		}
	}
}

// A delay that is longer than the default of restart_delay_max is what was asked for.
func TestLongDelay(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"restart_delay = 1h\n":                           time.Hour,
		"restart_delay = 1h\nrestart_delay_max = 0\n":    0,
		"restart_delay = 1s\n":                           5 * time.Minute,
		"restart_delay = 1 2h\nrestart_delay_max = 3h\n": 3 * time.Hour,
	} {
		c, err := loadText("program a\ncommand = sleep 1\n" + text)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Programs[0].Rules.RestartDelayMax; got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// Every cause has a word, and no word is a signal's or a number.
func TestCauseWords(t *testing.T) {
	for _, c := range policy.Causes {
		set, err := parseExits(c.Word)
		if err != nil || len(set.Causes) != 1 || set.Causes[0] != c.Cause {
			t.Errorf("%s: %v, %v", c.Word, set, err)
		}
	}
}
