package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"msup/control"
	"msup/units"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func reloadCommand(a *app) *cobra.Command {
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Apply the changed configuration; restart only what must be",
		Long: `Show what msup diff shows, and carry out exactly that: policy, limits and log keys
change while a program runs; what cannot change so is restarted; what is new is started;
what is gone is stopped. A configuration with a mistake changes nothing.

If something that runs would be stopped, msup asks first; where there is no terminal, it
does so only with --yes. What msup set has overridden goes back to the configuration.

` + exitStatusHelp,
		Example: "  msup reload --dry-run    # the same as msup diff\n  msup reload --yes",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun {
				plan, err := a.plan(cmd.Context())
				if err == nil {
					a.printPlan(plan)
				}
				return err
			}
			return a.reload(cmd.Context(), yes)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would change, as msup diff")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before something is restarted or stopped")
	return cmd
}

// reloadTries is how often a plan is made anew because programs have changed their state
// since. A plan that somebody was asked about is not replaced by another.
const reloadTries = 10

func (a *app) reload(ctx context.Context, yes bool) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	if !t.running {
		if _, err := a.loadConfig(); err != nil {
			return err
		}
		return notUp(control.ErrNoSupervisor, t)
	}
	for try := 1; ; try++ {
		plan, err := a.plan(ctx)
		if err != nil {
			return err
		}
		asked := false
		if try == 1 || !yes {
			a.printPlan(plan)
		}
		if plan.Disruptive() && !yes {
			if err := a.confirm(stops(plan), "stops or restarts", "Stop or restart", "msup reload --yes"); err != nil {
				return err
			}
			asked = true
		}
		if plan.Empty() {
			return nil
		}
		err = a.carryOut(ctx, t, plan)
		if !errors.Is(err, control.ErrOtherPlan) || try == reloadTries {
			return err
		}
		if asked {
			fmt.Fprintln(a.stderr, "msup: the configuration or a program has changed meanwhile:")
		}
	}
}

// confirm asks whether to stop what runs. It is done by verb, "stops", asked for as "Stop", and
// without a question by a command line.
func (a *app) confirm(stopped []string, verb, ask, command string) error {
	if !term.IsTerminal(int(a.stdin.Fd())) {
		return &exitError{
			code: exitFailed, msg: fmt.Sprintf("this %s %s; nothing was changed", verb, listed(stopped)),
			hint: command + " carries it out",
		}
	}
	fmt.Fprintf(a.stderr, "%s %s? [y/N] ", ask, listed(stopped))
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	switch answer := strings.ToLower(strings.TrimSpace(line)); {
	case err == nil && (answer == "y" || answer == "yes"):
		return nil
	case err != nil:
		fmt.Fprintln(a.stderr)
	}
	return &exitError{code: exitFailed, msg: "nothing was changed"}
}

func stops(plan units.Plan) []string {
	var names []string
	for _, p := range plan.Programs {
		if p.Stops {
			names = append(names, p.Name)
		}
	}
	return names
}

// carryOut has the supervisor carry out the plan, and waits until that is done.
func (a *app) carryOut(ctx context.Context, t *target, plan units.Plan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v, err := a.apply(ctx, t, plan)
	if err != nil {
		return err
	}
	up, gone := waitsFor(plan)
	if err := a.awaitThrough(ctx, t, v, "reloaded", slices.Concat(up, gone), func(name string) bool {
		if slices.Contains(gone, name) {
			return v.hasStopped(name)
		}
		return v.isUp(name)
	}); err != nil {
		return err
	}
	if err := a.awaitLimits(ctx, t); err != nil {
		return err
	}
	failed := false
	for _, name := range up {
		phase := v.programs[name]
		fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		failed = failed || v.missed(name)
	}
	for _, name := range gone {
		if _, known := v.programs[name]; !known || v.isDown(name) {
			fmt.Fprintf(a.stdout, "%s removed\n", name)
		} else { // another reload has it again
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, v.programs[name], v.reasons[name])
		}
	}
	fmt.Fprintf(a.stdout, "reloaded: %s\n", summary(plan))
	if failed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// apply has the supervisor put the plan in force. One that ends before it answers has put all of it
// in force or nothing, and the next one has read the configuration: what that still changes, if
// anything, was not.
func (a *app) apply(ctx context.Context, t *target, plan units.Plan) (*view, error) {
	for rest := plan; ; {
		v, _, err := a.watch(ctx, t)
		if err != nil || rest.Empty() {
			return v, err
		}
		applied, err := t.client.Reload(ctx, rest.ID, "reloaded")
		switch {
		case err == nil:
			v.reset(applied.Snapshot)
			for _, w := range applied.Warnings {
				fmt.Fprintf(a.stderr, "warning: %s\n", w)
			}
			return v, nil
		case !errors.Is(err, control.ErrUnanswered) && !errors.Is(err, control.ErrNoSupervisor):
			return nil, err
		}
		if rest, err = a.plan(ctx); err != nil {
			return nil, err
		}
		if !containsAll(stops(plan), stops(rest)) {
			return nil, control.ErrOtherPlan // somebody else has changed the configuration
		}
	}
}
