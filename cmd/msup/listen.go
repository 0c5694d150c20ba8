package main

import (
	"context"
	"regexp"

	"msup/capture"
	"msup/units"
)

// This file has the output of programs looked at that are ready by a line of it.

// listening is whose line is looked for.
type listening struct {
	def     units.Program
	pattern *regexp.Regexp
	attempt int
}

// captured reports whether a stream of that destination comes through us.
func captured(file string, byLine bool) bool { return isFile(file) || byLine }

// readyByLine reports whether the program is ready when it has written a line.
func readyByLine(p units.Program) bool { return p.Ready.Kind == "log" }

// listen has the output of a program looked at from now on. It does not wait.
func (o *outputs) listen(def units.Program, attempt int) {
	pattern, err := regexp.Compile(def.Ready.Where)
	if err != nil {
		return // it cannot be of the configuration, and then it is never ready
	}
	l := &listening{def, pattern, attempt}
	o.mu.Lock()
	o.listens[def.Name] = l
	o.mu.Unlock()
	o.of(def.Name).each(func(s *capture.Stream) { s.Expect(o.expectation(l)) })
}

// unlisten ends that. It does not wait.
func (o *outputs) unlisten(program string) {
	o.mu.Lock()
	delete(o.listens, program)
	o.mu.Unlock()
	o.of(program).each(func(s *capture.Stream) { s.Expect(nil) })
}

// expectationOf is what a stream of a program that is being opened begins with.
func (o *outputs) expectationOf(program string) *capture.Expectation {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.listens[program]; l != nil {
		return o.expectation(l)
	}
	return nil
}

func (o *outputs) expectation(l *listening) *capture.Expectation {
	return &capture.Expectation{Pattern: l.pattern, Found: func(line []byte) bool {
		select {
		case <-o.told:
		case <-o.closed:
			return false
		}
		return o.heard(l.def.Name, l.attempt, string(line))
	}}
}

// tell says whom to tell of lines. Until then they wait.
func (o *outputs) tell(heard func(program string, attempt int, line string) bool) {
	o.heard = heard
	close(o.told)
}

// fresh has what an earlier run has written out of the way, and the output looked at for the
// line of the next one.
func (o *outputs) fresh(def units.Program, attempt int) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	o.of(def.Name).each(func(s *capture.Stream) { _ = s.Drain(ctx) }) // what fails is in Stats
	o.listen(def, attempt)
}
