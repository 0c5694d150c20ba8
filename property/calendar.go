package property

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Calendar is a calendar event as OnCalendar= takes it (systemd.time(7), Calendar Events), read
// the way systemd 252 reads it, so that what is wrong with it can be said where it is written.
type Calendar struct {
	weekdays [7]bool // from Monday on; none = all
	// Of each part of the date and of the time; empty = any.
	year, month, day, hour, minute, second []stride
	// lastDays: day counts back from the end of the month, 1 = the last one.
	lastDays bool
	zone     string // "" = local time
}

// stride is a number, or numbers from start on. Those of second are microseconds.
type stride struct {
	start int
	stop  int // -1 = as far as it goes
	step  int // 0 = start alone
}

// CalendarError says what is wrong with a calendar event.
type CalendarError struct {
	Text string // the event
	Why  string // in words
}

func (e *CalendarError) Error() string {
	return fmt.Sprintf("%q is no calendar event: %s", e.Text, e.Why)
}

// ParseCalendar reads a calendar event. Every error is a [*CalendarError]. Whether a time zone
// exists is looked up on this machine, as systemd does.
func ParseCalendar(text string) (Calendar, error) {
	c, err := parseCalendar(text)
	if err != nil {
		return Calendar{}, &CalendarError{text, err.Error()}
	}
	return c, nil
}

func parseCalendar(text string) (c Calendar, err error) {
	rest, zone, err := cutZone(text)
	if err != nil {
		return c, err
	}
	c.zone = zone
	if strings.Trim(rest, " ") == "" {
		return c, fmt.Errorf("it is empty")
	}
	if same, ok := calendarWords[strings.ToLower(rest)]; ok {
		rest = same
	}
	r := &calendarReader{rest: rest}
	if err := r.weekdays(&c); err != nil {
		return c, err
	}
	if strings.HasPrefix(r.rest, "@") {
		return c, r.timestamp(&c)
	}
	if err := r.date(&c); err != nil {
		return c, err
	}
	if err := r.time(&c); err != nil {
		return c, err
	}
	return c, c.complete()
}

// calendarWords are what systemd.time(7) has words for.
var calendarWords = map[string]string{
	"minutely": "*-*-* *:*:00",
	"hourly":   "*-*-* *:00:00",
	"daily":    "*-*-* 00:00:00",
	"weekly":   "Mon *-*-* 00:00:00",
	"monthly":  "*-*-01 00:00:00",
	"yearly":   "*-01-01 00:00:00", "annually": "*-01-01 00:00:00", "anually": "*-01-01 00:00:00",
	"quarterly":  "*-01,04,07,10-01 00:00:00",
	"biannually": "*-01,07-01 00:00:00", "bi-annually": "*-01,07-01 00:00:00",
	"semiannually": "*-01,07-01 00:00:00", "semi-annually": "*-01,07-01 00:00:00",
}

// CalendarWords lists them.
func CalendarWords() []string { return slices.Sorted(maps.Keys(calendarWords)) }

// cutZone takes the time zone off the end: UTC, a name of the time zone database, or one of the
// two that the local time has in a year.
func cutZone(text string) (rest, zone string, err error) {
	i := strings.LastIndexByte(text, ' ')
	if i < 0 {
		return text, "", nil
	}
	word := text[i+1:]
	switch {
	case strings.EqualFold(word, "UTC"):
		return text[:i], "UTC", nil
	case word == "" || !isLetter(word[0]) || isWeekday(word) || strings.EqualFold(word, "local"):
		return text, "", nil
	}
	for _, local := range localZones() {
		if strings.EqualFold(word, local) {
			return text[:i], local, nil
		}
	}
	if _, err := time.LoadLocation(word); err != nil {
		return "", "", fmt.Errorf("%s is no time zone", word)
	}
	return text[:i], word, nil
}

// localZones are the names that the local time has in winter and in summer.
func localZones() []string {
	var names []string
	for _, month := range []time.Month{time.January, time.July} {
		name, _ := time.Date(time.Now().Year(), month, 1, 0, 0, 0, 0, time.Local).Zone()
		if isLetter(name[0]) {
			names = append(names, name)
		}
	}
	return names
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

var weekdayNames = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// weekdayAt finds the name of a day of the week that s begins with; n is its length, 0 = none.
func weekdayAt(s string) (day, n int) {
	for day, name := range weekdayNames {
		for _, n := range []int{len(name), 3} {
			if len(s) >= n && strings.EqualFold(s[:n], name[:n]) && (len(s) == n || strings.IndexByte("-., ", s[n]) >= 0) {
				return day, n
			}
		}
	}
	return 0, 0
}

func isWeekday(word string) bool {
	_, n := weekdayAt(word)
	return n > 0
}

// parts are those of the date and the time, with what they may be.
func (c *Calendar) parts() []calendarPart {
	lastDay := 31
	if c.lastDays {
		lastDay = 28 // no month ends earlier
	}
	return []calendarPart{
		{"year", &c.year, 1970, 2199, 4, 1},
		{"month", &c.month, 1, 12, 2, 1},
		{"day", &c.day, 1, lastDay, 2, 1},
		{"hour", &c.hour, 0, 23, 2, 1},
		{"minute", &c.minute, 0, 59, 2, 1},
		{"second", &c.second, 0, 60_000_000 - 1, 2, 1_000_000},
	}
}

type calendarPart struct {
	name      string
	list      *[]stride
	low, high int
	width     int
	unit      int
}

// complete brings the parts to one form and looks whether they can be.
func (c *Calendar) complete() error {
	for i, sp := range c.year {
		c.year[i].start, c.year[i].stop = century(sp.start), century(sp.stop)
	}
	if len(c.day) == 0 {
		c.lastDays = false
	}
	for _, p := range c.parts() {
		for i := range *p.list {
			(*p.list)[i].normalize()
		}
		slices.SortFunc(*p.list, func(a, b stride) int {
			return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.stop, b.stop), cmp.Compare(a.step, b.step))
		})
		*p.list = slices.Compact(*p.list)
		for _, sp := range *p.list {
			down := c.lastDays && p.name == "day"
			if err := p.check(sp, down); err != nil {
				return err
			}
			if down {
				p.high -= 3 // systemd takes that off a month for each part of a list
			}
		}
	}
	return nil
}

// century makes 1999 of 99 and 2026 of 26.
func century(year int) int {
	switch {
	case year >= 0 && year < 70:
		return year + 2000
	case year >= 70 && year < 100:
		return year + 1900
	}
	return year
}

func (sp *stride) normalize() {
	if sp.stop > sp.start && sp.step > 0 {
		sp.stop -= (sp.stop - sp.start) % sp.step
	}
	if sp.stop == sp.start {
		sp.stop, sp.step = -1, 0
	}
}

// check looks whether a span can be. Days that are counted from the end of the month count
// down in steps.
func (p calendarPart) check(sp stride, down bool) error {
	text := p.text(sp)
	last := sp.stop
	switch {
	case sp.start < p.low || sp.start > p.high, sp.stop >= 0 && (sp.stop < p.low || sp.stop > p.high):
		return fmt.Errorf("%s %s is out of range, %d to %d", p.name, text, p.low, p.high/p.unit)
	case last >= 0:
		if sp.start > last {
			return fmt.Errorf("%s %s ends before it begins", p.name, text)
		}
	case down && sp.start-sp.step < p.low, !down && sp.step > p.high-sp.start:
		return fmt.Errorf("%s %s: the step is longer than what is left", p.name, text)
	}
	if sp.step > p.high-p.low {
		return fmt.Errorf("%s %s: the step is too long", p.name, text)
	}
	return nil
}

// text is a span as it is written.
func (p calendarPart) text(sp stride) string {
	number := func(n, width int) string {
		out := fmt.Sprintf("%0*d", width, n/p.unit)
		if f := n % p.unit; f > 0 {
			out += fmt.Sprintf(".%06d", f)
		}
		return out
	}
	out := number(sp.start, p.width)
	if sp.stop > 0 {
		out += ".." + number(sp.stop, p.width)
	}
	if sp.step > 0 && (sp.stop <= 0 || sp.step != p.unit) {
		out += "/" + number(sp.step, 1)
	}
	return out
}

func (p calendarPart) String() string {
	if len(*p.list) == 0 || p.unit > 1 && slices.Contains(*p.list, stride{0, -1, p.unit}) {
		return "*"
	}
	var all []string
	for _, sp := range *p.list {
		all = append(all, p.text(sp))
	}
	return strings.Join(all, ",")
}

// Over reports whether none of its times comes after t, by the years it names.
func (c Calendar) Over(t time.Time) bool {
	last := func(sp stride) bool {
		return sp.stop < 0 && sp.step > 0 || max(sp.start, sp.stop) >= t.Year()
	}
	return len(c.year) > 0 && !slices.ContainsFunc(c.year, last)
}

// String is the event in systemd's normalized form, as systemd-analyze(1) calendar shows it.
func (c Calendar) String() string {
	var b strings.Builder
	if days := weekdayList(c.weekdays); days != "" {
		b.WriteString(days + " ")
	}
	p := c.parts()
	before := "-"
	if c.lastDays {
		before = "~"
	}
	fmt.Fprintf(&b, "%s-%s%s%s %s:%s:%s", p[0], p[1], before, p[2], p[3], p[4], p[5])
	if c.zone != "" {
		b.WriteString(" " + c.zone)
	}
	return b.String()
}

// weekdayList is "Mon..Wed,Fri", "" if it is every day or none is given.
func weekdayList(days [7]bool) string {
	if days == [7]bool{true, true, true, true, true, true, true} {
		return ""
	}
	var out []string
	for d := 0; d < len(days); d++ {
		if !days[d] {
			continue
		}
		first := d
		for d+1 < len(days) && days[d+1] {
			d++
		}
		name := weekdayNames[first][:3]
		if d > first {
			between := ","
			if d > first+1 {
				between = ".."
			}
			name += between + weekdayNames[d][:3]
		}
		out = append(out, name)
	}
	return strings.Join(out, ",")
}
