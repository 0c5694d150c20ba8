package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msup/control"
	"msup/policy"
	"msup/units"

	"github.com/spf13/cobra"
)

func statusCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [NAME...]",
		Short: "Show programs: state, uptime, restarts, memory, CPU, and why",
		Long: `Show the state of all programs, or of those named (globs and GROUP:* work).

States: STOPPED, STARTING (until it was up for start_seconds), RUNNING, BACKOFF (waits for
its next start), STOPPING, EXITED (ended well), FAILED (gave up), KILLED (gave up after a kill for a limit).

RESTARTS is used/allowed, and within which time. MEMORY is current/limit. CPU is the share of one CPU since the
status before, if that was half a second to a minute ago, else since the program started.
HEALTH, if a program is probed: not ready, ready, healthy, or how many probes of alive have
failed in a row, of how many that are too many.
WHY of a program with a schedule ends with its last and its next run.

Groups and the project are shown below the programs where they have limits: what all their
programs use together, of how much.

Without a supervisor the facts come from systemd and the state it left, which is said.

` + exitStatusHelp,
		Example: `  msup status
  msup status 'web*' --json | jq '.programs[] | {name, state, reason}'`,
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.status(cmd.Context(), args, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: sizes in bytes, times in RFC 3339, absent facts null")
	return cmd
}

func (a *app) status(ctx context.Context, names []string, asJSON bool) error {
	rep, note, err := a.currentReport(ctx)
	if err != nil {
		return err
	}
	if rep.Programs, err = pick(rep.Programs, names); err != nil {
		return err
	}
	pickGroups(&rep)
	if asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(rep); err != nil {
			return err
		}
	} else {
		if note != "" {
			fmt.Fprintf(a.stderr, "msup: %s\n", note)
		}
		a.printStatus(rep)
	}
	for _, p := range rep.Programs {
		if p.State.GaveUp() {
			return &exitError{code: exitGaveUp}
		}
	}
	return nil
}

// pick keeps the programs that were named.
func pick(programs []control.ProgramReport, patterns []string) ([]control.ProgramReport, error) {
	var members []member
	for _, p := range programs {
		members = append(members, member{p.Name, deref(p.Group)})
	}
	chosen, err := match(members, patterns, true)
	if err != nil {
		return nil, err
	}
	keep := map[string]bool{}
	for _, n := range chosen {
		keep[n] = true
	}
	out := []control.ProgramReport{}
	for _, p := range programs {
		if keep[p.Name] {
			out = append(out, p)
		}
	}
	return out, nil
}

// currentReport asks the supervisor at once where there is one: the definitions, which are
// half of the work for a large project, are in its answer.
func (a *app) currentReport(ctx context.Context) (rep control.Report, note string, err error) {
	if name, file := a.nameOnly(); name != "" {
		rep, err = askStatus(ctx, control.NewClient(filepath.Join(a.runtimeDir(name), control.SocketName)))
		switch {
		case err == nil && file != "" && !sameFile(file, rep.File):
			return rep, "", a.otherConfig(name, rep.File)
		case err == nil:
			return rep, "", nil
		}
	}
	t, err := a.target()
	if err != nil {
		return rep, "", err
	}
	return a.reportOf(ctx, t)
}

// reportOf asks the supervisor, or, when there is none, systemd and the saved state; note
// says so then.
func (a *app) reportOf(ctx context.Context, t *target) (rep control.Report, note string, err error) {
	rep, err = askStatus(ctx, t.client)
	if err == nil {
		return rep, "", nil
	}
	note = "no supervisor is running: this is what systemd says"
	if errors.Is(err, context.DeadlineExceeded) {
		note = "the supervisor does not answer: this is what systemd says"
	} else if !errors.Is(err, control.ErrNoSupervisor) {
		note = err.Error() + ": this is what systemd says"
	}
	rep, err = a.reportFromSystemd(ctx, t)
	return rep, note, err
}

// askStatus does not wait for ever for a supervisor that hangs.
func askStatus(ctx context.Context, client *control.Client) (control.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return client.Status(ctx)
}

func (a *app) reportFromSystemd(ctx context.Context, t *target) (control.Report, error) {
	bus, err := a.dial(ctx)
	if err != nil {
		return control.Report{}, err
	}
	defer bus.Close()
	statuses, found, err := a.unsupervised(ctx, bus, t)
	if err != nil {
		return control.Report{}, err
	}
	rep := control.Report{Project: t.project.Name, File: t.project.File, Programs: []control.ProgramReport{}}
	sampler, now := control.NewSampler(), time.Now()
	limits := limitWarnings(bus, t.project)
	for i, def := range t.project.Programs {
		p := control.Describe(def, statuses[i])
		p.Scaled(t.project)
		if f, loaded := found[def.Unit]; loaded {
			sampler.Fill(&p, f.ControlGroup, f.ActiveEnter, now)
		}
		p.Warnings = append(p.Warnings, limits[def.Name]...)
		rep.Programs = append(rep.Programs, p)
	}
	return rep, fillSlices(ctx, bus, &rep, t.project, limits, sampler, now)
}

// unsupervised is what systemd and the saved state say of programs, in their order, and of
// their units, by name.
func (a *app) unsupervised(ctx context.Context, bus bus, t *target) ([]units.Status, map[string]units.Facts, error) {
	saved, _ := loadState(filepath.Join(t.dir, stateName), t.project.Name) // the supervisor tells what is wrong with it
	if saved == nil {
		saved = &units.Saved{}
	}
	names := make([]string, len(t.project.Programs))
	for i, p := range t.project.Programs {
		names[i] = p.Unit
		if !p.Schedule.IsZero() {
			names = append(names, p.TimerUnit())
		}
	}
	list, err := bus.List(ctx, names...)
	if err != nil {
		return nil, nil, err
	}
	found := map[string]units.Facts{}
	for _, f := range list {
		found[f.Unit] = f
	}
	statuses := make([]units.Status, len(t.project.Programs))
	for i, def := range t.project.Programs {
		old, known := saved.Programs[def.Name]
		f, loaded := found[def.Unit]
		statuses[i] = units.Unsupervised(def, t.project.Name, old, known, f, loaded)
		statuses[i].Schedule = units.UnsupervisedSchedule(def, old, found[def.TimerUnit()])
	}
	return statuses, found, nil
}

func (a *app) printStatus(rep control.Report) {
	if len(rep.Programs) == 0 {
		fmt.Fprintln(a.stderr, "msup: no programs")
		return
	}
	now := time.Now()
	header := []string{"PROGRAM", "STATE", "PID", "UPTIME", "RESTARTS", "MEMORY", "CPU", "WHY"}
	spare := []int{2, 6, 4, 5, 3} // PID, CPU, RESTARTS, MEMORY, UPTIME
	grouped := len(rep.Groups) > 0
	if grouped {
		header = slices.Insert(header, 1, "GROUP")
		spare = []int{3, 7, 5, 6, 1, 4}
	}
	probed := slices.ContainsFunc(rep.Programs, func(p control.ProgramReport) bool { return p.Probed })
	if probed {
		at := slices.Index(header, "PID")
		header = slices.Insert(header, at, "HEALTH")
		for i := range spare {
			if spare[i] >= at {
				spare[i]++
			}
		}
	}
	listens := slices.ContainsFunc(rep.Programs, func(p control.ProgramReport) bool { return p.Listen != nil })
	if listens {
		at := slices.Index(header, "PID")
		header = slices.Insert(header, at, "LISTEN")
		for i := range spare {
			if spare[i] >= at {
				spare[i]++
			}
		}
		spare = append([]int{at}, spare...)
	}
	tab := newTable(a.stdout, header...)
	tab.spare, tab.minLast = spare, 24
	for _, p := range rep.Programs {
		cells := []cell{
			plain(p.Name),
			{string(p.State), stateColour(p.State)},
			plain(number(p.PID)), plain(uptime(p, now)),
			plain(restarts(p)), plain(memory(p.Memory)), plain(cpu(p.CPU)), plain(reason(p, now, rep.Supervisor.Active)),
		}
		if probed {
			cells = slices.Insert(cells, 2, health(p))
		}
		if listens {
			at := 2
			if probed {
				at = 3
			}
			cells = slices.Insert(cells, at, plain(listen(p)))
		}
		if grouped {
			cells = slices.Insert(cells, 1, plain(cmp.Or(deref(p.Group), "-")))
		}
		tab.row(cells...)
	}
	tab.flush()
	a.printSlices(rep)
	warnings, project := map[string][]string{}, units.Project{Name: rep.Project}
	for _, p := range rep.Programs {
		warnings[p.Name] = p.Warnings
		project.Programs = append(project.Programs, units.Program{Name: p.Name})
	}
	for _, g := range rep.Groups {
		warnings[subject(rep.Project, units.Slice{Group: g.Name})] = g.Warnings
		project.Groups = append(project.Groups, units.Group{Name: g.Name})
	}
	warnings[subject(rep.Project, units.Slice{})] = deref(rep.Slice).Warnings
	for _, line := range sharedLines(project, warnings) {
		fmt.Fprintf(a.stderr, "warning: %s\n", line)
	}
}

// reason is why a program is in its state, how long it still waits if somebody starts it then,
// and what the definition has to do with it.
func reason(p control.ProgramReport, now time.Time, supervised bool) string {
	text := p.Reason
	// That says how long it waits in all.
	if p.NextStart != nil && supervised {
		if left := p.NextStart.Sub(now).Round(time.Second); left > 0 {
			text += ", " + age(left) + " left"
		}
	}
	if p.Said != nil && p.State == policy.Running {
		text += fmt.Sprintf(", says %q", *p.Said)
	}
	if s := p.Schedule; s != nil {
		text += scheduleWords(*s, p.State, now)
	}
	switch {
	case p.Removed:
		text += " (removed from the configuration)"
	case p.Changed:
		text += " (changed since: msup restart " + p.Name + ")"
	}
	if kills := p.Memory.OOMKills; kills != nil && *kills > 0 && p.State == policy.Running {
		text += fmt.Sprintf(" (%s killed for memory since: msup why %s)", plural(int(*kills), "process was", "processes were"), p.Name)
	}
	if len(p.Overrides) > 0 {
		words := make([]string, len(p.Overrides))
		for i, o := range p.Overrides {
			words[i] = o.Key + "=" + o.Value
		}
		text += " (overridden: " + strings.Join(words, " ") + ")"
	}
	return text
}

func number(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func uptime(p control.ProgramReport, now time.Time) string {
	if p.Active == nil {
		return "-"
	}
	return age(now.Sub(*p.Active))
}

// age formats a duration with two units at most: "5s", "3m20s", "2h05m", "12d03h".
func age(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

func restarts(p control.ProgramReport) string {
	switch {
	case p.NeverRestarted && p.Restarts == 0:
		return "-"
	case p.MaxRestarts == 0:
		return fmt.Sprintf("%d/-", p.Restarts)
	case p.RestartWindow != nil:
		return fmt.Sprintf("%d/%d in %s", p.Restarts, p.MaxRestarts, policy.Words(time.Duration(*p.RestartWindow*float64(time.Second))))
	}
	return fmt.Sprintf("%d/%d", p.Restarts, p.MaxRestarts)
}

func memory(m control.MemoryReport) string {
	switch {
	case m.Current == nil && m.Limit == nil:
		return "-"
	case m.Current == nil:
		return "-/" + units.Limit(*m.Limit)
	case m.Limit == nil:
		return units.Bytes(*m.Current)
	}
	return units.Bytes(*m.Current) + "/" + units.Limit(*m.Limit)
}

func cpu(c control.CPUReport) string {
	if c.Percent == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", *c.Percent)
}

// health is what the probes of a program come to, in a word.
func health(p control.ProgramReport) cell {
	switch {
	case !p.Probed:
		return plain("-")
	case p.State == policy.Starting:
		return plain("not ready")
	case p.State != policy.Running:
		return plain("-")
	case p.Healthy == nil:
		return plain("ready")
	case *p.Healthy:
		return plain("healthy")
	}
	for _, probe := range p.Probes {
		if probe.Of == "alive" {
			return plain(fmt.Sprintf("failing %d/%d", probe.InRow, probe.Threshold))
		}
	}
	return plain("failing")
}

// listen is where systemd listens for a program.
func listen(p control.ProgramReport) string {
	if p.Listen == nil {
		return "-"
	}
	return strings.Join(p.Listen.Addresses, " ")
}
