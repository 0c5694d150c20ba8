package main

import (
	"fmt"
	"strings"

	"msup/config"
	"msup/property"
	"msup/units"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
)

func renderCommand(a *app) *cobra.Command {
	var asRun bool
	var version int
	cmd := &cobra.Command{
		Use:   "render [NAME...]",
		Short: "Print programs as unit files, or as systemd-run lines",
		Long: `Print, for each program of the configuration (all without names; globs and GROUP:* work), the
unit file that is equivalent to what msup sends to systemd. It needs no supervisor and no systemd, and
changes nothing. msup's own part (restarts, probes, output and the like) is in comments: a unit file that
runs without msup is what msup export writes.

With --run each program is one systemd-run line instead, which starts the same, with output
straight to the file. systemd-run gives a program its path as argv[0].

What is sent depends on systemd's version: that of the one that runs, else of the newest
that msup knows, unless --systemd-version says another.

` + exitStatusHelp,
		Example:           "  msup render web\n  msup render --run web\n  msup render --systemd-version 257",
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("systemd-version") && (version < property.Oldest || version > 999) {
				return usageError("--systemd-version takes the number of a version from %d on, got %d", property.Oldest, version)
			}
			return a.render(args, version, asRun)
		},
	}
	cmd.Flags().BoolVar(&asRun, "run", false, "print systemd-run lines")
	cmd.Flags().IntVar(&version, "systemd-version", 0, "print it for this major version `N` of systemd")
	return cmd
}

// written reads the configuration for a command that writes its programs down, and
// chooses some of them and the version of systemd to write for.
func (a *app) written(patterns []string, version int) (*config.Config, []units.Program, int, error) {
	if a.projectName != "" {
		return nil, nil, 0, usageError("this command reads a configuration: name it with -c, not with -p")
	}
	cfg, err := a.readConfig(loadFile)
	if err != nil {
		return nil, nil, 0, err
	}
	if version == 0 {
		if version, err = a.systemdVersion(); err != nil {
			version = property.Newest
		}
	}
	if err := cfg.CheckSystemd(version); err != nil {
		return nil, nil, 0, err
	}
	a.printDiagnostics("warning: ", cfg.Warnings)
	t := &target{project: cfg.Project}
	names, err := match(t.members(), patterns, true)
	if err != nil {
		return nil, nil, 0, err
	}
	var programs []units.Program
	for _, n := range names {
		programs = append(programs, *cfg.Program(n))
	}
	return cfg, programs, version, nil
}

func (a *app) render(patterns []string, version int, asRun bool) error {
	cfg, programs, version, err := a.written(patterns, version)
	if err != nil {
		return err
	}
	joints := map[string]units.Joints{}
	for i, j := range units.JointsOf(cfg.Name, cfg.Programs) {
		joints[cfg.Programs[i].Name] = j
	}
	for i, p := range programs {
		var text string
		rt := units.Runtime{Project: cfg.Name, Version: version, Joints: joints[p.Name]}
		if asRun {
			text, err = runLine(p, rt, a.user)
		} else {
			text, err = renderUnit(p, rt, a.runtimeDir(cfg.Name))
		}
		if err != nil {
			return fmt.Errorf("cannot render program %s: %w", p.Name, err)
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprint(a.stdout, text)
	}
	return nil
}

// renderUnit is the unit file of what is sent to systemd for p.
func renderUnit(p units.Program, rt units.Runtime, dir string) (string, error) {
	rt.Stdout, rt.Stderr = fifosOf(p, dir)
	settings, err := formatted(units.Properties(p, rt))
	if err != nil {
		return "", err
	}
	text := ""
	if p.Listens() {
		text = renderSocket(p, rt.Project) + "\n"
	}
	f := unitFile{own: ownSection(p.Type), settings: settings, notes: map[string]string{}}
	f.head = []string{fmt.Sprintf("%s: program %s, as msup sends it to systemd %d", p.Unit, p.Name, rt.Version)}
	if p.Type == units.Scope {
		f.head = append(f.head, "systemd reads no scopes from unit files; msup starts the program and systemd adopts it")
	}
	if p.Sandbox != "" {
		f.head = append(f.head, "sandbox = "+p.Sandbox)
	}
	f.head = append(f.head, ownPart(p)...)
	f.notes["After"] = "at shutdown msup's supervisor ends last"
	f.notes["Wants"] = "it waits for what it depends on in msup; this tells systemd of the order"
	f.notes["PartOf"] = "other programs depend on it"
	if p.Listens() {
		f.notes["ExecStart"] = "whatever its end: else the socket would start it again at once, and not when msup does"
	}
	f.notes["RemainAfterExit"] = "until msup has seen how it ended"
	for _, line := range describeRules(p) {
		switch line[0] {
		case "restart":
			f.notes["Restart"] = "msup restarts it: " + line[1]
		case "restart on", "never on", "on oom":
			f.notes["Restart"] += "; " + line[0] + " " + line[1]
		}
	}
	for _, out := range []struct{ setting, fifo, file string }{{"StandardOutput", rt.Stdout, p.Stdout}, {"StandardError", rt.Stderr, p.Stderr}} {
		if out.fifo != "" {
			f.notes[out.setting] = "a FIFO; msup takes it to " + sink(out.file, p.Log)
		}
	}
	text += f.String()
	if !p.Schedule.IsZero() {
		text += "\n" + renderTimer(p, rt.Project)
	}
	return text, nil
}

// renderTimer is the timer of a program with a schedule.
func renderTimer(p units.Program, project string) string {
	return unitFile{
		own:  "Timer",
		head: []string{p.TimerUnit() + ": the schedule; msup starts the program when it elapses"},
		settings: append([]property.Setting{
			{Name: "Description", Value: p.TimerDescription()}, {Name: "After", Value: units.SupervisorUnit(project)},
		}, p.Schedule.Settings()...),
	}.String()
}

// ownPart says what of a program no setting of systemd's has.
func ownPart(p units.Program) (out []string) {
	for _, line := range describeRules(p) {
		switch line[0] {
		case "oneshot", "started", "needs", "retry", "ready", "alive", "max age":
			out = append(out, line[0]+": "+line[1])
		}
	}
	for _, a := range units.ActionKinds {
		if h := p.Actions.Of(a.Kind); h != nil {
			out = append(out, a.Key+": "+hookText(*h)+", in a unit of its own")
		}
	}
	return out
}

// runLine is the systemd-run(1) line that starts the same as msup would.
func runLine(p units.Program, rt units.Runtime, user bool) (string, error) {
	settings, err := formatted(units.Properties(p, rt))
	if err != nil {
		return "", err
	}
	words := []string{"systemd-run", "--unit=" + p.Unit}
	if user {
		words = append(words, "--user")
	}
	if p.Listens() {
		words = append(words, socketFlags(p, rt.Project)...) // systemd-run only listens then
	}
	argv := p.Argv
	switch {
	case p.Type == units.Scope:
		words = append(words, "--scope")
		words = append(words, scopeFlags(p)...)
	case rt.Version >= 254:
		words = append(words, "--expand-environment=no")
	default:
		argv = make([]string, len(p.Argv)) // systemd expands variables in it
		for i, arg := range p.Argv {
			argv[i] = strings.ReplaceAll(arg, "$", "$$")
		}
	}
	settings = drop(settings, "ExecStart")
	if p.Type != units.Scope {
		settings = put(settings, "StandardOutput", appendTo(p.Stdout))
		settings = put(settings, "StandardError", appendTo(p.Stderr))
	}
	for _, s := range settings {
		s = s.Literal()
		words = append(words, "--property="+s.Name+"="+s.Value)
	}
	words = append(append(words, "--", p.Path), argv[1:]...)
	line := shellquote.Join(words...) + "\n"
	if p.Type == units.Scope {
		line = "cd " + shellquote.Join(p.Directory) + " && " + line
	}
	name := p.Name
	if !p.Schedule.IsZero() {
		name += ", which msup starts by its schedule: " + p.Schedule.String()
	}
	return fmt.Sprintf("# %s\n%s", name, line), nil
}

// scopeFlags are those of systemd-run for what it does itself before it executes a program.
func scopeFlags(p units.Program) []string {
	var flags []string
	if p.User != "" {
		flags = append(flags, "--uid="+p.User)
	}
	if p.Group != "" {
		flags = append(flags, "--gid="+p.Group)
	}
	if p.Limits.Nice != nil {
		flags = append(flags, fmt.Sprintf("--nice=%d", *p.Limits.Nice))
	}
	for _, e := range p.Environment {
		flags = append(flags, "--setenv="+e)
	}
	return flags
}
