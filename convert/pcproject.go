package convert

import "strings"

// projectKey is a key of the whole project, and what becomes of it. One without a function has
// no effect.
type projectKey struct {
	name         string
	convert      func(pc *pcProject, o *outcome, n *node)
	why, instead string
}

// pcProjectKeys are all keys beside processes.
func pcProjectKeys() []projectKey {
	terminal := "it is about process-compose's own terminal"
	return []projectKey{
		{name: "version", convert: keep},
		{name: "name", convert: keep}, // see convert
		{name: "extends", convert: keep},
		{name: "disable_env_expansion", convert: keep},
		{name: "is_strict", convert: func(_ *pcProject, o *outcome, _ *node) { o.change("an unknown key is told in the report") }},
		{name: "vars", convert: func(pc *pcProject, o *outcome, n *node) {
			pc.vars = valuesOf(n)
			o.change("they are replaced by their values")
		}},
		{name: "shell", convert: (*pcProject).shellKey},
		{name: "environment", convert: (*pcProject).environmentKey},
		{name: "log_location", convert: func(pc *pcProject, o *outcome, n *node) {
			o.Became = []string{"stdout = " + pc.path(pc.below(n.String()))}
			o.change("lines are written as they come, with the program's name before them, not as JSON")
		}},
		{name: "log_configuration", convert: func(pc *pcProject, o *outcome, _ *node) {
			if pc.root.get("log_location") == nil {
				o.drop("there is no log_location: output is in the journal", "")
			}
		}},
		{name: "log_level", why: "msup writes each change of a state"},
		{name: "log_length", why: "logs are in files and the journal", instead: "msup logs -n"},
		{name: "log_format", why: terminal},
		{name: "is_tui_disabled", why: terminal},
		{name: "ordered_shutdown", convert: func(_ *pcProject, o *outcome, n *node) {
			if !n.isTrue() {
				o.change("programs are always stopped after those that depend on them")
			}
		}},
		{name: "env_cmds", why: "msup runs no commands to read a configuration", instead: "write them into a script that sets the variables and then executes the program"},
		{name: "mcp_server", why: "msup has no server for language models"},
	}
}

func keep(*pcProject, *outcome, *node) {}

func (pc *pcProject) shellKey(o *outcome, n *node) {
	if n.kind != mapNode {
		o.fail("write shell_command and shell_argument below it", "it is %s", n.kindWords())
		return
	}
	if s := n.get("shell_command"); s != nil {
		pc.shell[0] = s.String()
		pc.shell[1] = n.get("shell_argument").String()
	}
	if n.get("elevated_shell_command") != nil {
		o.change("programs are not run by sudo")
	}
}

// environmentKey gives all programs the variables of the project.
func (pc *pcProject) environmentKey(o *outcome, n *node) {
	defaults := pc.document.section(defaultsSection, "", o.place)
	for _, v := range o.variables(defaults, n) {
		o.place.Line = v.line
		defaults.unsetVariable(v.name)
		o.set(defaults, "environment", variable(v.name, withMarks(v.value)))
	}
}

// variables reads a list of KEY=value. A name alone changes nothing for process-compose, whose programs have all
// of its environment; here it is passed on.
func (o *outcome) variables(s *Section, n *node) []envVar {
	switch n.kind {
	case listNode:
	case nullNode:
		return nil
	default:
		o.fail("environment is a list of KEY=value", "it is %s", n.kindWords())
		return nil
	}
	for _, item := range n.items {
		name, _, set := strings.Cut(item.String(), "=")
		switch {
		case !item.isScalar():
			at := *o
			at.place = item.place
			at.fail("environment is a list of KEY=value", "%s is %s", clip(item.String()), item.kindWords())
		case !shellName.MatchString(name):
			o.drop(clip(name)+" is no name for a variable", "")
		case !set:
			o.pass(s, name)
			o.change("%s without a value is that of the environment of msup up", name)
		}
	}
	return variablesOf(n)
}

// variablesOf are the variables of a list of KEY=value.
func variablesOf(n *node) []envVar {
	if n == nil {
		return nil
	}
	var vars []envVar
	for _, item := range n.items {
		name, value, ok := strings.Cut(item.text, "=")
		if ok && item.isScalar() && shellName.MatchString(name) {
			vars = append(vars, envVar{name, value, item.place.Line})
		}
	}
	return vars
}
