package convert

import (
	"slices"
	"strings"
)

// This file has what a process of process-compose executes.

// command runs a text by the shell of the project.
func (p *pcProcess) command(o *outcome, n *node) {
	text := n.text
	if !n.isScalar() {
		o.fail("write the command as one text, or entrypoint as a list of words", "it is %s", n.kindWords())
		return
	}
	if p.value.get("is_template_disabled").isTrue() {
		text = strings.NewReplacer(markBegin, "", markEnd, "").Replace(text)
	} else {
		text = p.render(o, n)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	p.run(o, text)
	if p.value.get("entrypoint") != nil {
		o.change("it wins over entrypoint")
	}
}

// run sets the command to a text for the shell.
func (p *pcProcess) run(o *outcome, text string) {
	var vars []envVar
	if !isDaemon(p.value) {
		vars, text = assignments(p.shell[0], p.shell[1], text)
	}
	argv, changed := shellWords(p.shell[0], p.shell[1], text)
	if isDaemon(p.value) {
		argv, changed = p.staying(text)
	}
	if changed != "" {
		o.change("%s", changed)
	}
	p.setCommand(o, argv)
	if len(vars) > 0 {
		o.became(p.s, "environment")
	}
}

// assigned are the variables that the command sets for itself.
func (p *pcProcess) assigned() []envVar {
	n := p.value.get("command")
	if !n.isScalar() || isDaemon(p.value) {
		return nil
	}
	text := n.text
	if !p.value.get("is_template_disabled").isTrue() {
		var err error
		if text, err = renderTemplate(text, p.values()); err != nil {
			return nil // as the command says
		}
	}
	vars, _ := assignments(p.shell[0], p.shell[1], strings.TrimSpace(text))
	return vars
}

func (p *pcProcess) setCommand(o *outcome, argv []string) {
	defer o.passed(p.s, argv, p.has)
	defer o.sigPipe(p.s, argv)
	argv, changed := oneLineWords(argv)
	if changed != "" {
		o.change("%s", changed)
	}
	o.set(p.s, "command", words(p.env.command(markedWords(argv))...))
}

// has reports whether the program has a variable.
func (p *pcProcess) has(name string) bool {
	return p.final[name] || slices.Contains(inherited, name) || slices.Contains([]string{"PC_PROC_NAME", "PC_REPLICA_NUM"}, name)
}

func markedWords(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = withMarks(s)
	}
	return out
}

// entrypoint runs words without a shell.
func (p *pcProcess) entrypoint(o *outcome, n *node) {
	if n.kind != listNode {
		o.fail("write a list of words", "it is %s", n.kindWords())
		return
	}
	if !p.value.get("command").isEmptyScalar() {
		o.drop("command wins over it", "")
		return
	}
	var argv []string
	for _, item := range n.items {
		argv = append(argv, item.String())
	}
	switch {
	case len(argv) == 0:
	case isDaemon(p.value):
		p.setCommand(o, stayingWords(argv...))
	default:
		p.setCommand(o, argv)
	}
}
