package explain

import (
	"fmt"
	"syscall"
	"time"

	"msup/units"

	"golang.org/x/sys/unix"
)

func (f Facts) when(t time.Time) string  { return when(f.Now, t) }
func (f Facts) clock(t time.Time) string { return clock(f.Now, t) }

// when is a time as people say it: "14:03:12, 20s ago", with the date on another day.
func when(now, t time.Time) string { return clock(now, t) + ", " + ago(now.Sub(t)) }

// clock is a time of the day, in the zone of now, with the date on another day.
func clock(now, t time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "in " + span(-d)
	case d < time.Second:
		return "just now"
	}
	return span(d) + " ago"
}

// span is a duration with two units at most: "0.3s", "5s", "3m20s", "2h05m", "12d03h".
func span(d time.Duration) string {
	if d < 10*time.Second && d%time.Second >= 50*time.Millisecond && d < time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600 && s%60 == 0:
		return fmt.Sprintf("%dm", s/60)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// countdown is the time until something, rounded up: what is due in 2.1 s is not 2 s away.
func countdown(d time.Duration) string {
	if d <= 0 {
		return "now"
	}
	return "in " + span((d + time.Second - 1).Truncate(time.Second))
}

func times(n uint64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

func signalName(n int) string {
	if s := unix.SignalName(syscall.Signal(n)); s != "" {
		return s
	}
	return fmt.Sprintf("signal %d", n)
}

func limited(v *uint64) bool { return v != nil && *v != units.Infinity }

func percent(part, whole uint64) int {
	if whole == 0 {
		return 0
	}
	return int(part * 100 / whole)
}

// usec is a number of microseconds in words.
func usec(n uint64) string {
	d := time.Duration(n) * time.Microsecond
	if d < time.Minute {
		return d.Round(10 * time.Millisecond).String()
	}
	return span(d)
}
