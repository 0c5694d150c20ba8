package logview

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseTime parses a time as people write it, relative to now and in its zone:
//
//	2026-11-23 10:00, 2026-11-23T10:00:05.5, RFC 3339
//	2026-11-23, today, yesterday: midnight
//	10:00, 10:00:05: the last time it was that o'clock
//	10m, 2h30m, 1d, 2w, with or without "-" in front or " ago" behind: before now
//	now, @1136214245.5: seconds since 1970
func ParseTime(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch s {
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if rest, ok := strings.CutPrefix(s, "@"); ok {
		if f, err := strconv.ParseFloat(rest, 64); err == nil && f >= 0 && f < 1e10 {
			return time.UnixMicro(int64(f * 1e6)), nil
		}
	}
	if ago, ok := duration(s); ok {
		return now.Add(-ago), nil
	}
	// Fractions of a second are taken by time.Parse wherever seconds are.
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())
			if t.After(now) {
				t = t.AddDate(0, 0, -1)
			}
			return t, nil
		}
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00",
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New(`use a time as "2026-11-23 10:00", "10:00", "today", "yesterday" or 2026-11-23T10:00:00Z, or how long ago as 10m, 2h or 1d`)
}

// duration parses "10m", "-1h30m", "2d", "3h ago".
func duration(s string) (time.Duration, bool) {
	s, _ = strings.CutPrefix(s, "-")
	s = strings.ReplaceAll(strings.TrimSuffix(s, " ago"), " ", "")
	var sum time.Duration
	for s != "" {
		digits := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if digits <= 0 {
			return 0, false
		}
		letters := strings.IndexFunc(s[digits:], func(r rune) bool { return r >= '0' && r <= '9' })
		if letters < 0 {
			letters = len(s) - digits
		}
		n, err := strconv.ParseFloat(s[:digits], 64)
		unit, ok := timeUnits[s[digits:digits+letters]]
		if err != nil || !ok || n*float64(unit) > float64(100*365*24*time.Hour) {
			return 0, false
		}
		sum += time.Duration(n * float64(unit))
		s = s[digits+letters:]
	}
	return sum, sum > 0
}

var timeUnits = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "m": time.Minute, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// Window says which of the past output is wanted.
type Window struct {
	Lines int       // the last lines of every program; negative = all
	Since time.Time // lines written at this time or later; zero = no limit
	Until time.Time // lines written at this time or before; zero = no limit
}

func (w Window) timed() bool { return !w.Since.IsZero() || !w.Until.IsZero() }

// has reports whether a line of this time, in nanoseconds since 1970, is in the window.
func (w Window) has(stamp int64) bool {
	return (w.Since.IsZero() || stamp >= w.Since.UnixNano()) && (w.Until.IsZero() || stamp <= w.Until.UnixNano())
}

func (w Window) journalArgs() []string {
	var args []string
	if !w.Since.IsZero() {
		args = append(args, "--since="+journalTime(w.Since))
	}
	if !w.Until.IsZero() {
		args = append(args, "--until="+journalTime(w.Until))
	}
	return args
}

// journalTime writes a time as journalctl reads it (systemd.time(7)).
func journalTime(t time.Time) string {
	us := t.UnixMicro()
	return fmt.Sprintf("@%d.%06d", us/1e6, us%1e6)
}
