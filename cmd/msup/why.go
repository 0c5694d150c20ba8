package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"msup/control"
	"msup/explain"
	"msup/logview"
	"msup/policy"
	"msup/units"

	"github.com/spf13/cobra"
)

func whyCommand(a *app) *cobra.Command {
	var asJSON bool
	lines := 10
	cmd := &cobra.Command{
		Use:   "why NAME...|all",
		Short: "Explain why a program died, and what comes next",
		Long: `Explain the last end of programs and what comes next: the cause in words, the last lines
of output before it (not those of the run after it), what systemd and the kernel said of
it, the last ends with their times, the restarts that are used up, the next start, limits
that do not hold or are felt, and the commands to look further.

A program that is well is explained too: since when it runs, how its last run ended, which
of its processes were killed for memory meanwhile.

Without a supervisor the facts come from systemd and the state it left, which is said.

` + exitStatusHelp,
		Example: `  msup why web
  msup why -n 50 web worker
  msup why web --json | jq '.programs[].last_end.means'`,
		Args:              someArgs("the names of programs, or all"),
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			if lines < 0 {
				return usageError("bad number of lines %d: use a whole number", lines)
			}
			return a.why(cmd.Context(), args, lines, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: sizes in bytes, times in RFC 3339, absent facts null")
	cmd.Flags().IntVarP(&lines, "lines", "n", lines, "show the last `N` lines of output of each stream")
	return cmd
}

// whyReport is what msup why --json prints.
type whyReport struct {
	Project    string                  `json:"project"`
	Time       time.Time               `json:"time"`
	Supervisor control.SupervisorState `json:"supervisor"`
	Programs   []explain.Explanation   `json:"programs"`
}

func (a *app) why(ctx context.Context, patterns []string, lines int, asJSON bool) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	names, err := match(t.members(), patterns, false)
	if err != nil {
		return err
	}
	g, note, err := a.gather(ctx, t, names)
	if err != nil {
		return err
	}
	defer g.close()
	if note != "" && !asJSON {
		fmt.Fprintf(a.stderr, "msup: %s\n", note)
	}
	rep := whyReport{Project: t.project.Name, Time: g.now, Supervisor: g.supervisor, Programs: []explain.Explanation{}}
	gaveUp := false
	for _, name := range names {
		f := g.facts(ctx, *t.project.Program(name), lines)
		gaveUp = gaveUp || f.State.Phase.GaveUp()
		rep.Programs = append(rep.Programs, explain.Explain(f))
	}
	if asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(rep)
	} else {
		err = a.printWhy(rep)
	}
	if err == nil && gaveUp {
		err = &exitError{code: exitGaveUp}
	}
	return err
}

func (a *app) printWhy(rep whyReport) error {
	colours := coloured(a.stdout)
	out := logview.NewPrinter(a.stdout, nil) // makes what programs wrote harmless for a terminal
	line := func(text string) error { return out.Print([]logview.Line{{Text: []byte(text)}}) }
	for i, x := range rep.Programs {
		var errs []error
		if i > 0 {
			errs = append(errs, line(""))
		}
		for n, s := range x.Sections(rep.Time) {
			title := s.Title
			switch state := string(x.State); {
			case !colours:
			case n == 0:
				title = bold.paint(x.Name) + strings.Replace(strings.TrimPrefix(title, x.Name), state, stateColour(x.State).paint(state), 1)
			default:
				title = bold.paint(title)
			}
			errs = append(errs, line(title))
			for _, l := range s.Lines {
				errs = append(errs, line("  "+l))
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// gatherer has what is gathered once for all programs.
type gatherer struct {
	a          *app
	t          *target
	now        time.Time
	bus        bus // nil = there is none, and a supervisor has answered all the same
	supervisor control.SupervisorState
	saved      *units.Saved
	status     map[string]units.Status
	warnings   map[string][]string
	kernel     *kernelLog
}

// gather asks the supervisor, or systemd where there is none; note says so then.
func (a *app) gather(ctx context.Context, t *target, names []string) (g *gatherer, note string, err error) {
	g = &gatherer{a: a, t: t, status: map[string]units.Status{}, warnings: map[string][]string{}}
	g.kernel = &kernelLog{}
	var rep control.Report
	// The supervisor goes on meanwhile: its answer and what it has written down shall be of
	// one moment.
	const tries = 5
	for try := 1; ; try++ {
		if rep, note, err = a.reportOf(ctx, t); err != nil {
			return nil, "", err
		}
		g.saved, _ = loadState(filepath.Join(t.dir, stateName), t.project.Name) // the supervisor tells what is wrong with it
		if g.saved == nil {
			g.saved = &units.Saved{}
		}
		if !rep.Supervisor.Active || try == tries || g.sameMoment(rep, names) {
			break
		}
	}
	g.now, g.supervisor = time.Now(), rep.Supervisor
	for _, p := range rep.Programs {
		g.warnings[p.Name] = p.Warnings
	}
	if g.bus, err = a.dial(ctx); err != nil {
		if !rep.Supervisor.Active {
			return nil, "", err
		}
		g.bus = nil
	}
	for _, p := range rep.Programs {
		def := t.project.Program(p.Name)
		if def == nil {
			continue
		}
		if err := g.statusOf(ctx, *def, p); err != nil {
			return nil, "", err
		}
	}
	return g, note, nil
}

func (g *gatherer) close() {
	if g.bus != nil {
		g.bus.Close()
	}
}

// sameMoment reports whether the report and the saved state tell the same of the programs.
func (g *gatherer) sameMoment(rep control.Report, names []string) bool {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	for _, p := range rep.Programs {
		s, known := g.saved.Programs[p.Name]
		if wanted[p.Name] && known && (s.State.Phase != p.State || p.Since != nil && !p.Since.Equal(s.State.Since)) {
			return false
		}
	}
	return true
}

// statusOf is how a program is, from what the supervisor has written down, and from
// systemd where no supervisor runs.
func (g *gatherer) statusOf(ctx context.Context, def units.Program, p control.ProgramReport) error {
	old, known := g.saved.Programs[def.Name]
	if !g.supervisor.Active {
		f, err := g.bus.Read(ctx, def.Unit)
		if err != nil {
			return err
		}
		st := units.Unsupervised(def, g.t.project.Name, old, known, f, f.LoadState != "not-found")
		st.Schedule = p.Schedule.Status()
		g.status[def.Name] = st
		return nil
	}
	st := units.Status{Name: def.Name, Unit: def.Unit, State: old.State, Invocation: old.Invocation}
	if !known {
		st.State.Phase, st.State.Reason = p.State, p.Reason
		if p.Since != nil {
			st.State.Since = *p.Since
		}
	}
	if p.State == st.State.Phase {
		st.State.Reason = p.Reason // it may have what a probe said last
	}
	if p.Said != nil {
		st.Said = *p.Said
	}
	st.Schedule = p.Schedule.Status()
	st.Actions = old.Actions
	for _, probe := range p.Probes {
		if !p.State.Up() || probe.Tries == 0 && !probe.Told && probe.Of == "ready" && p.State == policy.Running {
			continue // nobody is asked
		}
		st.Probes = append(st.Probes, probe.Status())
	}
	if p.PID != nil {
		st.PID = uint32(*p.PID)
	}
	g.status[def.Name] = st
	return nil
}
