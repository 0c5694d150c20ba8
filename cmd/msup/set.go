package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"msup/config"
	"msup/control"
	"msup/units"

	"github.com/spf13/cobra"
)

func setCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME... KEY=VALUE...",
		Short: "Change limits and policy of programs until the next reload",
		Long: `Put keys of programs (globs, GROUP:* and all work) to other values, at once and without a restart:
limits, the restart policy and other keys that msup diff calls live. The configuration
file stays as it is: msup status shows what is overridden, the next msup reload goes back
to the file. A restart of the program or of the supervisor keeps it.

` + exitStatusHelp,
		Example:           "  msup set web memory_limit=64MB\n  msup set 'worker-*' cpu_limit=0.5 max_restarts=0",
		Args:              someArgs("the names of programs, or all, and KEY=VALUE"),
		ValidArgsFunction: a.completeSet,
		RunE: func(cmd *cobra.Command, args []string) error {
			var req control.SetRequest
			var patterns []string
			for _, arg := range args {
				if key, value, ok := strings.Cut(arg, "="); ok {
					req.Settings = append(req.Settings, units.Setting{Key: strings.TrimSpace(key), Value: strings.TrimSpace(value)})
				} else {
					patterns = append(patterns, arg)
				}
			}
			apart := func(s units.Setting) bool { return s.Key == "" }
			switch {
			case slices.ContainsFunc(req.Settings, apart):
				return usageError("KEY=VALUE is one word, without spaces around the =, for example memory_limit=64MB")
			case len(patterns) == 0:
				return usageError("msup set needs the names of programs, or all, before %s", args[0])
			case len(req.Settings) == 0:
				return usageError("msup set needs KEY=VALUE, for example memory_limit=64MB")
			}
			return a.set(cmd.Context(), patterns, req)
		},
	}
}

// completeSet completes names of programs, and behind the first one the keys that can be set.
func (a *app) completeSet(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	words, directive := a.completePrograms(cmd, args, toComplete)
	if len(args) > 0 {
		for _, key := range config.Settable() {
			words = append(words, key+"=")
		}
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}

func (a *app) set(ctx context.Context, patterns []string, req control.SetRequest) error {
	t, names, err := a.chosen(patterns)
	if err != nil {
		return err
	}
	req.Programs = names
	var applied control.Applied
	if err := a.insist(ctx, t, func() (err error) {
		applied, err = t.client.Set(ctx, req)
		return err
	}); err != nil {
		return err
	}
	for _, w := range applied.Warnings {
		fmt.Fprintf(a.stderr, "warning: %s\n", w)
	}
	if err := a.awaitLimits(ctx, t); err != nil {
		return err
	}
	var words []string
	for _, s := range req.Settings {
		words = append(words, s.Key+" = "+s.Value)
	}
	fmt.Fprintf(a.stdout, "%s: %s, until the next msup reload\n", listed(names), strings.Join(words, ", "))
	return nil
}

// awaitLimits waits until every unit that runs has the limits it is to have.
func (a *app) awaitLimits(ctx context.Context, t *target) error {
	ctx, cancel := context.WithTimeout(ctx, limitsTime)
	defer cancel()
	for {
		var rep control.Report
		if err := a.outlive(ctx, t, func() (err error) {
			rep, err = t.client.Status(ctx)
			return err
		}); err != nil {
			return err
		}
		var pending []string
		for _, p := range rep.Programs {
			if p.Pending {
				pending = append(pending, p.Name)
			}
		}
		if len(pending) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("systemd has not changed the limits of %s yet", listed(pending))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// limitsTime is how long systemd may take to change limits.
const limitsTime = 30 * time.Second
