package convert

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"msup/config"
)

// command is split here, as Python does, and written so that msup splits it in the same way.
func (p *program) command(k *iniKey) {
	c := p.supervisord
	value, ok := c.expand(k, p.x)
	if !ok {
		return
	}
	argv, err := splitCommand(value)
	if err == nil && (len(argv) == 0 || argv[0] == "") {
		err = fmt.Errorf("the command is empty")
	}
	if err != nil {
		c.wrong(k, err)
		return
	}
	why := ""
	for i, arg := range argv {
		if strings.ContainsAny(arg, "\n\r") {
			argv[i], why = joinLines(arg), "a line break in an argument is written as the shell would read it on one line"
		}
		argv[i] = template(argv[i])
	}
	lines := c.put(p.out, k, "command", words(argv...))
	if lines == nil {
		c.fail(k.place, config.Diagnostic{Section: k.section, Key: k.name, Message: "the command cannot be written: " + c.entries[k].Why, Hint: "put it into a script"})
		return
	}
	if passed := p.needs(argv); passed != nil {
		_ = p.out.set(k.place, "pass_environment", strings.Join(passed, " "))
		lines = append(lines, "pass_environment = "+strings.Join(passed, " "))
		switch {
		case len(passed) > 1 || passed[0] != "PATH":
			why = "the shell reads variables that are not set here: they come from the environment of msup up"
		case why == "":
			why = "what it runs is looked for in the PATH of msup up"
		}
	}
	v := Kept
	if why != "" {
		v = Changed
	}
	c.note(k, v, lines, why, "")
}

// lineEnd is what stands at the end of a line that goes on on the next one.
var lineEnd = regexp.MustCompile(`(&&|\|\||[|;({]|\b(then|do|else))$`)

// joinLines puts the lines of a shell's script into one.
func joinLines(script string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.ReplaceAll(script, "\r", "\n"), "\n") {
		line = strings.TrimSpace(line)
		switch before := b.String(); {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case before == "":
		case strings.HasSuffix(before, `\`):
			b.Reset()
			b.WriteString(strings.TrimRight(strings.TrimSuffix(before, `\`), " \t") + " ")
		case lineEnd.MatchString(before):
			b.WriteByte(' ')
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

var (
	shell = regexp.MustCompile(`^(ba|da|z|k|a)?sh$`)
	// ofShell is a variable that a script reads.
	ofShell = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)
	// assigned is one that a script sets itself.
	assigned = regexp.MustCompile(`(?:^|[\s;&|(])(?:export\s+|local\s+|read\s+(?:-r\s+)?|for\s+)?([A-Za-z_][A-Za-z0-9_]*)(?:=|\s+in\s)|(?:read|for)\s+(?:-r\s+)?([A-Za-z_][A-Za-z0-9_]*)`)
)

// ofUser are variables that systemd sets for a program with a user, and the system manager
// for no other (systemd.exec(5), "Environment Variables in Spawned Processes").
var ofUser = []string{"HOME", "USER", "LOGNAME", "SHELL"}

// given are variables that systemd or the shell sets.
var given = []string{
	"PATH", "PWD", "OLDPWD", "IFS", "PPID", "UID", "EUID", "RANDOM", "SECONDS", "HOSTNAME",
	"LINENO", "BASH", "BASHPID", "BASH_SOURCE", "BASH_VERSION", "OPTARG", "OPTIND", "REPLY", "LANG", "MAINPID",
	"SUPERVISOR_ENABLED", "SUPERVISOR_PROCESS_NAME", "SUPERVISOR_GROUP_NAME",
}

// needs are the variables that a command reads and nobody sets: PATH, where something is looked
// for, and those of a script for a shell.
func (p *program) needs(argv []string) []string {
	c := p.supervisord
	hasUser := c.keyOf(p.section, "user") != nil || c.document.find(defaultsSection, "").get("user") != ""
	var names []string
	need := func(name string) {
		set := func(e pair) bool { return e.name == name }
		if hasUser && slices.Contains(ofUser, name) || slices.ContainsFunc(p.env, set) || slices.ContainsFunc(c.shared, set) || slices.Contains(names, name) {
			return
		}
		names = append(names, name)
	}
	// env, gosu and the like may stand before the shell.
	at := slices.IndexFunc(argv, func(s string) bool { return shell.MatchString(path.Base(s)) })
	if at >= 0 || !strings.Contains(argv[0], "/") || path.Base(argv[0]) == "env" {
		need("PATH")
	}
	if at < 0 {
		return names
	}
	for i := at + 1; i+1 < len(argv); i++ {
		if !strings.HasPrefix(argv[i], "-") || !strings.HasSuffix(argv[i], "c") {
			continue
		}
		script := argv[i+1]
		own := map[string]bool{}
		for _, m := range assigned.FindAllStringSubmatch(script, -1) {
			own[m[1]+m[2]] = true
		}
		for _, m := range ofShell.FindAllStringSubmatch(script, -1) {
			if !own[m[1]] && !slices.Contains(given, m[1]) {
				need(m[1])
			}
		}
		break
	}
	return names
}
