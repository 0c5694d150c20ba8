package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"msup/units"
)

// Settable are the keys that [Override] takes.
func Settable() []string {
	var names []string
	for i := range keys {
		if k := &keys[i]; k.Section == programSection && k.Live() && k.Kind != Path && k.Name != instancesKey {
			names = append(names, k.Name)
		}
	}
	return names
}

// Override returns p with a key set to another value, on top of what the configuration says
// ([units.Program.Overrides]), and what there is to warn of. Only keys that take effect while
// the program runs can be set, paths and commands excepted. The error is an [*Error].
func Override(p units.Program, key, value string) (units.Program, []Diagnostic, error) {
	l := &loader{host: newHost(), cfg: &Config{}}
	src := l.takeSource("", "msup set", &scanned{})
	section := programSection + " " + p.Name
	fail := func(message, hint string) (units.Program, []Diagnostic, error) {
		d := Diagnostic{File: src.shown, Section: section, Key: key, Value: value, Message: message, Hint: hint}
		return p, nil, &Error{Diagnostics: []Diagnostic{d}}
	}
	k := keyOf(programSection, key)
	switch {
	case k == nil:
		return fail("unknown key", unknownKeyHint(programSection, key))
	case k.Name == instancesKey:
		return fail("instances are not set one by one", "msup scale "+cmp.Or(p.Base, p.Name)+"="+value+" changes their number")
	case k.Live() && (k.Kind == Path || k.Kind == Words):
		return fail("msup set takes no commands, paths and lists of names", "change the configuration; msup reload applies it while the program runs")
	case !k.Live() || (k.Name == journalRateKey && !throughUs(p)):
		return fail("this cannot change while the program runs", "change the configuration; msup reload applies it")
	case value == "":
		return fail("the value is empty", "write for example "+key+"="+k.Example)
	}
	here := setting{src: src, section: section, key: k, value: value}
	d := l.inForce(p, here)
	program, instance := d.which()
	here, err := l.filledIn(here, program, instance)
	if err != nil {
		wrong := here.wrong(err)
		return fail(wrong.Message, wrong.Hint)
	}
	d.given[key] = here
	t := &target{loader: l, prog: d}
	// What follows from other keys does so anew.
	if _, ok := d.given["swap_limit"]; !ok {
		d.Limits.SwapMax = nil
	}
	if _, ok := d.given[delayMaxKey]; !ok {
		most := keyOf(programSection, delayMaxKey)
		t.apply(setting{src: src, section: section, key: most, value: most.Default})
	}
	if k.Name == scheduleKey {
		d.Schedule.Calendar, d.Schedule.Every = nil, 0
	}
	t.apply(here)
	if len(l.errors) == 0 {
		t.completeMemory(here)
		checkRules(t)
		l.checkListen(t)
	}
	if len(l.errors) > 0 {
		return p, nil, &Error{Diagnostics: sorted(l.errors)}
	}
	d.Settings = with(p.Settings, key, here.value)
	d.Overrides = with(p.Overrides, key, value)
	return d.Program, sorted(l.warnings), nil
}

// inForce is a draft of a program as it is; at is what is said to be its place.
func (l *loader) inForce(p units.Program, at setting) *draft {
	d := l.newDraft(p.Name, at)
	d.Program = p
	for _, s := range p.Settings {
		if k := keyOf(programSection, s.Key); k != nil {
			d.given[s.Key] = setting{src: at.src, section: at.section, key: k, value: s.Value}
		}
	}
	return d
}

const delayMaxKey = "restart_delay_max"

// Overridden puts the overrides of an earlier definition on top of p. One that this version
// of msup does not take any more is named in the error; the others hold.
func Overridden(p units.Program, overrides []units.Setting) (units.Program, error) {
	var failed error
	for _, o := range overrides {
		q, _, err := Override(p, o.Key, o.Value)
		if err != nil {
			failed = fmt.Errorf("cannot keep %s = %s of msup set: %w", o.Key, o.Value, err)
			continue
		}
		p = q
	}
	return p, failed
}

// with returns settings with the key set to a value, in the order of the reference.
func with(settings []units.Setting, key, value string) []units.Setting {
	out := slices.DeleteFunc(slices.Clone(settings), func(s units.Setting) bool { return s.Key == key })
	return inOrder(append(out, units.Setting{Key: key, Value: value}))
}

// inOrder sorts settings by the order of the reference, others behind it; those of one key
// stay as they are.
func inOrder(settings []units.Setting) []units.Setting {
	place := func(name string) int {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
		if i < 0 {
			return len(keys)
		}
		return i
	}
	slices.SortStableFunc(settings, func(a, b units.Setting) int { return cmp.Or(place(a.Key)-place(b.Key), strings.Compare(a.Key, b.Key)) })
	return settings
}
