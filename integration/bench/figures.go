//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// figures are measurements of one thing, in the order they were made.
type figures []float64

// at is the value below which the share q of the figures lie.
func (f figures) at(q float64) float64 {
	if len(f) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(f))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (f figures) median() float64 { return f.at(0.5) }

// row is one line of the table. A row with one figure is shown without a spread.
type row struct {
	what   string
	unit   string
	ours   figures
	beside string // what theirs is
	theirs figures
	goal   string
	tail   bool // p99 says more than the spread
}

type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WHAT\tMSUP\tBESIDE IT\t\tRATIO\tGOAL")
	for _, r := range t.rows {
		ratio := ""
		if len(r.theirs) > 0 && r.theirs.median() > 0 {
			ratio = fmt.Sprintf("%.2f", r.ours.median()/r.theirs.median())
		}
		line := []string{r.what, r.text(r.ours), r.text(r.theirs), r.beside, ratio, r.goal}
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(line, "\t"), "\t"))
	}
	tw.Flush()
	fmt.Fprintln(w, "\nMedians; in brackets the smallest and the largest figure, or the 99th percentile.")
}

func (r row) text(f figures) string {
	return strings.Join(strings.Fields(r.words(f)), " ") // not every row has a unit
}

func (r row) words(f figures) string {
	switch {
	case len(f) == 0:
		return ""
	case len(f) == 1:
		return number(f[0]) + " " + r.unit
	case r.tail:
		return fmt.Sprintf("%s %s (p99 %s)", number(f.median()), r.unit, number(f.at(0.99)))
	}
	return fmt.Sprintf("%s %s (%s–%s)", number(f.median()), r.unit, number(f.at(0)), number(f.at(1)))
}

// number formats with three digits that say something.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
