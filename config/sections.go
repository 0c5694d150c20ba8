package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"msup/units"
)

// keyOf finds a key of a section, nil if there is none. [defaults] takes the keys of
// programs.
func keyOf(section, name string) *Key {
	if isSystemd(section, name) {
		return systemdKeys[name]
	}
	for i := range keys {
		if keys[i].Section == tableSection(section) && keys[i].Name == name && (section != defaultsSection || name != "command") {
			return &keys[i]
		}
	}
	return nil
}

func tableSection(kind string) string {
	if kind == defaultsSection {
		return programSection
	}
	return kind
}

// settings checks the keys of a block against the table and takes comments and quotes
// off the values.
func (l *loader) settings(src *source, b *block) []setting {
	var settings []setting
	first := map[string]int{}
	for _, e := range b.entries {
		d := Diagnostic{Line: e.line, Section: b.title(), Key: e.key}
		key := keyOf(b.kind, e.key)
		if key == nil {
			d.Message, d.Hint = "unknown key", unknownKeyHint(b.kind, e.key)
			if isSystemd(b.kind, e.key) {
				d.Message, d.Hint = unknownSystemd(e.key)
			}
			l.report(src, d)
			continue
		}
		if line, again := first[e.key]; again && !key.Repeats {
			d.Message, d.Hint = fmt.Sprintf("the key stands in line %d already", line), "remove one of them"
			l.report(src, d)
			continue
		}
		first[e.key] = e.line
		s := setting{src: src, line: e.line, section: b.title(), key: key}
		var err error
		switch key.Kind {
		case Words, Systemd:
			s.value, s.comment = cutWords(e.raw)
		case Scalar:
			s.value, err = cutScalar(e.raw)
		default:
			s.value, err = cutText(e.raw)
		}
		switch {
		case err != nil:
			d = s.diagnostic(err.Error(), func() *valueError {
				target := &valueError{}
				_ = errors.As(err, &target)
				return target
			}().hint)
		case s.value == "" && key.Kind != Systemd:
			d = s.diagnostic("the value is empty", "leave the key out, or write for example "+key.Example)
		default:
			settings = append(settings, s)
			continue
		}
		l.report(src, d)
	}
	return settings
}

// unknownKeyHint says which key was meant, else which there are.
func unknownKeyHint(kind, name string) string {
	if note, ok := notKeys[name]; ok && tableSection(kind) == programSection {
		return note
	}
	if kind == defaultsSection && name == "command" {
		return "each program has its own command"
	}
	if strings.HasPrefix(name, systemdPrefix) {
		return "it belongs in [program NAME] or [defaults]"
	}
	if systemdKeys[systemdPrefix+name] != nil && tableSection(kind) == programSection {
		return "write " + systemdPrefix + name
	}
	var names []string
	for i := range keys {
		k := &keys[i]
		if k.Section != tableSection(kind) {
			if k.Name == name {
				return fmt.Sprintf("it belongs in [%s]", sectionWords(k.Section))
			}
			continue
		}
		for _, other := range k.Other {
			if strings.EqualFold(other, name) {
				return calledHint(k.Name)
			}
		}
		if (kind != defaultsSection || k.Name != "command") && k.Name != anySystemd {
			names = append(names, k.Name)
		}
	}
	if near := Suggest(name, names); near != "" {
		return nearHint(near)
	}
	return "known are " + strings.Join(names, ", ")
}

func calledHint(key string) string { return "msup calls it " + key }
func nearHint(key string) string   { return "did you mean " + key + "?" }

// sectionWords is a kind of section as its header is written.
func sectionWords(kind string) string {
	if kind == programSection || kind == groupSection {
		return kind + " NAME"
	}
	return kind
}

// project reads [msup] and [defaults] of the main file and refuses them elsewhere.
func (l *loader) project(main *source) {
	// Its limits are read as a program's are.
	t := &target{loader: l, prog: &draft{}}
	var given []setting
	first := map[string]int{}
	for _, src := range l.sources {
		for i := range src.blocks {
			b := &src.blocks[i]
			if b.kind != projectSection && b.kind != defaultsSection {
				continue
			}
			d := Diagnostic{Line: b.line, Section: b.kind}
			if src != main {
				d.Message, d.Hint = fmt.Sprintf("an included file cannot hold [%s]", b.kind), "move it to "+main.shown
				l.report(src, d)
				continue
			}
			if line, again := first[b.kind]; again {
				d.Message, d.Hint = fmt.Sprintf("the section stands in line %d already", line), "put its keys there"
				l.report(src, d)
			}
			first[b.kind] = b.line
			if b.kind == projectSection {
				given = append(given, l.settings(src, b)...)
			} else {
				l.defaults = append(l.defaults, l.settings(src, b)...)
			}
		}
	}
	t.applyDefaults(projectSection, main)
	t.applyAll(given)
	l.cfg.Limits = t.sliceLimits(given)
	l.warnOfCommonSlice(given)
	l.cfg.Settings = written(given)
	empty := l.makeBase(main)
	// The values of [defaults] are checked here, once, and not again in each program.
	for _, s := range l.defaults {
		if filled, err := l.filledIn(s, "program", 1); err != nil {
			l.report(s.src, s.wrong(err))
		} else {
			empty.apply(filled)
		}
	}
	l.checkLogfile(main, given)
}

// makeBase makes the program for which nothing is configured.
func (l *loader) makeBase(src *source) *target {
	empty := &target{loader: l, prog: l.newDraft("", setting{})}
	empty.applyDefaults(programSection, src)
	l.base = empty.prog.Program
	return empty
}

// applyDefaults applies the defaults of the table.
func (t *target) applyDefaults(section string, src *source) {
	for i := range keys {
		if k := &keys[i]; k.Section == section && k.Default != "" {
			t.apply(setting{src: src, section: section, key: k, value: k.Default})
		}
	}
}

// applyAll applies the settings of a section. Those of [defaults] have been checked.
func (t *target) applyAll(settings []setting) {
	for _, s := range settings {
		t.quiet = s.section == defaultsSection
		t.apply(s)
	}
	t.quiet = false
}

var (
	programName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	projectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]*$`)
)

// maxName bounds names so that unit names stay far below systemd's 255 bytes.
const maxName = 64

// nameProblem says what is wrong with a program's name, "" if nothing. The name becomes
// part of unit and file names as it stands.
func nameProblem(name string) string {
	switch {
	case name == "":
		return "the program has no name"
	case len(name) > maxName:
		return fmt.Sprintf("the program's name is longer than %d bytes", maxName)
	case name == "all":
		return "a program cannot be called all: commands use the word for every program"
	case !programName.MatchString(name):
		return fmt.Sprintf("%s is no name for a program, it becomes part of the unit's name", quote(name))
	}
	return ""
}

// projectProblem is [nameProblem] for a project. It may hold neither "-", which
// separates it from the program in msup-shop-web.service and nests slices, nor ".".
func projectProblem(name string) string {
	switch {
	case name == units.DefaultProject:
		return ""
	case len(name) > maxName:
		return fmt.Sprintf("the project's name is longer than %d bytes", maxName)
	case !projectName.MatchString(name):
		return fmt.Sprintf("%s is no name for a project, it becomes part of the names of units and slices", quote(name))
	}
	return ""
}
