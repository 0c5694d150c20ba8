package main

import (
	"context"
	"os"
	"sync"

	"msup/logview"
	"msup/units"
)

// sources lists where the output of programs is to be read.
func sources(programs []units.Program, user bool) []logview.Source {
	var out []logview.Source
	at := map[string]int{} // of each file
	for _, p := range programs {
		add := func(stream, file string) {
			s := logview.Source{Program: p.Name, Stream: stream, File: file}
			i, again := at[file]
			switch {
			case file == "":
				s.Unit, s.User, s.Relayed = p.Unit, user, readyByLine(p)
			case file == os.DevNull:
				return
			case again:
				// A file of several programs is read once.
				if p.Base == "" || baseOf(out[i].Program) != p.Base {
					out[i].Program += "," + p.Name
				} else {
					out[i].Program = p.Base
				}
				if out[i].Stream != stream {
					out[i].Stream = logview.Both
				}
				return
			}
			at[file] = len(out)
			out = append(out, s)
		}
		switch p.Stdout {
		case p.Stderr:
			add(logview.Both, p.Stdout)
		default:
			add(logview.Stdout, p.Stdout)
			add(logview.Stderr, p.Stderr)
		}
	}
	return out
}

// follower prints the output of programs as it comes, and what else there is to say.
type follower struct {
	mu      sync.Mutex // of printer
	printer *logview.Printer
	cancel  context.CancelFunc
	done    chan struct{}
}

// follow starts to print the output of all programs of t from the given positions on.
func (a *app) follow(ctx context.Context, t *target, from *logview.Positions) *follower {
	f := &follower{printer: logview.NewPrinter(a.stdout, t.names()), done: make(chan struct{})}
	ctx, f.cancel = context.WithCancel(ctx)
	go func() {
		defer close(f.done)
		// An error is that of standard output, whose reader has gone: nobody to tell.
		_ = logview.Follow(ctx, sources(t.project.Programs, a.user), from, f.print)
	}()
	return f
}

func (f *follower) print(lines []logview.Line) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.printer.Print(lines)
}

// note prints a line of msup's own.
func (f *follower) note(text string) {
	_ = f.print([]logview.Line{{Note: true, Text: []byte(text)}}) // as in follow
}

// stop prints what has come and ends the following.
func (f *follower) stop() {
	f.cancel()
	<-f.done
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.printer.Close() // as in follow
}
