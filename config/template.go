package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"msup/units"
)

// What stands in double braces is replaced, so that each instance of a program can have its own.

// templated reports whether {{…}} is replaced in values of the key: in commands, paths and
// other words and texts, not in numbers and fixed words.
func (k Key) templated() bool {
	switch {
	case k.Section != programSection:
		return false
	case k.Kind == Words, k.Kind == Path, k.Kind == Systemd:
		return true
	}
	return k.Name == "log_prefix" || k.Name == "description" || k.Name == scheduleKey
}

const (
	openBraces, closeBraces = "{{", "}}"
	maxPort                 = 65535
)

// filling is what double braces stand for.
type filling struct {
	program  string
	instance int
	lookup   func(name string) (string, bool) // a variable of msup's own environment
	words    bool                             // the value is split into words
}

// fillIn replaces {{instance}}, {{program}}, {{port N}} and {{env NAME}} in a value; {{{{
// stands for {{. It is done before the value is split into words, so that {{port 8000}} is one
// of them; names and numbers hold nothing that would be split or quoted, and what comes from
// the environment is quoted as it must be where it stands.
func (f filling) fillIn(text string) (string, error) {
	if !strings.Contains(text, openBraces) {
		return text, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, openBraces)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if after, literal := strings.CutPrefix(rest, openBraces); literal {
			b.WriteString(openBraces)
			text = after
			continue
		}
		// Of three the first stands for itself.
		if after, three := strings.CutPrefix(rest, "{"); three {
			b.WriteByte('{')
			rest = after
		}
		inner, after, closed := strings.Cut(rest, closeBraces)
		if !closed {
			return "", hinted("close it with }}; "+literalBraces, "%s is not closed", quote(openBraces+rest))
		}
		value, err := f.braced(strings.Trim(inner, blank), b.String())
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = after
	}
}

const literalBraces = "a literal {{ is written {{{{"

// braced is the value of what stands between braces, behind the text before.
func (f filling) braced(inner, before string) (string, error) {
	word, arg, _ := strings.Cut(inner, " ")
	arg = strings.Trim(arg, blank)
	switch {
	case word == "port":
		first, err := strconv.ParseUint(arg, 10, 16)
		if err != nil || first == 0 {
			return "", hinted("write the port of the first instance, for example {{port 8000}}", "%s is not a port from 1 to %d", quote(arg), maxPort)
		}
		port := int(first) + f.instance - 1
		if port > maxPort {
			return "", hinted("begin lower, or have fewer instances", "port %d of instance %d is above %d", port, f.instance, maxPort)
		}
		return strconv.Itoa(port), nil
	case word == "instance" && arg != "":
		// As wide as the first one is written: 00, 01 …
		first, err := strconv.ParseUint(arg, 10, 31)
		if err != nil || arg[0] < '0' || arg[0] > '9' {
			return "", hinted("write the number of the first instance, for example {{instance 00}}", "%s is not a number", quote(arg))
		}
		return fmt.Sprintf("%0*d", len(arg), int(first)+f.instance-1), nil
	case word == "env":
		return f.variable(arg, before)
	case word == "program" && arg != "":
		return "", hinted("write {{program}}", "{{program}} takes nothing behind it")
	case word == "instance":
		return strconv.Itoa(f.instance), nil
	case word == "program":
		return f.program, nil
	}
	hint := "known are {{instance}}, {{program}}, {{port 8000}} and {{env NAME}}"
	if near := Suggest(word, []string{"instance", "program", "port", "env"}); near == "port" {
		hint = "did you mean {{port 8000}}?"
	} else if near == "env" {
		hint = "did you mean {{env NAME}}?"
	} else if near != "" {
		hint = "did you mean {{" + near + "}}?"
	}
	return "", hinted(hint+"; "+literalBraces, "{{%s}} stands for nothing", clip(inner))
}

// filledIn is a setting with its value for an instance. Messages show it as it is written.
func (l *loader) filledIn(s setting, program string, instance int) (setting, error) {
	if !s.key.templated() {
		return s, nil
	}
	value, err := filling{program, instance, l.lookup, s.key.Kind == Words}.fillIn(s.value)
	if err == nil && value != s.value {
		s.value, s.asWritten = value, s.value
	}
	return s, err
}

// fillIn replaces what stands in braces in the settings of a program. One that cannot be
// read is reported, and left out.
func (l *loader) fillIn(d *draft) {
	program, instance := d.which()
	var all []setting
	d.given = map[string]setting{}
	for _, s := range d.all {
		filled, err := l.filledIn(s, program, instance)
		if err != nil {
			// Of [defaults] it has been reported, unless it is about this instance.
			if s.section != defaultsSection || instance > 1 {
				l.report(s.src, s.wrong(err))
			}
			d.given[s.key.Name] = s
			continue
		}
		all = append(all, filled)
		d.given[s.key.Name] = filled
	}
	d.all = all
}

// which is what {{program}} and {{instance}} stand for.
func (d *draft) which() (program string, instance int) {
	if d.Base == "" {
		return d.Name, 1
	}
	return d.Base, d.Instance
}

// instancesKey says how many instances there are. It is no setting of any of them: more or
// fewer instances are no change of the others.
const instancesKey = "instances"

func setInstances(t *target, s setting) error {
	n, err := parseInt(s.value, 0, units.MaxInstances)
	t.prog.instances = int(n)
	return err
}

// split makes the instances of the programs that have any.
func (l *loader) split() {
	var all []*draft
	for _, d := range l.programs {
		if s, ok := d.given[instancesKey]; ok {
			t := &target{loader: l, prog: d, quiet: s.section == defaultsSection}
			t.apply(s)
			d.all = slices.DeleteFunc(d.all, func(s setting) bool { return s.key.Name == instancesKey })
			delete(d.given, instancesKey)
		}
		if d.instances == 0 || !d.good {
			all = append(all, d)
			continue
		}
		l.cfg.Templates = append(l.cfg.Templates, d.template())
		for i := range d.instances {
			all = append(all, l.instance(d, i+1))
		}
	}
	l.programs = all
}

// instance is the draft of an instance of a program.
func (l *loader) instance(d *draft, n int) *draft {
	out := l.newDraft(d.Name, d.header)
	out.InGroup, out.all, out.good = d.InGroup, d.all, d.good
	out.Name, out.Base, out.Instance = units.InstanceName(d.Name, n), d.Name, n
	return out
}

func (d *draft) template() units.Template {
	t := units.Template{Name: d.Name, Instances: d.instances, File: d.header.src.path, Line: d.header.line, InGroup: d.InGroup}
	for _, s := range d.all {
		t.Settings = append(t.Settings, units.TemplateSetting{
			Setting: units.Setting{Key: s.key.Name, Value: s.value},
			File:    s.src.path, Line: s.line, Defaults: s.section == defaultsSection,
		})
	}
	return t
}

// fillAll completes the programs. What is wrong with one line of a program is said of its
// first instance for which it is.
func (l *loader) fillAll() {
	errors, warnings := 0, 0 // where those of the program begin
	for _, d := range l.programs {
		if d.Instance <= 1 {
			errors, warnings = len(l.errors), len(l.warnings)
			l.fill(d)
			continue
		}
		e, w := len(l.errors), len(l.warnings)
		l.fill(d)
		l.errors, l.warnings = unsaid(l.errors, errors, e), unsaid(l.warnings, warnings, w)
	}
}

// unsaid drops those of ps[from:] whose line ps[begin:from] is about too.
func unsaid(ps []problem, begin, from int) []problem {
	said := ps[begin:from]
	return append(ps[:from], slices.DeleteFunc(ps[from:], func(p problem) bool {
		return slices.ContainsFunc(said, func(q problem) bool {
			return p.source == q.source && p.Line == q.Line && p.Key == q.Key
		})
	})...)
}
