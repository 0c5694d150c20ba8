package main

import (
	"context"
	"fmt"
	"time"

	"msup/capture"
	"msup/control"
)

// What is wrong with the programs' output, for the transition log and for status.

// notify hands an event on without waiting; forward takes it.
func (o *outputs) notify(e capture.Event) {
	select {
	case o.events <- e:
	default: // a thousand of them wait already, and Stats has the facts
	}
}

// forward tells note about every event until ctx ends.
func (o *outputs) forward(ctx context.Context, note func(program, text string)) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-o.events:
			program, _ := nameOf(e.Stream)
			note(program, eventText(e))
		}
	}
}

func eventText(e capture.Event) string {
	switch e.Kind {
	case capture.WriteFailed:
		return fmt.Sprintf("%v; its output waits in the pipe, as long as that has room", e.Err)
	case capture.WriteResumed:
		lost := "nothing is lost"
		if e.Lost > 0 {
			lost = fmt.Sprintf("%d bytes are lost", e.Lost)
		}
		return fmt.Sprintf("writes %s again after %s, %s", e.Stream.Config().File, e.For.Round(time.Millisecond), lost)
	case capture.RotateFailed:
		return fmt.Sprintf("%v; it grows meanwhile", e.Err)
	case capture.JournalDropped:
		return journalText(e.Lines, e.Bytes) + " not sent to the journal; " + whoHasThem(e.Stream)
	}
	return string(e.Kind)
}

// whoHasThem is where lines are that the journal has not got.
func whoHasThem(s *capture.Stream) string {
	if isFile(s.Config().File) {
		return "the file has them"
	}
	return "they are lost"
}

func journalText(lines, bytes uint64) string {
	switch {
	case bytes == 0:
		return fmt.Sprintf("%d lines", lines)
	case lines == 0:
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%d lines and %d bytes", lines, bytes)
}

// warnings tells what is wrong with a program's output now.
func (o *outputs) warnings(program string) []string {
	var out []string
	o.of(program).each(func(s *capture.Stream) {
		st := s.Stats()
		_, name := nameOf(s)
		switch {
		case st.Err != nil:
			out = append(out, fmt.Sprintf("%v, since %s; %d bytes wait, %d are lost", st.Err, st.ErrSince.Format(time.DateTime), st.Waiting, st.Lost))
		case st.Lost > 0:
			out = append(out, fmt.Sprintf("%d bytes of %s are lost", st.Lost, name))
		}
		if st.RotateErr != nil {
			out = append(out, fmt.Sprintf("%v; it grows meanwhile", st.RotateErr))
		}
		if st.JournalDropped > 0 || st.JournalSkipped > 0 {
			out = append(out, fmt.Sprintf("%s of %s not sent to the journal; %s", journalText(st.JournalDropped, st.JournalSkipped), name, whoHasThem(s)))
		}
	})
	return out
}

// report is what became of a program's output that goes to files.
func (o *outputs) report(program string) []control.OutputReport {
	var out []control.OutputReport
	ps := o.of(program)
	ps.each(func(s *capture.Stream) {
		_, name := nameOf(s)
		if !isFile(s.Config().File) {
			return // to the journal
		}
		r := control.OutputReport{Streams: []string{name}, File: s.Config().File}
		if ps.stdout == ps.stderr {
			r.Streams = []string{stdoutStream, stderrStream}
		}
		st := s.Stats()
		r.Bytes, r.Waiting, r.Lost = st.Bytes, st.Waiting, st.Lost
		if st.Err != nil {
			r.Error, r.ErrorSince = new(st.Err.Error()), new(st.ErrSince)
		}
		r.JournalLines, r.JournalDropped, r.JournalSkipped = st.JournalLines, st.JournalDropped, st.JournalSkipped
		out = append(out, r)
	})
	return out
}
