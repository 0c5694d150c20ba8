package property_test

import (
	"strings"
	"testing"

	"msup/property"
)

func TestFromCron(t *testing.T) {
	for cron, want := range map[string]string{
		"0 3 * * *":          "*-*-* 03:00:00",
		"*/10 * * * *":       "*-*-* *:00/10:00",
		"30 4 1,15 * *":      "*-*-01,15 04:30:00",
		"0 22 * * 1-5":       "Mon..Fri *-*-* 22:00:00",
		"23 0-20/2 * * *":    "*-*-* 00..20/2:23:00",
		"5 4 * * sun":        "Sun *-*-* 04:05:00",
		"0 0 * * 0,6":        "Sat,Sun *-*-* 00:00:00",
		"0 0 * * 5-7":        "Fri..Sun *-*-* 00:00:00",
		"0 0 * * */2":        "Tue,Thu,Sat,Sun *-*-* 00:00:00",
		"0 0 1 jan *":        "*-01-01 00:00:00",
		"0 0 13 * 5":         "*-*-13 00:00:00 | Fri *-*-* 00:00:00",
		"0 0 */2 * 1":        "Mon *-*-01/2 00:00:00",
		"*/61 * * * *":       "*-*-* *:00:00",
		"*/30 * * * * *":     "*-*-* *:*:00/30",
		"15 30 8 * * Mon":    "Mon *-*-* 08:30:15",
		"5/15 * * * *":       "*-*-* *:05/15:00",
		"50/15 * * * *":      "*-*-* *:50:00",
		"0 0 * JAN-mar *":    "*-01..03-* 00:00:00",
		"@daily":             "daily",
		"@Midnight":          "daily",
		"@reboot":            "",
		"@every 5m":          "",
		"60 * * * *":         "",
		"* * * * 8":          "",
		"0 0 L * *":          "",
		"0 0 * * 5#3":        "",
		"0 0 5-1 * *":        "",
		"*/0 * * * *":        "",
		"* * * *":            "",
		"daily":              "",
		"*-*-* 03:00":        "",
		"a b c d e":          "",
		"0 0 1 1 * 2026 x y": "",
	} {
		events, ok := property.FromCron(cron)
		got := strings.Join(events, " | ")
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %t, want %q", cron, got, ok, want)
		}
	}
}

// Whatever is taken is a calendar event.
func FuzzFromCron(f *testing.F) {
	for _, s := range []string{"0 3 * * *", "*/10 1-5 * jan-mar 0,6", "@weekly", "1 2 3 4 5 6"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		events, ok := property.FromCron(text)
		for _, e := range events {
			if _, err := property.ParseCalendar(e); ok && err != nil {
				t.Errorf("%q is taken for %q: %v", text, e, err)
			}
		}
	})
}
