package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"msup/config"
	"msup/control"
	"msup/policy"
	"msup/units"

	"github.com/spf13/cobra"
)

func scaleCommand(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "scale NAME=N...",
		Short: "Change how many instances a program has, until the next reload",
		Long: `Run more or fewer instances of programs that have instances in the configuration, and wait
until the new ones are up. Only the difference is touched: new instances get the next
numbers and are started, and the highest numbers are stopped first.

The configuration file stays as it is: msup status shows the number as overridden, and the
next msup reload goes back to the file. A restart of the supervisor keeps it.

If something that runs would be stopped, msup asks first; where there is no terminal, it
does so only with --yes.

` + exitStatusHelp,
		Example: "  msup scale web=6\n  msup scale --yes web=2 worker=1",
		Args:    someArgs("programs and numbers, for example web=6"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			if a.choose() != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			t, err := a.target()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, tmpl := range t.project.Templates {
				names = append(names, tmpl.Name+"=")
			}
			return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			scales, err := parseScales(args)
			if err != nil {
				return err
			}
			return a.scale(cmd.Context(), scales, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before something is stopped")
	return cmd
}

func parseScales(args []string) ([]control.Scale, error) {
	var scales []control.Scale
	for _, arg := range args {
		name, number, ok := strings.Cut(arg, "=")
		n, err := strconv.Atoi(number)
		switch {
		case !ok || name == "":
			return nil, usageError("msup scale needs NAME=N, for example web=6, got %q", arg)
		case strings.ContainsAny(name, "*?[:"):
			return nil, usageError("msup scale takes one program at a time, got %q", arg)
		case strings.Contains(name, "@"):
			return nil, usageError("%s is one instance: write %s=N", name, baseOf(name))
		case err != nil || n < 1 || n > units.MaxInstances:
			return nil, usageError("bad number of instances %q of %s: use a whole number from 1 to %d", number, name, units.MaxInstances)
		case slices.ContainsFunc(scales, func(s control.Scale) bool { return s.Program == name }):
			return nil, usageError("%s is there twice", name)
		}
		scales = append(scales, control.Scale{Program: name, Instances: n})
	}
	return scales, nil
}

// scaling is a msup scale under way.
type scaling struct {
	scales []control.Scale
	yes    bool
	agreed []string // instances that may be stopped
	up     []string // those that are new
	gone   []string // and those that are stopped
}

func (a *app) scale(ctx context.Context, scales []control.Scale, yes bool) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	if err := scalable(t, scales); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &scaling{scales: scales, yes: yes}
	var v *view
	for try := 1; ; try++ {
		// What is asked for is a number and not a difference: asking again does no harm.
		err := a.insist(ctx, t, func() (err error) {
			v, err = a.askToScale(ctx, t, s)
			return err
		})
		if err == nil {
			break
		}
		if !errors.Is(err, control.ErrOtherPlan) || try == reloadTries {
			return err
		}
		if !yes {
			fmt.Fprintln(a.stderr, "msup: other instances run by now:")
		}
	}
	if err := a.awaitThrough(ctx, t, v, "scaled", slices.Concat(s.up, s.gone), func(name string) bool {
		if slices.Contains(s.gone, name) {
			return v.hasStopped(name) // or somebody wants it again
		}
		return v.isUp(name)
	}); err != nil {
		return err
	}
	return a.scaled(t, s, v)
}

// askToScale asks one supervisor.
func (a *app) askToScale(ctx context.Context, t *target, s *scaling) (*view, error) {
	v, snap, err := t.view(ctx)
	if err != nil {
		return nil, err
	}
	stop := s.look(snap)
	if !s.yes && !containsAll(s.agreed, stop) {
		if err := a.confirm(stop, "stops", "Stop", "msup scale --yes"); err != nil {
			return nil, err
		}
		s.agreed = stop
	}
	applied, err := t.client.Scale(ctx, control.ScaleRequest{Programs: s.scales, Stop: stop, AnyStop: s.yes, By: "scaled by msup scale"})
	if err != nil {
		return nil, err
	}
	v.reset(applied.Snapshot)
	for _, w := range applied.Warnings {
		fmt.Fprintf(a.stderr, "warning: %s\n", w)
	}
	return v, nil
}

// containsAll reports whether all of some names are among others.
func containsAll(names, some []string) bool {
	return !slices.ContainsFunc(some, func(name string) bool { return !slices.Contains(names, name) })
}

// look finds the instances that come and go, which of a second try are those of the first as
// well, and returns those that are to be stopped.
func (s *scaling) look(snap units.Snapshot) (stop []string) {
	there := map[string]bool{}
	for _, st := range snap.Programs {
		there[st.Name] = !st.Removed
	}
	for _, scale := range s.scales {
		for i := range scale.Instances {
			name := units.InstanceName(scale.Program, i+1)
			if !there[name] && !slices.Contains(s.up, name) {
				s.up = append(s.up, name)
			}
		}
		for _, st := range snap.Programs {
			n, err := strconv.Atoi(strings.TrimPrefix(st.Name, scale.Program+"@"))
			if err != nil || baseOf(st.Name) != scale.Program || n <= scale.Instances {
				continue
			}
			if !slices.Contains(s.gone, st.Name) {
				s.gone = append(s.gone, st.Name)
			}
			if st.State.Phase.Up() && st.State.Phase != policy.Stopping {
				stop = append(stop, st.Name)
			}
		}
	}
	return stop
}

// scaled says what has come of it.
func (a *app) scaled(t *target, s *scaling, v *view) error {
	failed := false
	for _, name := range s.up {
		phase := v.programs[name]
		fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		failed = failed || v.missed(name)
	}
	for _, name := range s.gone {
		if phase := v.programs[name]; phase.Up() {
			failed = true
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
			continue
		}
		fmt.Fprintf(a.stdout, "%s removed\n", name)
	}
	for _, scale := range s.scales {
		was := t.project.Template(scale.Program)
		words := "until the next msup reload"
		if scale.Instances == was.Instances {
			words = "as configured"
		}
		fmt.Fprintf(a.stdout, "%s: instances: %d -> %d, %s\n", scale.Program, was.Count(), scale.Instances, words)
	}
	if failed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// scalable tells early, and with a suggestion, of programs that cannot be scaled.
func scalable(t *target, scales []control.Scale) error {
	for _, s := range scales {
		if t.project.Template(s.Program) != nil {
			continue
		}
		if _, _, err := config.Scale(t.project, s.Program, s.Instances); err != nil && t.project.Program(s.Program) != nil {
			return &exitError{code: exitUsage, msg: err.Error()}
		}
		return noProgram(t.names(), s.Program)
	}
	return nil
}
