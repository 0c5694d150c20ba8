package units

import (
	"slices"
	"strings"
)

// systemd is told who depends on whom too: systemctl list-dependencies shows it, and at a
// shutdown, or when the project's slice is stopped, it stops programs in that order by itself.
// A unit that names another one keeps that loaded after its end, so that its next start would
// be refused. So each names only an empty slice that stands between them, a joint: what
// depends on db has Wants= and After= of msup-db:needed.slice, and db is PartOf= that and
// Before= it. Nobody makes a joint. It comes into being with the first dependent, stays until
// the project goes down, and has no jobs meanwhile, so no start ever waits for it.

const jointMark = ":needed"

// JointUnit is the slice between a program and those that depend on it: msup-db:needed.slice,
// of instance 2 msup-db:needed:2.slice. It is in the project's slice; a dash of the program's
// name would put it deeper, so it is a colon there.
func JointUnit(project, program string) string {
	base, instance, isInstance := strings.Cut(program, "@")
	name := prefix(project) + strings.ReplaceAll(base, "-", ":") + jointMark
	if isInstance {
		name += ":" + instance
	}
	return name + ".slice"
}

// isJoint reports whether a slice is a joint of a project. No group's name holds a colon.
func isJoint(slice, project string) bool {
	return strings.Contains(slice, jointMark) && inProject(slice, project)
}

// Joints are the joints of one program.
type Joints struct {
	Own   string   // between it and those that depend on it; "" = nothing does
	Needs []string // between it and those that it depends on
}

// JointsOf lists the joints of the programs of a project.
func JointsOf(project string, programs []Program) []Joints {
	all := make([]Joints, len(programs))
	for _, e := range Edges(programs) {
		if e.To >= 0 {
			all[e.From].add(&all[e.To], JointUnit(project, programs[e.To].Name))
		}
	}
	return all
}

// add joins j to another one that it depends on.
func (j *Joints) add(to *Joints, unit string) {
	to.Own = unit
	if !slices.Contains(j.Needs, unit) {
		j.Needs = append(j.Needs, unit)
	}
}

// properties are those of a program's unit.
func (j Joints) properties() []Property {
	var props []Property
	if len(j.Needs) > 0 {
		props = append(props, Property{"Wants", j.Needs}, Property{"After", j.Needs})
	}
	if j.Own != "" {
		props = append(props, Property{"PartOf", []string{j.Own}}, Property{"Before", []string{j.Own}})
	}
	return props
}
