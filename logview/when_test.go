package logview

import (
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		berlin = time.FixedZone("CET", 3600)
	}
	now := time.Date(2026, 11, 23, 12, 30, 0, 0, berlin)
	at := func(day, h, m, s int) time.Time { return time.Date(2026, 11, day, h, m, s, 0, berlin) }
	for text, want := range map[string]time.Time{
		"2026-11-22 10:00":            at(22, 10, 0, 0),
		"2026-11-22 10:00:05":         at(22, 10, 0, 5),
		"2026-11-22T10:00:05.5":       at(22, 10, 0, 5).Add(500 * time.Millisecond),
		"2026-11-22T10:00:00Z":        time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		"2026-11-22T10:00:00.5-05:00": time.Date(2026, 11, 22, 15, 0, 0, 5e8, time.UTC),
		"2026-11-22":                  at(22, 0, 0, 0),
		"today":                       at(23, 0, 0, 0),
		"yesterday":                   at(22, 0, 0, 0),
		"now":                         now,
		"10:00":                       at(23, 10, 0, 0),
		" 10:00:07 ":                  at(23, 10, 0, 7),
		"23:50":                       at(22, 23, 50, 0), // the last time it was that
		"10m":                         now.Add(-10 * time.Minute),
		"-1h":                         now.Add(-time.Hour),
		"1h30m":                       now.Add(-90 * time.Minute),
		"2 h ago":                     now.Add(-2 * time.Hour),
		"1.5d":                        now.Add(-36 * time.Hour),
		"1w":                          now.Add(-7 * 24 * time.Hour),
		"30min":                       now.Add(-30 * time.Minute),
		"@1136214245.5":               time.UnixMilli(1136214245500),
	} {
		got, err := ParseTime(text, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "-", "ago", "10x", "m", "1e3h", "25:00", "2026-13-01", "2026-11-22 10", "+1h", "99999999w", "@", "@x", "0s", "tomorrow"} {
		if got, err := ParseTime(text, now); err == nil || !strings.Contains(err.Error(), "2026-11-23 10:00") {
			t.Errorf("%q: %v, %v; want an error with an example", text, got, err)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("1h30m ago")
	f.Fuzz(func(t *testing.T, s string) { _, _ = ParseTime(s, time.Now()) })
}

func TestStampOf(t *testing.T) {
	local := func(ms int) int64 { return time.Date(2026, 11, 23, 10, 0, 5, ms*1e6, time.Local).UnixNano() }
	utc := func(h, ms int) int64 { return time.Date(2026, 11, 23, h, 0, 5, ms*1e6, time.UTC).UnixNano() }
	for text, want := range map[string]int64{
		"2026-11-23T10:00:05.250+01:00 web: hello":                         utc(9, 250), // ours
		"1136214245.250 hello":                                             1136214245_250e6,
		"--- 2026-11-23T10:00:05.000+01:00 msup: web RUNNING: started ---": utc(9, 0),
		"2026-11-23T10:00:05Z":                                             utc(10, 0),
		"2026-11-23 10:00:05,250 INFO":                                     local(250), // Python
		"2026/11/23 10:00:05 hello":                                        local(0),   // Go, nginx
		"2026-11-23 10:00:05.250 +0100 x":                                  utc(9, 250),
		"2026-11-23 10:00:05.250 UTC [12] LOG":                             utc(10, 250), // PostgreSQL
		"[2026-11-23 10:00:05] x":                                          local(0),
		"[2026-11-23T10:00:05-05:30]":                                      utc(15, 0) + int64(30*time.Minute),
		`{"time":"2026-11-23T10:00:05.25Z","level":"INFO"}`:                utc(10, 250),
		`time=2026-11-23T10:00:05.250+01:00 level=INFO`:                    utc(9, 250),
		"\x1b[2m2026-11-23T10:00:05Z\x1b[0m INFO":                          utc(10, 0),
		"2026-11-23T10:00:05.1234567890123Z":                               utc(10, 0) + 123456789,
		"":                                                                 0, "hello": 0, "[": 0, "\x1b": 0, "2026-11-23": 0, "2026-11-23 10:00": 0, "2026-13-23 10:00:05": 0,
		"2026-11/23 10:00:05": 0, "2026-11-23x10:00:05": 0, "0000-11-23 10:00:05": 0, "1136214245 x": 0, "12345": 0,
		" 2026-11-23 10:00:05": 0,
	} {
		if got := stampOf([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, time.Unix(0, got), time.Unix(0, want))
		}
	}
}

func FuzzStampOf(f *testing.F) {
	f.Add([]byte("[2026-11-23T10:00:05.250+01:00] x"))
	f.Fuzz(func(t *testing.T, line []byte) { stampOf(line) })
}

func BenchmarkStampOf(b *testing.B) {
	line := []byte("2026-11-23T10:00:05.250+01:00 GET /index.html 200")
	for b.Loop() {
		stampOf(line)
	}
}
