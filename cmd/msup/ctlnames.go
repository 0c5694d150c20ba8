package main

import (
	"cmp"
	"slices"
	"strings"

	"msup/units"
)

// process is a program as supervisord names it: by a group, which every process is in, and
// its name there.
type process struct {
	group, name string
	program     units.Program
	status      units.Status
}

// String is the name supervisorctl shows: the group only where it is another name.
func (p process) String() string { return namespec(p.group, p.name) }

func namespec(group, name string) string {
	if group == name {
		return name
	}
	return group + ":" + name
}

// processesOf are the programs of a project, in its order.
func processesOf(project units.Project, statuses []units.Status) []process {
	var all []process
	for _, p := range project.Programs {
		group, name := supervisordName(p)
		one := process{group: group, name: name, program: p}
		if i := slices.IndexFunc(statuses, func(s units.Status) bool { return s.Name == p.Name }); i >= 0 {
			one.status = statuses[i]
		}
		all = append(all, one)
	}
	return all
}

// supervisordName is the group and the name of a program: those that it finds in its own
// environment, where an import has put them, else those that it has here. A program without
// a group is one of its own, and so are the instances of one.
func supervisordName(p units.Program) (group, name string) {
	group, name = cmp.Or(p.InGroup, p.Base, p.Name), p.Name
	for _, v := range p.Environment {
		switch key, value, _ := strings.Cut(v, "="); {
		case value == "":
		case key == "SUPERVISOR_GROUP_NAME":
			group = value
		case key == "SUPERVISOR_PROCESS_NAME":
			name = value
		}
	}
	return group, name
}

// wanted is a name on the command line: NAME, GROUP:NAME, or GROUP:* (GROUP:) for all of it.
type wanted struct {
	spec        string
	group, name string
	all         bool // of the group
}

func parseWanted(spec string) wanted {
	group, name, grouped := strings.Cut(spec, ":")
	if !grouped {
		name = group
	}
	return wanted{spec: spec, group: group, name: name, all: grouped && (name == "" || name == "*")}
}

// of returns the processes that are meant, none if there are no such.
func (w wanted) of(all []process) []process {
	var found []process
	for _, p := range all {
		if p.group == w.group && (w.all || p.name == w.name) {
			found = append(found, p)
		}
	}
	return found
}

// none says that there is no such process, or group.
func (w wanted) none() string {
	if w.all {
		return w.group + ": ERROR (no such group)"
	}
	return namespec(w.group, w.name) + ": ERROR (no such process)"
}

// byName sorts as supervisorctl lists: by group, then by name.
func byName(all []process) []process {
	return slices.SortedFunc(slices.Values(all), func(a, b process) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.name, b.name))
	})
}
