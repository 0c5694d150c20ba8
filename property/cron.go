package property

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FromCron translates the five fields of crontab(5), or six with the seconds first, or a word
// as @daily, into calendar events: the times of all of them together are those of the entry.
// ok is false if it is no such entry, or means what no calendar event can say.
func FromCron(text string) (events []string, ok bool) {
	if word, isWord := strings.CutPrefix(strings.ToLower(text), "@"); isWord {
		if word == "midnight" {
			word = "daily"
		}
		_, known := calendarWords[word]
		return []string{word}, known
	}
	f := strings.Fields(text)
	second := ":00"
	if len(f) == 6 {
		s, ok := cronFields[0].event(f[0])
		if !ok {
			return nil, false
		}
		second, f = ":"+s, f[1:]
	}
	if len(f) != 5 {
		return nil, false
	}
	minute, ok1 := cronFields[0].event(f[0])
	hour, ok2 := cronFields[1].event(f[1])
	day, ok3 := cronFields[2].event(f[2])
	month, ok4 := cronFields[3].event(f[3])
	days, ok5 := cronWeekdays(f[4])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return nil, false
	}
	event := func(days, day string) string {
		if days != "" {
			days += " "
		}
		return days + "*-" + month + "-" + day + " " + hour + ":" + minute + second
	}
	// Where both days are restricted, cron runs on either.
	if days != "" && !strings.HasPrefix(f[2], "*") && !strings.HasPrefix(f[4], "*") {
		events = []string{event("", day), event(days, "*")}
	} else {
		events = []string{event(days, day)}
	}
	for _, e := range events {
		if _, err := ParseCalendar(e); err != nil {
			return nil, false
		}
	}
	return events, true
}

// cronField is one field of crontab(5).
type cronField struct {
	low, high int
	names     []string // of low, low+1 …
}

var cronFields = []cronField{
	{0, 59, nil},
	{0, 23, nil},
	{1, 31, nil},
	{1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// cronRange is what one part of a field says.
type cronRange struct{ first, last, step int }

func (c cronField) ranges(text string) (out []cronRange, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		r := cronRange{step: 1}
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return nil, false
			}
			r.step = n
		}
		from, to, isRange := strings.Cut(span, "-")
		switch {
		case span == "*":
			r.first, r.last = c.low, c.high
		case isRange:
			var ok1, ok2 bool
			r.first, ok1 = c.number(from)
			r.last, ok2 = c.number(to)
			if !ok1 || !ok2 || r.first > r.last {
				return nil, false
			}
		default:
			if r.first, ok = c.number(span); !ok {
				return nil, false
			}
			if r.last = r.first; stepped {
				r.last = c.high
			}
		}
		out = append(out, r)
	}
	return out, true
}

func (c cronField) number(text string) (int, bool) {
	if i := slices.Index(c.names, strings.ToLower(text)); i >= 0 {
		return c.low + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= c.low && n <= c.high
}

// event is a field as a calendar event has it.
func (c cronField) event(text string) (string, bool) {
	ranges, ok := c.ranges(text)
	if !ok {
		return "", false
	}
	var parts []string
	for _, r := range ranges {
		last := r.last - (r.last-r.first)%r.step
		switch {
		case r.first == c.low && r.last == c.high && r.step == 1:
			return "*", true
		case last == r.first:
			parts = append(parts, fmt.Sprintf("%02d", r.first))
		case r.step == 1:
			parts = append(parts, fmt.Sprintf("%02d..%02d", r.first, r.last))
		case r.last == c.high:
			parts = append(parts, fmt.Sprintf("%02d/%d", r.first, r.step))
		default:
			parts = append(parts, fmt.Sprintf("%02d..%02d/%d", r.first, last, r.step))
		}
	}
	return strings.Join(parts, ","), true
}

// cronWeekdays is the last field, in which Sunday is 0 and 7; "" = every day.
func cronWeekdays(text string) (string, bool) {
	ranges, ok := cronFields[4].ranges(text)
	if !ok {
		return "", false
	}
	var days [7]bool
	for _, r := range ranges {
		if text == "*" || strings.HasPrefix(text, "*/") {
			r.last = 6 // 7 is 0 once more
		}
		for d := r.first; d <= r.last; d += r.step {
			days[(d+6)%7] = true
		}
	}
	return weekdayList(days), true
}
