package main

import (
	"context"
	"time"

	"msup/capture"
	"msup/units"
)

// Where in its files the output of a run stands, so that `msup why` can show the last
// lines of one run, and not of the one after it.

// placeTime is how long a first start may wait for a file that does not answer.
const placeTime = 200 * time.Millisecond

// begin notes where the output of a program's first run begins. Each later one begins
// where the one before it ended.
func (o *outputs) begin(program string) {
	o.mu.Lock()
	_, known := o.placed[program]
	o.mu.Unlock()
	if known || !o.of(program).any() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), placeTime)
	defer cancel()
	o.setPlaced(program, o.places(program)(ctx))
}

func (o *outputs) setPlaced(program string, marks []units.OutputSpan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range marks {
		marks[i].Begin, marks[i].End = marks[i].End, nil
	}
	o.placed[program] = marks
}

// ended brings the last words of a program to its files and the journal, and tells where
// they stand. It does not wait.
func (o *outputs) ended(program string, n int, tell func(units.EndOutput)) {
	if !o.of(program).any() {
		return
	}
	o.mu.Lock()
	begun := o.placed[program]
	o.mu.Unlock()
	wait := o.places(program)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		spans := wait(ctx)
		next := append([]units.OutputSpan(nil), spans...)
		for i := range spans {
			for _, b := range begun {
				if b.File == spans[i].File {
					spans[i].Begin = b.Begin
				}
			}
		}
		o.setPlaced(program, next)
		tell(units.EndOutput{Program: program, N: n, Output: spans})
	}()
}

// any reports whether any output goes to a file.
func (p programStreams) any() bool { return p.stdout != nil || p.stderr != nil }

// places finds the present end of each file of the program. It does not wait; what it
// returns does, and what cannot be found in time is left out.
func (o *outputs) places(program string) func(context.Context) []units.OutputSpan {
	type search struct {
		file string
		wait func(context.Context) (capture.Place, error)
	}
	var searches []search
	o.of(program).each(func(s *capture.Stream) { searches = append(searches, search{s.Config().File, s.Here()}) })
	return func(ctx context.Context) []units.OutputSpan {
		var spans []units.OutputSpan
		for _, s := range searches {
			// What fails is in Stats and told by an event.
			if p, err := s.wait(ctx); err == nil {
				spans = append(spans, units.OutputSpan{File: s.file, End: &units.OutputMark{Inode: p.Inode, Offset: p.Offset}})
			}
		}
		return spans
	}
}
