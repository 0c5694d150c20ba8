package main

import (
	"fmt"
	"os"
	"strings"

	"msup/policy"
	"msup/property"
	"msup/units"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
)

func checkCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and show what would run",
		Long: `Read the configuration as msup up does, report every problem with its file and line, and
print what would run. Nothing is started.

` + exitStatusHelp,
		Example: "  msup check\n  msup check -c /etc/shop/msup.conf",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.projectName != "" {
				return usageError("msup check reads a configuration: name it with -c, not with -p")
			}
			cfg, err := a.loadConfig()
			if err != nil {
				return err
			}
			a.printDiagnostics("warning: ", cfg.Warnings)
			if need := cfg.NeedsSystemd(); need > property.Oldest {
				if _, err := a.systemdVersion(); err != nil {
					fmt.Fprintf(a.stderr, "warning: some settings go by systemd's version, up to %d, and none answers here to be asked for it\n", need)
				}
			}
			a.printProject(cfg.Project)
			return nil
		},
	}
}

func (a *app) printProject(p units.Project) {
	fmt.Fprintf(a.stdout, "project %s: supervisor %s, slice %s, transition log %s\n",
		p.Name, units.SupervisorUnit(p.Name), units.SliceName(p.Name), orNone(p.Logfile))
	if l := limitWords(p.Limits); l != "" {
		fmt.Fprintf(a.stdout, "  %-10s %s, of all programs together\n", "limits", l)
	}
	for _, g := range p.Groups {
		fmt.Fprintf(a.stdout, "\ngroup %s  (%s)\n", g.Name, units.GroupSlice(p.Name, g.Name))
		fmt.Fprintf(a.stdout, "  %-10s %s\n", "programs", strings.Join(basesOf(p.Members(g.Name)), ", "))
		if l := limitWords(g.Limits); l != "" {
			fmt.Fprintf(a.stdout, "  %-10s %s, of these together\n", "limits", l)
		}
	}
	for _, prog := range p.Programs {
		// Instances differ in what stands in braces: the first one shows it.
		switch t := p.Template(prog.Base); {
		case prog.Instance > 1:
			continue
		case t != nil && t.Count() > 1:
			last := p.Program(units.InstanceName(t.Name, t.Count()))
			fmt.Fprintf(a.stdout, "\n%s to %s, the first of %d instances:  (%s to %s)\n", prog.Name, last.Name, t.Count(), prog.Unit, last.Unit)
		default:
			fmt.Fprintf(a.stdout, "\n%s  (%s)\n", prog.Name, prog.Unit)
		}
		for _, line := range describeProgram(prog) {
			fmt.Fprintf(a.stdout, "  %-10s %s\n", line[0], line[1])
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// describeProgram lists what a program would run with, leaving out what is not configured.
func describeProgram(p units.Program) [][2]string {
	var out [][2]string
	add := func(name, format string, args ...any) {
		out = append(out, [2]string{name, fmt.Sprintf(format, args...)})
	}
	add("command", "%s", shellquote.Join(append([]string{p.Path}, p.Argv[1:]...)...))
	if p.InGroup != "" {
		add("group", "%s", p.InGroup)
	}
	add("directory", "%s", p.Directory)
	if p.User != "" || p.Group != "" {
		add("user", "%s", strings.TrimSuffix(p.User+":"+p.Group, ":"))
	}
	for _, e := range p.Environment {
		add("environ", "%s", shellquote.Join(e))
	}
	for _, f := range p.EnvFiles {
		add("env_file", "%s%s", f.Path, map[bool]string{true: " (optional)"}[f.Optional])
	}
	start := "with msup up"
	if !p.Autostart {
		start = "by hand"
	}
	if !p.Schedule.IsZero() {
		start = "by its schedule, from " + map[bool]string{true: "msup up", false: "msup start"}[p.Autostart] + " on"
	}
	if p.Listens() {
		add("listen", "%s", listenWords(p))
	}
	if p.Listen.OnDemand {
		start += ", by the first connection"
		if p.Listen.IdleStop > 0 {
			start += fmt.Sprintf("; stopped after %s without one", policy.Words(p.Listen.IdleStop))
		}
	}
	add("start", "%s", start)
	out = append(out, describeRules(p)...)
	for _, list := range p.Hooks.Lists() {
		for _, h := range list.Hooks {
			name := strings.ReplaceAll(strings.TrimSuffix(list.Key, "_command"), "_", " ")
			if list.Key == "stop_command" {
				name = "stop by"
			}
			add(name, "%s", hookText(h))
		}
	}
	for _, a := range units.ActionKinds {
		if h := p.Actions.Of(a.Kind); h != nil {
			add(strings.ReplaceAll(strings.TrimSuffix(a.Key, "_command"), "_", " "), "run %s", hookText(*h))
		}
	}
	add("stop", "%s, SIGKILL after %s", signalWord(p.StopSignal), p.StopTimeout)
	if l := limitWords(p.Limits); l != "" {
		add("limits", "%s", l)
	}
	if p.Sandbox != "" {
		add("sandbox", "%s", p.Sandbox)
	}
	for _, s := range p.Systemd {
		add("systemd", "%s=%s", s.Name, s.Value)
	}
	if p.Stdout == p.Stderr && p.Stdout != "" {
		add("output", "%s", sink(p.Stdout, p.Log))
	} else {
		add("stdout", "%s", sink(p.Stdout, p.Log))
		add("stderr", "%s", sink(p.Stderr, p.Log))
	}
	if isFile(p.Stdout) || isFile(p.Stderr) {
		add("logs", "%s", rotationWords(p.Log))
	}
	return out
}

// hookText is a hook as it would be written, with the path that was found.
func hookText(h units.Hook) string {
	text := shellquote.Join(append([]string{h.Path}, h.Argv[1:]...)...)
	if h.MayFail {
		text += " (may fail)"
	}
	return text
}

func isFile(output string) bool { return output != "" && output != os.DevNull }

func sink(output string, log units.Log) string {
	switch {
	case output == "":
		return "the journal"
	case output == os.DevNull:
		return "nowhere"
	case log.NoJournal:
		return output
	}
	return output + " and the journal"
}

func rotationWords(log units.Log) string {
	if log.MaxSize == 0 {
		return "rotated only by msup rotate, " + backupWords(log)
	}
	return "rotated at " + units.Limit(log.MaxSize) + ", " + backupWords(log)
}

func backupWords(log units.Log) string {
	words := plural(log.Backups, "backup", "backups")
	if log.MaxAge > 0 {
		words += fmt.Sprintf(" of at most %s", strings.TrimSuffix(age(log.MaxAge), "00h"))
	}
	if log.TotalMax > 0 {
		words += ", at most " + units.Limit(log.TotalMax) + " together"
	}
	if log.MinFree > 0 {
		words += ", " + units.Limit(log.MinFree) + " left free"
	}
	return words
}

func limitWords(l units.Limits) string {
	var words []string
	size := func(name string, v *uint64) {
		if v != nil {
			words = append(words, name+" "+units.Limit(*v))
		}
	}
	plainNumber := func(name string, v *uint64) {
		switch {
		case v == nil:
		case *v == units.Infinity:
			words = append(words, name+" infinity")
		default:
			words = append(words, fmt.Sprintf("%s %d", name, *v))
		}
	}
	size("memory", l.MemoryMax)
	size("memory_high", l.MemoryHigh)
	size("swap", l.SwapMax)
	if l.CPUPercent != nil && *l.CPUPercent != units.Infinity {
		words = append(words, fmt.Sprintf("cpu %g", float64(*l.CPUPercent)/100))
	}
	plainNumber("cpu_weight", l.CPUWeight)
	plainNumber("io_weight", l.IOWeight)
	plainNumber("tasks", l.TasksMax)
	plainNumber("nofile", l.NoFile)
	if l.Nice != nil {
		words = append(words, fmt.Sprintf("nice %d", *l.Nice))
	}
	if l.OOMScoreAdjust != nil {
		words = append(words, fmt.Sprintf("oom_score_adjust %d", *l.OOMScoreAdjust))
	}
	return strings.Join(words, ", ")
}
