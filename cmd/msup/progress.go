package main

import (
	"fmt"
	"io"
	"time"
)

// progress is one line on a terminal that is written over and in the end erased. Where
// there is no terminal it shows nothing.
type progress struct {
	w     io.Writer // nil = no terminal
	what  string
	total int
	shown time.Time
}

func newProgress(w io.Writer, what string, total int) *progress {
	p := &progress{what: what, total: total}
	if terminal(w) != nil {
		p.w = w
	}
	return p
}

func (p *progress) show(n int, v *view, names []string, done func(string) bool) {
	if p.w == nil || time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = time.Now()
	line := p.line(n, v, names, done)
	if r := []rune(line); len(r) > 78 {
		line = string(r[:77]) + "…"
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
}

// line is "1 of 3 up; web is BACKOFF (exit status 1, restart 1 of 5 in 1s), …".
func (p *progress) line(n int, v *view, names []string, done func(string) bool) string {
	line := fmt.Sprintf("%d of %d %s", n, p.total, p.what)
	if rest := v.describe(names, done); rest != "" {
		line += "; " + rest
	}
	return line
}

func (p *progress) clear() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
