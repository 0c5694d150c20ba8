package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"msup/config"
	"msup/units"

	"github.com/spf13/cobra"
)

func diffCommand(a *app) *cobra.Command {
	var asJSON, exitCode bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what the changed configuration would do to what runs",
		Long: `Compare the configuration with what runs, key by key, and show what msup reload would do
to each program:

  live        the change takes effect at once, nothing is restarted
  restart     the program is restarted; one that had given up is started
  next-start  the program does not run; the change waits for its next start
  add         the program is new, and is started, or waits for its schedule
              (unless autostart is false)
  remove      the program is stopped

Nothing is changed.

` + exitStatusHelp,
		Example: "  msup diff\n  msup diff --exit-code || msup reload",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := a.plan(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "  ")
				err = enc.Encode(plan)
			} else {
				a.printPlan(plan)
			}
			if err == nil && exitCode && !plan.Empty() {
				return &exitError{code: exitFailed}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with status 1 if something would change")
	return cmd
}

// plan is what the configuration would change. The supervisor makes it, for it will carry it
// out; without one it is made from what it has left.
func (a *app) plan(ctx context.Context) (units.Plan, error) {
	var wrong error // with all problems, each in its line
	if a.projectName == "" {
		_, wrong = a.loadConfig()
	}
	t, err := a.target()
	if err != nil {
		return units.Plan{}, cmp.Or(wrong, err)
	}
	var plan units.Plan
	err = a.outlive(ctx, t, func() (err error) {
		plan, err = t.client.Plan(ctx)
		return err
	})
	_, away := errors.AsType[*exitError](err)
	switch {
	case err == nil:
		return plan, nil // what is wrong here is not wrong there: it has variables that we have not
	case wrong != nil:
		return plan, wrong
	case !away:
		return plan, err
	}
	cfg, err := loadFile(t.project.File)
	if err != nil {
		return plan, err
	}
	if !t.running {
		fmt.Fprintf(a.stderr, "msup: project %s is not running\n", t.project.Name)
		return config.Diff(units.Project{Name: cfg.Name}, nil, cfg), nil
	}
	if cfg.Name != t.project.Name {
		return plan, renamed(cfg, t.project)
	}
	fmt.Fprintln(a.stderr, "msup: no supervisor is running: this is what one would change")
	saved, _ := loadState(filepath.Join(t.dir, stateName), t.project.Name) // the supervisor tells what is wrong with it
	if saved == nil {
		saved = &units.Saved{}
	}
	return config.Diff(t.project, saved.Statuses(t.project), cfg), nil
}

func (a *app) printPlan(plan units.Plan) {
	if plan.Empty() {
		fmt.Fprintln(a.stdout, "nothing has changed")
		return
	}
	if len(plan.Changes) > 0 {
		fmt.Fprintln(a.stdout, "[msup]")
		printChanges(a.stdout, plan.Changes, true)
	}
	for _, g := range plan.Groups {
		fmt.Fprintf(a.stdout, "[group %s]: %s\n", g.Name, g.Effect)
		printChanges(a.stdout, g.Changes, false)
	}
	for _, in := range plan.Instances {
		fmt.Fprintf(a.stdout, "%s: %s\n", in.Name, instancesWords(in))
	}
	shown := map[string]bool{}
	for _, p := range plan.Programs {
		fmt.Fprintf(a.stdout, "%s: %s\n", p.Name, effectWords(p))
		// Of new instances the first one shows what they all are.
		base, _, isInstance := strings.Cut(p.Name, "@")
		if p.Effect == units.EffectAdd && isInstance && shown[base] {
			continue
		}
		shown[base] = p.Effect == units.EffectAdd
		printChanges(a.stdout, p.Changes, p.Effect == units.EffectRestart)
	}
}

// instancesWords says how many instances there were and will be.
func instancesWords(in units.InstancesPlan) string {
	number := func(n int) string {
		if n == 0 {
			return "none"
		}
		return strconv.Itoa(n)
	}
	words := fmt.Sprintf("instances: %s -> %s", number(in.Old), number(in.New))
	if in.Old == 0 || in.New == 0 {
		words += " (what runs under the old names is removed)"
	}
	if in.Overridden {
		words += " (overridden by msup scale)"
	}
	return words
}

// effectWords says what becomes of a program.
func effectWords(p units.ProgramPlan) string {
	switch {
	case p.Effect == units.EffectAdd && p.Starts:
		return "add, is started"
	case p.Effect == units.EffectAdd && p.Awaits != "":
		return "add, waits for " + p.Awaits
	case p.Effect == units.EffectAdd:
		return "add, is not started (autostart is false)"
	case p.Effect == units.EffectRemove && p.Stops:
		return "remove, is stopped"
	case p.Effect == units.EffectRestart && p.Starts:
		return "restart, it had given up and is started"
	case p.Effect == units.EffectRestart && !p.Stops:
		return "restart, it waits for its next start and gets it now"
	case p.Effect == units.EffectRestart && p.Refuses:
		return "restart, its sockets too: for a moment connections are refused"
	case p.Effect == units.EffectNextStart && p.Refuses:
		return "next-start, it does not run; its sockets are made anew now: for a moment connections are refused"
	case p.Effect == units.EffectNextStart:
		return "next-start, it does not run"
	}
	return string(p.Effect)
}

// printChanges prints keys and values; with effects, which of them can be had without a
// restart.
func printChanges(w io.Writer, changes []units.KeyChange, effects bool) {
	for _, c := range changes {
		if c.Key == "" {
			fmt.Fprintln(w, "    it was started by an older definition that is not known any more")
			continue
		}
		effect := ""
		if effects {
			effect = fmt.Sprintf("  (%s)", c.Effect)
		}
		switch {
		case c.Effect == units.EffectAdd:
			fmt.Fprintf(w, "    %s = %s\n", c.Key, strings.Join(c.New, "\n    "+c.Key+" = "))
		case len(c.Old) <= 1 && len(c.New) <= 1 && len(first(c.Old))+len(first(c.New)) < 50:
			fmt.Fprintf(w, "    %s: %s -> %s%s\n", c.Key, value(c, c.Old), value(c, c.New), effect)
		default:
			fmt.Fprintf(w, "    %s:%s\n", c.Key, effect)
			for _, line := range c.Old {
				fmt.Fprintf(w, "      - %s\n", line)
			}
			for _, line := range c.New {
				fmt.Fprintf(w, "      + %s\n", line)
			}
		}
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// value is what a key is set to, or what holds without it.
func value(c units.KeyChange, values []string) string {
	if len(values) > 0 {
		return values[0]
	}
	return "(" + c.Otherwise + ")"
}

// summary counts what a plan does: "1 restart, 2 live".
func summary(plan units.Plan) string {
	counts := map[units.Effect]int{}
	for _, p := range plan.Programs {
		counts[p.Effect]++
	}
	var words []string
	for _, e := range []units.Effect{units.EffectRestart, units.EffectLive, units.EffectNextStart, units.EffectAdd, units.EffectRemove} {
		if n := counts[e]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, e))
		}
	}
	if len(plan.Changes) > 0 || len(plan.Groups) > 0 {
		words = append(words, "limits of slices and [msup]")
	}
	if len(words) == 0 {
		return "the number of instances is the configuration's again"
	}
	return strings.Join(words, ", ")
}

// waitsFor lists the programs that a plan starts, or opens sockets for, and those that it stops.
func waitsFor(plan units.Plan) (up, gone []string) {
	for _, p := range plan.Programs {
		switch {
		case p.Effect == units.EffectRestart, p.Effect == units.EffectAdd && p.Starts, p.Opens:
			up = append(up, p.Name)
		case p.Effect == units.EffectRemove && p.Stops:
			gone = append(gone, p.Name)
		}
	}
	return up, gone
}
