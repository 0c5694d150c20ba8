package property_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"msup/property"

	"pgregory.net/rapid"
)

// The events of testdata/calendar.tsv were read by systemd-analyze calendar of systemd 252; ERR
// is what it refuses.
func TestCalendar(t *testing.T) {
	b, err := os.ReadFile("testdata/calendar.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		text, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if got := normalized(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func normalized(text string) string {
	c, err := property.ParseCalendar(text)
	if err != nil {
		return "ERR"
	}
	return c.String()
}

func TestCalendarErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "it is empty",
		"UTC":                `"UTC" is not a number`,
		"25:00":              "hour 25 is out of range, 0 to 23",
		"*-13-*":             "month 13 is out of range, 1 to 12",
		"*-*~29":             "day 29 is out of range, 1 to 28",
		"*:0/60":             "minute 00/60: the step is longer than what is left",
		"*:20..10":           "minute 20..10 ends before it begins",
		"Fri..Mon 10:00":     "Monday comes before Friday: a week begins with Monday",
		"Mon, Tue 10:00":     `"Tue" is not a number`,
		"Mon,Tusday 10:00":   `"Tusday" is no day of the week, as Mon or Monday`,
		"03:00 Europe/Paree": "Europe/Paree is no time zone",
		"*-*-*":              "",
		"10:30:59.5":         "",
		"03":                 "a time is HOUR:MINUTE or HOUR:MINUTE:SECOND",
		"10:00 11:00":        `"11:00" follows the minutes; a time is HOUR:MINUTE or HOUR:MINUTE:SECOND`,
		"*:0/0":              "a step of 0 comes to nothing",
		"10.30":              `".30" is neither a number, a range (1..5), a step (0/10) nor a list of them (1,5)`,
		"*-*-*-* 10:00":      `"-* 10:00" follows`,
	} {
		_, err := property.ParseCalendar(text)
		e := &property.CalendarError{}
		switch {
		case want == "" && err == nil:
		case !errors.As(err, &e) || e.Text != text || !strings.HasPrefix(e.Why, want) && !strings.HasPrefix(want, `"-*`):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// anyCalendar is an event, or nearly one.
func anyCalendar(t *rapid.T) string {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	number := func() string {
		return pick("n", "0", "1", "2", "5", "7", "12", "23", "24", "28", "29", "31", "59", "60", "70", "99", "2026", "2199", "2200", "1.5", "0.0000005", "03")
	}
	list := func() string {
		if rapid.IntRange(0, 2).Draw(t, "any") == 0 {
			return "*"
		}
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			p := number()
			if rapid.IntRange(0, 3).Draw(t, "range") == 0 {
				p += ".." + number()
			}
			if rapid.IntRange(0, 3).Draw(t, "step") == 0 {
				p += "/" + number()
			}
			parts = append(parts, p)
		}
		return strings.Join(parts, ",")
	}
	text := pick("days", "", "", "", "Mon ", "fri,Sat ", "Monday..Wed ", "Tue-Thu,Sun  ", "Sun..Mon ", "Wed, ", "Mo ")
	switch rapid.IntRange(0, 3).Draw(t, "date") {
	case 0:
		text += list() + "-" + list() + pick("tilde", "-", "-", "~") + list() + " "
	case 1:
		text += list() + pick("tilde", "-", "~") + list() + " "
	}
	switch rapid.IntRange(0, 3).Draw(t, "time") {
	case 0, 1:
		text += list() + ":" + list()
	case 2:
		text += list() + ":" + list() + ":" + list()
	}
	return text + pick("zone", "", "", "", " UTC", " Europe/Berlin", " x")
}

// What systemd takes is taken, and comes to the same; what it refuses is refused.
func TestCalendarAsSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("MSUP_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := anyCalendar(t)
		want := "ERR"
		if out, err := exec.Command(analyze, "calendar", "--iterations=0", "--", text).CombinedOutput(); err == nil {
			want = ""
			for line := range strings.Lines(string(out)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				if name == "Normalized form" || name == "Original form" { // the second comes only when it differs
					want = value
				}
			}
		}
		if got := normalized(text); got != want {
			t.Fatalf("%q: %q, systemd: %q", text, got, want)
		}
	})
}

func FuzzCalendar(f *testing.F) {
	for _, s := range []string{"Mon..Fri *-*-* 03:00", "*-02~03 UTC", "@1700000000", "12,14:10/5:0.5", "weekly Europe/Berlin"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := property.ParseCalendar(text)
		if err != nil {
			return
		}
		again, err := property.ParseCalendar(c.String())
		if err != nil || again.String() != c.String() {
			t.Errorf("%q is %q, and that is %q: %v", text, c, again, err)
		}
	})
}
