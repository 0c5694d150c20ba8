package explain

import (
	"fmt"
	"slices"
	"time"

	"msup/policy"
	"msup/units"
)

// look lists commands that tell more, for the manager that the unit belongs to.
func look(f Facts) []Command {
	user := ""
	if f.User {
		user = "--user "
	}
	unit := f.Program.Unit
	out := []Command{{"systemctl " + user + "status " + unit, "the unit now, its processes, its last lines"}}
	e := f.last()
	switch {
	case e != nil && e.Invocation != "":
		out = append(out, Command{journalOf(f, e.Invocation), "what systemd said of that run" + ownLines(f.Program, f.Last.Output)})
	case f.Invocation != "":
		out = append(out, Command{journalOf(f, f.Invocation), "what systemd says of this run" + ownLines(f.Program, nil)})
	}
	if e != nil && !e.Started.IsZero() {
		// journalctl takes whole seconds for the end of a span as their beginning.
		from, to := e.Started.In(f.Now.Location()), e.Ended.Add(time.Second).In(f.Now.Location())
		out = append(out, Command{
			fmt.Sprintf("journalctl %s-u %s --since '%s' --until '%s'", user, unit, from.Format(time.DateTime), to.Format(time.DateTime)),
			"output, systemd and msup of that time",
		})
	} else {
		out = append(out, Command{"journalctl " + user + "-u " + unit, "output, systemd and msup"})
	}
	if f.Program.Stdout != "" || f.Program.Stderr != "" {
		out = append(out, Command{"msup logs -n 100 " + f.Program.Name, "the files of its output, the rotated ones too"})
	}
	if e != nil && e.Exit.Cause == policy.CauseCoreDump && f.Last.Core.Coredumpctl {
		out = append(out, Command{coreCommand(f, *e), "the core dump: where it is, and the stack"})
	}
	if e != nil && (e.Exit.Cause == policy.CauseOOM || e.Exit.Cause == policy.CauseSignal && e.Exit.Signal == 9 && e.During == policy.Running) {
		out = append(out, Command{"journalctl -k --grep='oom|Killed process'", "what the kernel killed for memory, and what all processes had"})
	}
	return append(out, Command{"systemctl " + user + "show " + unit, "every property, Result and limits among them"})
}

// journalOf finds the lines of one run: those of its processes, and those of systemd about it.
func journalOf(f Facts, invocation string) string {
	if f.User {
		return fmt.Sprintf("journalctl --user _SYSTEMD_INVOCATION_ID=%s + USER_INVOCATION_ID=%s", invocation, invocation)
	}
	return fmt.Sprintf("journalctl _SYSTEMD_INVOCATION_ID=%s + INVOCATION_ID=%s", invocation, invocation)
}

// ownLines says whether the program's own lines are among those of its run: lines from
// files are sent by the supervisor.
func ownLines(p units.Program, last []Output) string {
	if slices.ContainsFunc(last, func(o Output) bool { return o.ByTime }) {
		return ""
	}
	if p.Stdout == "" || p.Stderr == "" {
		return ", and its output"
	}
	return ""
}
