package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"msup/policy"

	"golang.org/x/term"
)

// terminal returns the file behind w if it is a terminal, else nil.
func terminal(w io.Writer) *os.File {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// coloured reports whether colours may be written to w: on a terminal, unless NO_COLOR is
// set (https://no-color.org) or the terminal is dumb.
func coloured(w io.Writer) bool {
	return terminal(w) != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// colour is an SGR parameter, "" = none.
type colour string

const (
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

func (c colour) paint(s string) string {
	if c == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

func stateColour(p policy.Phase) colour {
	switch p {
	case policy.Running:
		return green
	case policy.Starting, policy.Stopping, policy.Backoff:
		return yellow
	case policy.Failed, policy.Killed:
		return red
	case policy.Exited:
		return cyan
	}
	return dim
}

type cell struct {
	text   string
	colour colour
}

func plain(s string) cell { return cell{text: s} }

// table prints columns as wide as their contents. On a terminal that is too narrow columns
// are left out, and the last one is cut at the edge rather than wrapped.
type table struct {
	w       io.Writer
	rows    [][]cell
	colour  bool
	width   int   // of the terminal, 0 = unlimited
	spare   []int // columns that may be left out, the first one first
	minLast int   // characters the last column should have
}

func newTable(w io.Writer, header ...string) *table {
	t := &table{w: w, colour: coloured(w)}
	if f := terminal(w); f != nil {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			t.width = width
		}
	}
	cells := make([]cell, len(header))
	for i, h := range header {
		cells[i] = cell{h, bold}
	}
	t.rows = append(t.rows, cells)
	return t
}

func (t *table) row(cells ...cell) { t.rows = append(t.rows, cells) }

// fit leaves out columns until the last one has room.
func (t *table) fit(widths []int) []int {
	if t.width == 0 {
		return widths
	}
	for _, column := range t.spare {
		used := 0
		for _, w := range widths[:len(widths)-1] {
			if w > 0 {
				used += w + 2
			}
		}
		if t.width-used >= min(t.minLast, widths[len(widths)-1]) {
			break
		}
		widths[column] = 0
	}
	return widths
}

func (t *table) flush() {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	widths = t.fit(widths)
	var b strings.Builder
	for _, row := range t.rows {
		used := 0
		for i, c := range row {
			if widths[i] == 0 {
				continue
			}
			text, pad := c.text, widths[i]-utf8.RuneCountInString(c.text)
			if i == len(row)-1 {
				pad = 0
				if room := t.width - used; t.width > 0 && room > 8 && utf8.RuneCountInString(text) > room {
					text = string([]rune(text)[:room-1]) + "…"
				}
			}
			if t.colour {
				text = c.colour.paint(text)
			}
			b.WriteString(text)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", pad+2))
			}
			used += widths[i] + 2
		}
		b.WriteByte('\n')
	}
	fmt.Fprint(t.w, b.String())
}
