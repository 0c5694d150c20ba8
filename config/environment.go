package config

import (
	"slices"
	"strings"
)

// This file has what a program gets of the environment of who runs msup, which is nothing
// unless the configuration names it.

// lookup finds a variable of msup's own environment, and notes its name.
func (l *loader) lookup(name string) (string, bool) {
	if !slices.Contains(l.cfg.Environment, name) {
		l.cfg.Environment = append(l.cfg.Environment, name)
	}
	return l.host.lookupEnv(name)
}

// variable is the value of {{env NAME}} behind the text before.
func (f filling) variable(name, before string) (string, error) {
	if !variable.MatchString(name) {
		return "", hinted("write for example {{env PORT}}", "%s is no name of a variable", quote(name))
	}
	value, ok := f.lookup(name)
	if !ok {
		return "", hinted("set it where msup runs; a supervisor has the environment of the msup up that has started it", "the variable %s is not set", name)
	}
	if msg := unprintable(value); msg != "" {
		return "", hinted("", "the variable %s %s", name, msg)
	}
	if !f.words {
		return value, nil
	}
	switch openQuote(before) {
	case '\'':
		return strings.ReplaceAll(value, "'", `'\''`), nil
	case '"':
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value), nil
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'", nil
}

// setPassEnvironment notes names of variables; [draft.pass] gives the program their values.
func setPassEnvironment(t *target, s setting) error {
	for _, name := range listWords(s.value) {
		if !variable.MatchString(name) {
			if key, _, ok := strings.Cut(name, "="); ok && variable.MatchString(key) {
				return hinted("write environment = "+name, "%s has a value", quote(name))
			}
			return hinted("use names, for example "+s.key.Example, "%s is no name of a variable", quote(name))
		}
		t.prog.passed = append(t.prog.passed, passed{name, s})
	}
	return nil
}

// passed is a variable that is to be handed on.
type passed struct {
	name string
	at   setting
}

// pass hands variables of msup's own environment on to a program. What it has of its own wins,
// and one that is not set is left out.
func (l *loader) pass(t *target) {
	for _, p := range t.prog.passed {
		value, ok := l.lookup(p.name)
		if _, own := t.prog.variables[p.name]; own || !ok {
			continue
		}
		if msg := unprintable(value); msg != "" {
			t.warn(p.at, p.name+" is left out: its value "+msg, "write it into an env_file")
			continue
		}
		t.prog.variables[p.name] = p.at
		t.prog.Environment = append(t.prog.Environment, p.name+"="+value)
	}
}
