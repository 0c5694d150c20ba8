package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"msup/config"
	"msup/control"
	"msup/policy"
	"msup/units"

	"github.com/spf13/cobra"
)

func startCommand(a *app) *cobra.Command {
	return verbCommand(a, units.Start, "start NAME...|all", "Start programs",
		`Start programs (globs, GROUP:* and all work) and wait until they are up, or have given up
for good. A start always works: it clears the count of restarts of a program that had
given up. What they depend on (depends_on) and is down is started before them, whatever
its autostart says, except a oneshot that has ended well and what is optional; with
--no-deps it is neither started nor waited for. One with a schedule runs now, and at its
times again.`, "  msup start web\n  msup start 'worker-*'\n  msup start --no-deps web",
		func(v *view) func(string) bool { return v.isUp }, noDepsFlag)
}

// noDepsFlag and dependentsFlag are flags of some verbs.
func noDepsFlag(cmd *cobra.Command, c *units.Command) {
	cmd.Flags().BoolVar(&c.NoDeps, "no-deps", false, "without what they depend on")
}

func dependentsFlag(cmd *cobra.Command, c *units.Command) {
	cmd.Flags().BoolVar(&c.Dependents, "with-dependents", false, "and what depends on them, if it is up")
}

func stopCommand(a *app) *cobra.Command {
	return verbCommand(a, units.Stop, "stop NAME...|all", "Stop programs",
		`Stop programs (globs, GROUP:* and all work) with their stop_signal, and SIGKILL after
their stop_timeout, and wait until they have ended. They stay stopped until msup start,
those with a schedule too.
The supervisor stays: msup down stops that too.

Of several, one that others depend on is stopped when these have ended. What depends on
them and was not named runs on, unless its on_dependency says otherwise; it is stopped too
with --with-dependents.`, "  msup stop web\n  msup stop all\n  msup stop --with-dependents db",
		func(v *view) func(string) bool { return v.hasStopped }, dependentsFlag)
}

func restartCommand(a *app) *cobra.Command {
	cmd := verbCommand(a, units.Restart, "restart NAME...|all", "Stop and start programs",
		`Stop programs (globs, GROUP:* and all work), start them again, and wait until they are up,
or have given up for good. One that does not run is started, and so is what they depend on,
see msup start. With --with-dependents, what depends on them and is up is restarted too: it
is stopped before them, and started when they are as it needs them.

With --rolling, restart them one after the other, or --max-down at a time: the next
only when the last is RUNNING, those first that are not up. It stops where one does
not come back, because it gives up, is stopped, is not RUNNING again --timeout after a
failure, or waits as long for a program that is down, and names those that were not
restarted; the exit status is 1 then.
Ctrl-C leaves the rest alone. A supervisor that is killed meanwhile does not end it.`,
		"  msup restart web\n  msup restart all\n  msup restart --with-dependents db\n  msup restart --rolling web\n  msup restart --rolling --max-down 2 'front:*'",
		func(v *view) func(string) bool { return v.isUp }, noDepsFlag, dependentsFlag)
	var isRolling bool
	var maxDown int
	var timeout string
	all := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, flag := range []string{"max-down", "timeout"} {
			if !isRolling && cmd.Flags().Changed(flag) {
				return usageError("--%s goes with --rolling", flag)
			}
		}
		if !isRolling {
			return all(cmd, args)
		}
		for _, flag := range []string{"no-deps", "with-dependents"} {
			if cmd.Flags().Changed(flag) {
				return usageError("--%s does not go with --rolling", flag)
			}
		}
		patience, err := config.ParseDuration(timeout)
		switch {
		case err != nil:
			return usageError("bad --timeout: %v; use seconds or a number with ms, s, m, h or d", err)
		case maxDown < 1:
			return usageError("bad --max-down %d: use a whole number from 1", maxDown)
		}
		return a.rolling(cmd.Context(), args, maxDown, patience)
	}
	cmd.Flags().BoolVar(&isRolling, "rolling", false, "one after the other, the next when the last is RUNNING")
	cmd.Flags().IntVar(&maxDown, "max-down", 1, "with --rolling: how many may be down at a time, `N`")
	cmd.Flags().StringVar(&timeout, "timeout", "1m", "with --rolling: how long a `TIME` one that fails may take to come back")
	return cmd
}

func verbCommand(a *app, verb units.Verb, use, short, long, example string, done func(*view) func(string) bool, flags ...func(*cobra.Command, *units.Command)) *cobra.Command {
	c := units.Command{Verb: verb, By: "requested by msup " + string(verb)}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + exitStatusHelp, Example: example,
		Args:              someArgs("the names of programs, or all"),
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.verb(cmd.Context(), c, args, done)
		},
	}
	for _, flag := range flags {
		flag(cmd, &c)
	}
	return cmd
}

func (a *app) verb(ctx context.Context, c units.Command, patterns []string, done func(*view) func(string) bool) error {
	verb := c.Verb
	t, names, err := a.chosen(patterns)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if verb != units.Stop {
		a.warnOfChanges(ctx, t, names)
	}
	c.Programs = names
	v, also, err := a.request(ctx, t, c)
	if err != nil {
		return err
	}
	names = t.inOrder(append(names, also...))
	if err := a.awaitThrough(ctx, t, v, cmp.Or(map[units.Verb]string{units.Stop: "stopped"}[verb], "up"), names, done(v)); err != nil {
		return err
	}
	failed := false
	for _, name := range names {
		phase := v.programs[name]
		fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		failed = failed || (verb != units.Stop && v.missed(name))
	}
	if verb == units.Stop {
		a.warnOfDependents(t, v, names)
	}
	if failed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// inOrder sorts names of programs as the project has them.
func (t *target) inOrder(names []string) []string {
	var out []string
	for _, p := range t.project.Programs {
		if slices.Contains(names, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

// warnOfDependents says what runs on although something it depends on was stopped.
func (a *app) warnOfDependents(t *target, v *view, stopped []string) {
	programs := t.project.Programs
	for _, e := range units.Edges(programs) {
		from := programs[e.From].Name
		if e.To < 0 || e.Optional || e.Condition == policy.OnCompleted || slices.Contains(stopped, from) {
			continue
		}
		if to := programs[e.To].Name; slices.Contains(stopped, to) && v.programs[to] == policy.Stopped && v.programs[from] == policy.Running {
			fmt.Fprintf(a.stderr, "msup: %s depends on %s, and runs on\n", from, to)
		}
	}
}

// warnOfChanges says that the configuration has other definitions of programs than those they
// are about to be started by.
func (a *app) warnOfChanges(ctx context.Context, t *target, names []string) {
	var plan units.Plan
	err := a.outlive(ctx, t, func() (err error) {
		plan, err = t.client.Plan(ctx)
		return err
	})
	if _, down := errors.AsType[*exitError](err); down {
		return // the project is: who asks for something next is told
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "warning: the configuration has changed, and cannot be used: %v\n", oneLine(err))
		return
	}
	var changed []string
	for _, p := range plan.Programs {
		if slices.Contains(names, p.Name) && p.Effect != units.EffectRemove && !p.InForce {
			changed = append(changed, p.Name)
		}
	}
	if len(changed) > 0 {
		fmt.Fprintf(a.stderr, "warning: the configuration of %s has changed since it was read: msup diff shows how, msup reload applies it\n", listed(changed))
	}
}

// chosen finds the project and the programs that patterns mean.
func (a *app) chosen(patterns []string) (*target, []string, error) {
	t, err := a.target()
	if err != nil {
		return nil, nil, err
	}
	names, err := match(t.members(), patterns, false)
	return t, names, err
}

func notUp(err error, t *target) error {
	if errors.Is(err, control.ErrNoSupervisor) {
		return &exitError{code: exitFailed, msg: fmt.Sprintf("project %s is not running", t.project.Name), hint: "msup up starts it"}
	}
	return err
}

func signalCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "signal SIGNAL NAME...|all",
		Short: "Send a signal to the main process of programs",
		Long: `Send a signal, by name (HUP, SIGHUP) or number, to the main process of programs (globs,
GROUP:* and all work) that are RUNNING.

` + exitStatusHelp,
		Example: "  msup signal HUP web",
		Args: func(cmd *cobra.Command, args []string) error {
			return someArgs("a signal and the names of programs, or all")(cmd, args[min(1, len(args)):])
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []string{"HUP", "INT", "TERM", "QUIT", "USR1", "USR2", "KILL"}, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completePrograms(cmd, args, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			sig, err := config.ParseSignal(args[0])
			if err != nil {
				return usageError("%v: use a name (HUP, SIGHUP) or a number from 1 to 64", err)
			}
			t, names, err := a.chosen(args[1:])
			if err != nil {
				return err
			}
			return a.tell(cmd.Context(), t, units.Command{Verb: units.Signal, Programs: names, Signal: int32(sig), By: "requested by msup signal"})
		},
	}
}
