package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"msup/policy"
)

// Section is a part of an explanation as it is printed.
type Section struct {
	Title string
	Lines []string
	// Foreign says that the lines are a program's, and may hold anything.
	Foreign bool
}

// Sections are the explanation in words, as of now. The title of the first one begins with
// the program's name and state.
func (x Explanation) Sections(now time.Time) []Section {
	first := Section{Title: x.Name + " " + x.Now[0]}
	first.Lines = append(append(first.Lines, x.Now[1:]...), x.Next.Lines...)
	out := []Section{first}
	add := func(title string, foreign bool, lines []string) {
		if len(lines) > 0 {
			out = append(out, Section{title, lines, foreign})
		}
	}
	if d := x.Death; d != nil {
		add(d.title(now), false, append([]string{d.Reason}, d.Means...))
		said := d.Systemd.Lines
		if d.Systemd.Note != "" {
			said = append(slices.Clip(said), d.Systemd.Note)
		}
		add("What systemd said", true, said)
		for _, o := range d.Output {
			o.section(add)
		}
	}
	if len(x.Ends) > 1 {
		add("Last ends", false, history(x.Ends, now))
	}
	add("Limits and warnings", false, x.Limits)
	var look []string
	for _, c := range x.Look {
		look = append(look, c.Line+"   # "+c.For)
	}
	add("Look further", false, look)
	return out
}

// title is "Last end: 14:03:12, 2s ago, after 12s (PID 725)".
func (d *Death) title(now time.Time) string {
	title := "Last end: "
	switch {
	case failedStart(d.During, d.Cause, d.Active):
		title = "Last end, a start that failed: "
	case d.During == policy.Starting:
		title = "Last end, right after its start: "
	case d.During == policy.Stopping:
		title = "Last end, a stop: "
	}
	title += when(now, d.At)
	if d.Seconds != nil {
		title += ", after " + span(seconds(*d.Seconds))
	}
	if d.PID != nil {
		title += fmt.Sprintf(" (PID %d)", *d.PID)
	}
	return title
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

func (o Output) section(add func(title string, foreign bool, lines []string)) {
	title := "Its last output"
	if o.Stream != "output" {
		title += " to " + o.Stream
	}
	title += " (" + o.From + ")"
	if o.Note != "" {
		title += ": " + o.Note
	}
	lines := o.Lines
	if len(lines) == 0 && o.Note == "" {
		lines = []string{"(nothing)"}
		add(title, false, lines)
		return
	}
	var quoted []string
	for _, l := range lines {
		quoted = append(quoted, "| "+l)
	}
	if len(quoted) == 0 {
		quoted = []string{"(none can be shown)"}
	}
	add(title, true, quoted)
}

// history is a table of ends.
func history(ends []Ended, now time.Time) []string {
	rows := make([][3]string, len(ends))
	var widths [2]int
	for i, e := range ends {
		ran := "-"
		if e.Seconds != nil {
			ran = "after " + span(seconds(*e.Seconds))
		}
		reason := e.Reason
		switch {
		case failedStart(e.During, e.Cause, e.Active):
			reason += ", at its start"
		case e.During == policy.Stopping:
			reason += ", in a stop"
		}
		if e.To != "" {
			reason += " -> " + string(e.To)
		}
		rows[i] = [3]string{clock(now, e.At), ran, reason}
		for c := range widths {
			widths[c] = max(widths[c], utf8.RuneCountInString(rows[i][c]))
		}
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r[0] + strings.Repeat(" ", widths[0]-utf8.RuneCountInString(r[0])+2) +
			r[1] + strings.Repeat(" ", widths[1]-utf8.RuneCountInString(r[1])+2) + r[2]
	}
	return lines
}
