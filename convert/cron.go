package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cronField is one field of a line of crontab(5), and what systemd calls its values.
type cronField struct {
	name     string
	min, max int
	names    []string // of the values from min
}

var (
	cronSecond  = cronField{"second", 0, 59, nil}
	cronMinute  = cronField{"minute", 0, 59, nil}
	cronHour    = cronField{"hour", 0, 23, nil}
	cronDay     = cronField{"day of the month", 1, 31, nil}
	cronMonth   = cronField{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}}
	cronWeekday = cronField{"day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"}}
)

// cronWords are expressions that have a name, crontab(5).
var cronWords = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// calendar is what systemd calls the times of a cron expression, systemd.time(7): one expression,
// or two where cron takes days of the month and of the week as alternatives. A first field of
// six is the second. A time zone is appended.
//
// The error says what systemd has no words for, or what is wrong.
func calendar(cron, zone string) ([]string, error) {
	if expr, ok := cronWords[strings.ToLower(strings.TrimSpace(cron))]; ok {
		cron = expr
	}
	fields := strings.Fields(cron)
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}
	if len(fields) != 6 {
		return nil, fmt.Errorf("%q has not five fields: minute, hour, day of the month, month, day of the week", clip(cron))
	}
	var at [6]string
	for i, f := range []cronField{cronSecond, cronMinute, cronHour, cronDay, cronMonth} {
		text, err := f.calendar(fields[i])
		if err != nil {
			return nil, err
		}
		at[i] = text
	}
	weekdays, err := cronWeekday.weekdays(fields[5])
	if err != nil {
		return nil, err
	}
	if zone != "" {
		zone = " " + zone
	}
	clock := fmt.Sprintf("%s:%s:%s", two(at[2]), two(at[1]), two(at[0])) + zone
	on := func(weekday, day string) string {
		date := fmt.Sprintf("*-%s-%s %s", two(at[4]), two(day), clock)
		if weekday != "" {
			return weekday + " " + date
		}
		return date
	}
	switch {
	case weekdays == "":
		return []string{on("", at[3])}, nil
	case at[3] == "*":
		return []string{on(weekdays, "*")}, nil
	}
	return []string{on("", at[3]), on(weekdays, "*")}, nil
}

// two is a number with two digits.
func two(s string) string {
	if len(s) == 1 && s != "*" {
		return "0" + s
	}
	return s
}

// calendar is a field as systemd writes it.
func (f cronField) calendar(text string) (string, error) {
	if text == "*" || text == "?" {
		return "*", nil
	}
	var parts []string
	for item := range strings.SplitSeq(text, ",") {
		from, to, step, err := f.item(item)
		if err != nil {
			return "", err
		}
		switch {
		case from == to:
			parts = append(parts, strconv.Itoa(from))
		case step == 1 && from == f.min && to == f.max:
			return "*", nil
		case step == 1:
			parts = append(parts, fmt.Sprintf("%d..%d", from, to))
		case to == f.max:
			parts = append(parts, fmt.Sprintf("%d/%d", from, step))
		default:
			parts = append(parts, fmt.Sprintf("%d..%d/%d", from, to, step))
		}
	}
	return strings.Join(parts, ","), nil
}

// weekdays is the field of weekdays as systemd writes it, "" for all.
func (f cronField) weekdays(text string) (string, error) {
	if text == "*" || text == "?" {
		return "", nil
	}
	var on [7]bool
	for item := range strings.SplitSeq(text, ",") {
		from, to, step, err := f.item(item)
		if err != nil {
			return "", err
		}
		for d := from; d <= to; d += step {
			on[d%7] = true
		}
	}
	// systemd's week begins on Monday.
	names := []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}
	var parts []string
	for i := 0; i < 7; i++ {
		end := i
		for end < 7 && on[(end+1)%7] {
			end++
		}
		switch n := end - i; {
		case n == 0:
			continue
		case n == 7:
			return "", nil
		case n > 2:
			parts = append(parts, names[i]+".."+names[end-1])
		default:
			parts = append(parts, names[i:end]...)
		}
		i = end
	}
	return strings.Join(parts, ","), nil
}

// item reads *, N, N-M and a step behind it.
func (f cronField) item(text string) (from, to, step int, err error) {
	span, stepText, stepped := strings.Cut(text, "/")
	step = 1
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > f.max {
			return 0, 0, 0, fmt.Errorf("%q is no step of the %s", clip(stepText), f.name)
		}
	}
	first, last, ranged := strings.Cut(span, "-")
	if span == "*" || span == "?" {
		to = f.max
		if f.max == cronWeekday.max {
			to = 6
		}
		return f.min, to, step, nil
	}
	if from, err = f.value(first); err != nil {
		return 0, 0, 0, err
	}
	switch to = from; {
	case ranged:
		to, err = f.value(last)
	case stepped:
		to = f.max
	}
	if err == nil && to < from {
		err = fmt.Errorf("%q ends before it begins", clip(span))
	}
	return from, to, step, err
}

func (f cronField) value(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.min + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("%q is no %s", clip(text), f.name)
	}
	return n, nil
}
