package config

import (
	"fmt"
	"path/filepath"
	"slices"

	"msup/units"
)

// Scale returns a project with another number of instances of one of its programs. Those
// that are there stay as they are, and the last ones go first; new ones are made of the
// program's template, and checked as by [Load]. What msup set has set for all of the others
// holds for them too. The error is an [*Error] where it is about the configuration.
func Scale(project units.Project, program string, n int) (units.Project, []Diagnostic, error) {
	i := slices.IndexFunc(project.Templates, func(t units.Template) bool { return t.Name == program })
	switch {
	case i < 0 && project.Program(program) == nil:
		return project, nil, units.UnknownProgramError{Name: program}
	case i < 0:
		return project, nil, scaleError(program, fmt.Sprint(n), "the program has no instances", "write "+instancesKey+" = 1 into the configuration; after msup reload it can be scaled")
	case n < 1 || n > units.MaxInstances:
		return project, nil, scaleError(program, fmt.Sprint(n), fmt.Sprintf("%d is out of range", n), fmt.Sprintf("use a number from 1 to %d; msup stop %s stops all instances", units.MaxInstances, program))
	}
	project.Templates = slices.Clone(project.Templates)
	t := &project.Templates[i]
	if t.Scaled = n; n == t.Instances {
		t.Scaled = 0
	}
	has := map[int]units.Program{}
	var common []units.Setting
	for _, p := range project.Programs {
		if p.Base != program || p.Removed {
			continue
		}
		if len(has) == 0 {
			common = slices.Clone(p.Overrides)
		}
		common = slices.DeleteFunc(common, func(s units.Setting) bool { return !slices.Contains(p.Overrides, s) })
		has[p.Instance] = p
	}
	l := forTemplate(project, *t)
	all := make([]units.Program, n)
	var made []*draft
	for i := range n {
		p, ok := has[i+1]
		if ok {
			all[i] = p
			continue
		}
		d := l.fromTemplate(*t, i+1)
		made = append(made, d)
	}
	l.programs = made
	l.fillAll()
	warnings := sorted(l.warnings)
	l.warnings = nil
	l.crossCheckWith(project, made)
	for _, d := range made {
		all[d.Instance-1] = d.Program
	}
	l.checkNeeds(withInstances(project.Programs, program, all), func(int, string) setting {
		return setting{src: l.sourceOf(t.File), line: t.Line, section: programSection + " " + t.Name, key: keyOf(programSection, dependsOn)}
	})
	if len(l.errors) > 0 {
		return project, nil, &Error{Diagnostics: sorted(l.errors)}
	}
	for _, d := range made {
		p, err := Overridden(d.Program, common)
		if err != nil {
			return project, nil, err
		}
		all[d.Instance-1] = p
	}
	project.Programs = withInstances(project.Programs, program, all)
	return project, warnings, nil
}

func scaleError(program, value, message, hint string) error {
	return &Error{Diagnostics: []Diagnostic{{
		File: "msup scale", Section: programSection + " " + program, Key: instancesKey, Value: value, Message: message, Hint: hint,
	}}}
}

// forTemplate is a loader that makes instances of a template.
func forTemplate(project units.Project, t units.Template) *loader {
	l := &loader{host: newHost(), check: true, cfg: &Config{}}
	l.cfg.Name, l.cfg.File, l.cfg.Dir, l.cfg.Logfile = project.Name, project.File, project.Dir, project.Logfile
	l.makeBase(l.sourceOf(t.File))
	return l
}

// sourceOf is the source of a setting that stands in a file which is not read.
func (l *loader) sourceOf(path string) *source {
	if i := slices.IndexFunc(l.sources, func(s *source) bool { return s.path == path }); i >= 0 {
		return l.sources[i]
	}
	src := &source{index: len(l.sources), path: path, shown: l.show(path), dir: filepath.Dir(path)}
	l.sources = append(l.sources, src)
	return src
}

// fromTemplate is the draft of an instance.
func (l *loader) fromTemplate(t units.Template, n int) *draft {
	section := programSection + " " + t.Name
	d := l.newDraft(t.Name, setting{src: l.sourceOf(t.File), line: t.Line, section: section, key: &Key{}})
	d.good, d.InGroup = true, t.InGroup
	for _, w := range t.Settings {
		key := keyOf(programSection, w.Key)
		if key == nil {
			continue // of another version of msup, which the others do without as well
		}
		s := setting{src: l.sourceOf(w.File), line: w.Line, section: section, key: key, value: w.Value}
		if w.Defaults {
			s.section = defaultsSection
		}
		d.all = append(d.all, s)
	}
	return l.instance(d, n)
}

// crossCheckWith looks for files of new programs that would get in the way of those that the
// project has.
func (l *loader) crossCheckWith(project units.Project, made []*draft) {
	l.programs = nil
	for _, p := range project.Programs {
		d := l.inForce(p, setting{src: l.sources[0], section: programSection + " " + p.Name, key: &Key{}})
		d.good = true
		l.programs = append(l.programs, d)
	}
	l.programs = append(l.programs, made...)
	l.crossCheck()
}

// withInstances puts the instances of a program into the place where it has them.
func withInstances(programs []units.Program, program string, instances []units.Program) []units.Program {
	of := func(p units.Program) bool { return p.Base == program }
	at := slices.IndexFunc(programs, of)
	if at < 0 {
		at = len(programs)
	}
	before := slices.Clone(programs[:at])
	after := slices.DeleteFunc(slices.Clone(programs[at:]), of)
	return slices.Concat(before, instances, after)
}
