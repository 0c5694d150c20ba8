package main

import (
	"context"
	"errors"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"msup/logview"
	"msup/units"

	"github.com/spf13/cobra"
)

// logsOptions are the flags of msup logs.
type logsOptions struct {
	follow       bool
	lines        string
	since, until string
	stream       string
	noPrefix     bool
}

func logsCommand(a *app) *cobra.Command {
	o := logsOptions{lines: "10"}
	cmd := &cobra.Command{
		Use:   "logs [NAME...]",
		Short: "Show the output of programs",
		Long: `Show the last lines of the output of all programs, or of those named (globs and GROUP:* work), from
the files it goes to and the rotated ones of these, or from the journal where no file is
configured. Needs no supervisor.

With several programs their names stand in front, and their lines are merged by the times
they begin with (log_timestamps, or the program's own, as 2026-11-23T10:00:00Z or
2026-11-23 10:00:00). Programs whose lines carry no time come one after the other.

--since and --until take a time: "2026-11-23 10:00", 10:00, today, yesterday, RFC 3339, or
how long ago: 10m, 2h, 1d. A line without a time belongs to the line before it. Where no
line of a file carries one, whole rotated files are chosen by when they were written.

-f goes on with what comes, across restarts and rotation; every line once.

` + exitStatusHelp,
		Example: `  msup logs web
  msup logs -f -n 100 web worker
  msup logs --since 10:00 --until 10:15 --stream stderr
  msup logs -n all web | gzip > web.gz
  journalctl -u msup-web.service   # the same, from the journal`,
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			// "The last 10" is what one wants who asks for nothing in particular.
			if !cmd.Flags().Changed("lines") && (o.since != "" || o.until != "") {
				o.lines = "all"
			}
			w, err := o.window(time.Now())
			if err != nil {
				return err
			}
			return a.logs(cmd.Context(), args, w, o)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with new lines as they come")
	f.StringVarP(&o.lines, "lines", "n", o.lines, "show `N` lines of each program, or all (with --since or --until: all)")
	f.StringVar(&o.since, "since", "", "only lines written at this `TIME` or later")
	f.StringVar(&o.until, "until", "", "only lines written at this `TIME` or before")
	f.StringVar(&o.stream, "stream", "", "only this `STREAM`: stdout or stderr")
	f.BoolVar(&o.noPrefix, "no-prefix", false, "leave out the names in front of the lines")
	_ = cmd.RegisterFlagCompletionFunc("stream", cobra.FixedCompletions([]string{logview.Stdout, logview.Stderr}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// window checks the flags and returns what they say about the past.
func (o logsOptions) window(now time.Time) (w logview.Window, err error) {
	if w.Lines, err = parseLines(o.lines); err != nil {
		return w, err
	}
	for _, f := range []struct {
		name, value string
		to          *time.Time
	}{{"--since", o.since, &w.Since}, {"--until", o.until, &w.Until}} {
		if f.value == "" {
			continue
		}
		if *f.to, err = logview.ParseTime(f.value, now); err != nil {
			return w, usageError("bad %s %q: %v", f.name, f.value, err)
		}
	}
	switch {
	case o.follow && o.until != "":
		return w, usageError("-f goes on with what comes: leave out --until")
	case !w.Since.IsZero() && !w.Until.IsZero() && w.Until.Before(w.Since):
		return w, usageError("--until %s is before --since %s", w.Until.Format(time.DateTime), w.Since.Format(time.DateTime))
	case o.stream != "" && o.stream != logview.Stdout && o.stream != logview.Stderr:
		return w, usageError("bad --stream %q: use stdout or stderr", o.stream)
	}
	return w, nil
}

func parseLines(s string) (int, error) {
	if s == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, usageError("bad number of lines %q: use a whole number or all", s)
	}
	return n, nil
}

func (a *app) logs(ctx context.Context, patterns []string, w logview.Window, o logsOptions) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	names, err := match(t.members(), patterns, true)
	if err != nil {
		return err
	}
	var programs []units.Program
	for _, name := range names {
		programs = append(programs, *t.project.Program(name))
	}
	from, notes := logview.OfStream(sources(programs, a.user), o.stream)
	if o.noPrefix {
		names = nil
	}
	printer := logview.NewPrinter(a.stdout, names)
	printer.NotesTo(a.stderr)
	for _, text := range notes {
		if err := printer.Print([]logview.Line{{Note: true, Text: []byte(text)}}); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if o.follow {
		err = logview.Follow(ctx, from, logview.Last(ctx, from, w), printer.Print)
	} else {
		err = logview.Tail(ctx, from, w, printer.Print)
	}
	err = errors.Join(err, printer.Close())
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) {
		return nil // the reader has seen enough
	}
	return err
}
