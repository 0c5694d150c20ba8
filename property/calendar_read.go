package property

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// calendarReader reads an event from its begin on.
type calendarReader struct{ rest string }

// next is the character that comes next, 0 at the end.
func (r *calendarReader) next() byte {
	if r.rest == "" {
		return 0
	}
	return r.rest[0]
}

func (r *calendarReader) skip(n int) { r.rest = r.rest[n:] }

func (r *calendarReader) skipBlanks() { r.rest = strings.TrimLeft(r.rest, " ") }

// weekdays reads "Mon,Wed..Fri ".
func (r *calendarReader) weekdays(c *Calendar) error {
	from := -1 // of a range whose end comes
	for first := true; ; first = false {
		day, n := weekdayAt(r.rest)
		switch {
		case n == 0 && first:
			return nil
		case n == 0:
			return fmt.Errorf("%q is no day of the week, as Mon or Monday", r.word())
		case from > day:
			return fmt.Errorf("%s comes before %s: a week begins with Monday", weekdayNames[day], weekdayNames[from])
		case from < 0:
			from = day
		}
		for d := from; d <= day; d++ {
			c.weekdays[d] = true
		}
		isEnd := from != day
		r.skip(n)
		switch {
		case r.next() == ',':
			r.skip(1)
			from = -1
		case r.next() == '-' && !isEnd:
			r.skip(1)
			from = day
		case strings.HasPrefix(r.rest, "..") && !isEnd:
			r.skip(2)
			from = day
		case r.next() == 0 || r.next() == ' ':
			r.skipBlanks()
			return nil
		default:
			return fmt.Errorf("%q follows a day of the week", r.word())
		}
		if r.next() == 0 || r.next() == ' ' {
			if from >= 0 {
				return fmt.Errorf("the range from %s has no end", weekdayNames[from])
			}
			r.skipBlanks()
			return nil // a comma more than needed
		}
	}
}

// word is what comes next, up to a blank.
func (r *calendarReader) word() string {
	word, _, _ := strings.Cut(strings.TrimLeft(r.rest, " "), " ")
	return word
}

// timestamp reads "@1700000000", seconds since 1970.
func (r *calendarReader) timestamp(c *Calendar) error {
	n, err := strconv.ParseUint(r.rest[1:], 10, 63)
	if err != nil {
		return fmt.Errorf("%q is no number of seconds since 1970", r.rest[1:])
	}
	t := time.Unix(int64(min(n, math.MaxInt32*100)), 0).UTC()
	one := func(n int) []stride { return []stride{{n, -1, 0}} }
	c.year, c.month, c.day = one(t.Year()), one(int(t.Month())), one(t.Day())
	c.hour, c.minute, c.second = one(t.Hour()), one(t.Minute()), one(t.Second()*1_000_000)
	c.zone = "UTC"
	return c.complete()
}

// date reads "*-*-* ", if there is one before the time.
func (r *calendarReader) date(c *Calendar) error {
	if r.rest == "" {
		return nil
	}
	begin := r.rest
	var parts [][]stride
	for {
		list, err := r.list(1)
		if err != nil {
			return err
		}
		parts = append(parts, list)
		switch ch := r.next(); {
		case len(parts) == 1 && (ch == 0 || ch == ':'):
			r.rest = begin // it was the time
			return nil
		case len(parts) > 1 && (ch == 0 || ch == ' '):
			r.skipBlanks()
			c.day, c.month = parts[len(parts)-1], parts[len(parts)-2]
			if len(parts) == 3 {
				c.year = parts[0]
			}
			return nil
		case len(parts) < 3 && (ch == '-' || ch == '~') && !c.lastDays:
			c.lastDays = ch == '~'
			r.skip(1)
		default:
			return fmt.Errorf("%q follows a part of the date; a date is YEAR-MONTH-DAY or MONTH-DAY", r.word())
		}
	}
}

// time reads "03:00:00", the seconds of which may be missing; no time is midnight.
func (r *calendarReader) time(c *Calendar) (err error) {
	zero := []stride{{0, -1, 0}}
	if r.rest == "" {
		c.hour, c.minute, c.second = zero, zero, zero
		return nil
	}
	const shape = "a time is HOUR:MINUTE or HOUR:MINUTE:SECOND"
	if c.hour, err = r.list(1); err != nil {
		return err
	}
	if r.next() != ':' {
		return fmt.Errorf("%s", shape)
	}
	r.skip(1)
	if c.minute, err = r.list(1); err != nil {
		return err
	}
	if r.next() == 0 {
		c.second = zero
		return nil
	}
	if r.next() != ':' {
		return fmt.Errorf("%q follows the minutes; %s", r.word(), shape)
	}
	r.skip(1)
	if c.second, err = r.list(1_000_000); err != nil {
		return err
	}
	if r.next() != 0 {
		return fmt.Errorf("%q follows the time", r.word())
	}
	return nil
}

// mostSpans is systemd's limit for a list.
const mostSpans = 240

// list reads "*", or numbers, ranges and steps separated by commas. Numbers are multiplied by
// unit, which is 1 where they have no fraction.
func (r *calendarReader) list(unit int) ([]stride, error) {
	if r.next() == '*' {
		r.skip(1)
		if unit > 1 {
			return []stride{{0, -1, unit}}, nil
		}
		return nil, nil
	}
	var list []stride
	for {
		sp := stride{stop: -1}
		var err error
		if sp.start, err = r.number(unit); err != nil {
			return nil, err
		}
		if strings.HasPrefix(r.rest, "..") {
			r.skip(2)
			if sp.stop, err = r.number(unit); err != nil {
				return nil, err
			}
			sp.step = unit
		}
		if r.next() == '/' {
			r.skip(1)
			if sp.step, err = r.number(unit); err != nil {
				return nil, err
			}
			if sp.step == 0 {
				return nil, fmt.Errorf("a step of 0 comes to nothing")
			}
		} else if unit > 1 && sp.stop >= 0 && sp.stop < sp.start+unit {
			return nil, fmt.Errorf("a range of seconds is a second long at least")
		}
		if list = append(list, sp); len(list) > mostSpans {
			return nil, fmt.Errorf("a list has %d parts at most", mostSpans)
		}
		if r.next() != ',' {
			break
		}
		r.skip(1)
	}
	if c := r.next(); c != 0 && strings.IndexByte(" -~:", c) < 0 {
		return nil, fmt.Errorf("%q is neither a number, a range (1..5), a step (0/10) nor a list of them (1,5)", r.word())
	}
	return list, nil
}

func (r *calendarReader) number(unit int) (int, error) {
	digits := r.digits()
	if digits == "" {
		if r.rest == "" {
			return 0, fmt.Errorf("it ends where a number should be")
		}
		return 0, fmt.Errorf("%q is not a number", r.word())
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if n *= int64(unit); err != nil || n > math.MaxInt32 {
		return 0, fmt.Errorf("%s is out of range", digits)
	}
	if unit > 1 && r.next() == '.' && !strings.HasPrefix(r.rest, "..") {
		r.skip(1)
		fraction := r.digits()
		if fraction == "" {
			return 0, fmt.Errorf("%q follows a decimal point", r.rest)
		}
		micro, _ := strconv.ParseFloat("0."+fraction[:min(len(fraction), 7)], 64)
		n += int64(math.Round(micro * 1e6))
	}
	if n > math.MaxInt32 {
		return 0, fmt.Errorf("%s is out of range", digits)
	}
	return int(n), nil
}

func (r *calendarReader) digits() string {
	n := 0
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		n++
	}
	digits := r.rest[:n]
	r.skip(n)
	return digits
}
