package main

import (
	"context"
	"errors"
	"os/signal"
	"strconv"
	"syscall"

	"msup/logview"
	"msup/units"

	"github.com/spf13/cobra"
)

func logsCommand(a *app) *cobra.Command {
	var follow bool
	lines := "10"
	cmd := &cobra.Command{
		Use:   "logs [NAME...]",
		Short: "Show the output of programs",
		Long: `Show the last lines of the output of all programs, or of those named (globs work), from
the files it goes to, or from the journal where no file is configured. With several
programs their names stand in front. Needs no supervisor.

` + exitStatusHelp,
		Example:           "  msup logs web\n  msup logs -f -n 100 web worker\n  journalctl -u msup-web.service   # the same, from the journal",
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := parseLines(lines)
			if err != nil {
				return err
			}
			return a.logs(cmd.Context(), args, n, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new lines as they come")
	cmd.Flags().StringVarP(&lines, "lines", "n", lines, "how many lines of each program, or all")
	return cmd
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

func (a *app) logs(ctx context.Context, patterns []string, n int, follow bool) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	names, err := match(t.names(), patterns, true)
	if err != nil {
		return err
	}
	var programs []units.Program
	for _, name := range names {
		programs = append(programs, *t.project.Program(name))
	}
	from := sources(programs, a.user)
	printer := logview.NewPrinter(a.stdout, names)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if follow {
		err = logview.Follow(ctx, from, logview.Last(ctx, from, n), printer.Print)
	} else {
		err = logview.Tail(ctx, from, n, printer.Print)
	}
	err = errors.Join(err, printer.Close())
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) {
		return nil // the reader has seen enough
	}
	return err
}
