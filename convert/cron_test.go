package convert

import (
	"strings"
	"testing"
)

func TestCalendar(t *testing.T) {
	for cron, want := range map[string]string{
		"0 3 * * *":           "*-*-* 03:00:00",
		"*/15 * * * *":        "*-*-* *:0/15:00",
		"5,35 9-17 * * 1-5":   "Mon..Fri *-*-* 9..17:5,35:00",
		"0 0 1,15 * *":        "*-*-1,15 00:00:00",
		"0 0 1 */3 *":         "*-1/3-01 00:00:00",
		"0 0 13 * FRI":        "*-*-13 00:00:00 | Fri *-*-* 00:00:00",
		"0 12 * JAN-mar sun":  "Sun *-1..3-* 12:00:00",
		"0 12 * * 7,6":        "Sat,Sun *-*-* 12:00:00",
		"0 12 * * 0-6":        "*-*-* 12:00:00",
		"0 12 * * */2":        "Tue,Thu,Sat,Sun *-*-* 12:00:00",
		"10-50/10 0-23 * * *": "*-*-* *:10..50/10:00",
		"30 */5 * * * *":      "*-*-* *:0/5:30",
		"@daily":              "*-*-* 00:00:00",
		"@Weekly":             "Sun *-*-* 00:00:00",
		"0 5 ? * 5-7":         "Fri..Sun *-*-* 05:00:00",
		"7/10 * * * *":        "*-*-* *:7/10:00",
	} {
		got, err := calendar(cron, "")
		if err != nil || strings.Join(got, " | ") != want {
			t.Errorf("%s: %v, %v; want %s", cron, got, err, want)
		}
	}
	if got, _ := calendar("0 3 * * *", "Europe/Berlin"); got[0] != "*-*-* 03:00:00 Europe/Berlin" {
		t.Error(got)
	}
	for cron, want := range map[string]string{
		"0 3 * *":        "has not five fields",
		"60 3 * * *":     `"60" is no minute`,
		"0 3 L * *":      `"L" is no day of the month`,
		"0 3 * * 5#2":    `"5#2" is no day of the week`,
		"0 3 0 * *":      `"0" is no day of the month`,
		"5-1 3 * * *":    `"5-1" ends before it begins`,
		"*/0 3 * * *":    `"0" is no step of the minute`,
		"@reboot":        "has not five fields",
		"0 3 * foo *":    `"foo" is no month`,
		"0 3 * * 1-fri/": `"" is no step`,
	} {
		if got, err := calendar(cron, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", cron, got, err)
		}
	}
}
