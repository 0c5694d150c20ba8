package units

import "strings"

// The names below are part of what msup promises its users (DESIGN.md, Names):
//
//	project   program unit            slice            supervisor
//	default   msup-web.service        msup.slice       msup.service
//	shop      msup-shop-web.service   msup-shop.slice  msup@shop.service
//
// Instance 1 of program web is msup-web@1.service. Programs of group front are in msup-front.slice, in project shop in msup-shop-front.slice.

// UnitName is the name of a program's unit. Program and project names consist of letters,
// digits, "_", and in programs "." and "-" (package config refuses others), and "@" before the
// number of an instance, which unit names take as they are; in a service's name a dash means
// nothing to systemd. Scopes have no instances there (unit_type_may_template() in systemd's
// unit-name.c), so that one has a colon instead: msup-web:1.scope.
func UnitName(project, program string, t UnitType) string {
	if t == Scope {
		program = strings.Replace(program, "@", ":", 1)
	}
	return prefix(project) + program + "." + string(t)
}

func prefix(project string) string {
	if project == DefaultProject {
		return "msup-"
	}
	return "msup-" + project + "-"
}

// SliceName is the slice all units of a project live in. The dash in it puts it below
// msup.slice (systemd.slice(5)).
func SliceName(project string) string {
	if project == DefaultProject {
		return "msup.slice"
	}
	return "msup-" + project + ".slice"
}

// GroupSlice is the slice of a group, or, with group "", of the project. Names of projects
// and groups hold no dash, so that each dash in it is one step down.
func GroupSlice(project, group string) string {
	if group == "" {
		return SliceName(project)
	}
	return strings.TrimSuffix(SliceName(project), ".slice") + "-" + group + ".slice"
}

// inProject reports whether a slice has the name of the project's own or of one of its
// groups. In the default project that of a group may also be another project's.
func inProject(slice, project string) bool {
	rest, ok := strings.CutPrefix(slice, strings.TrimSuffix(SliceName(project), ".slice"))
	rest, isSlice := strings.CutSuffix(rest, ".slice")
	if !ok || !isSlice {
		return false
	}
	group, isGroup := strings.CutPrefix(rest, "-")
	return rest == "" || isGroup && group != "" && !strings.Contains(group, "-")
}

// ofSupervisor is whose supervisor a unit is, in words.
func ofSupervisor(unit string) string {
	if unit == SupervisorUnit(DefaultProject) {
		return "the default project of msup"
	}
	name := strings.TrimSuffix(strings.TrimPrefix(unit, "msup@"), ".service")
	return `the msup project "` + name + `"`
}

// SupervisorUnit is the service the supervisor of a project runs as.
func SupervisorUnit(project string) string {
	if project == DefaultProject {
		return "msup.service"
	}
	return "msup@" + project + ".service"
}

// IsSupervisor reports whether a unit has the name of a supervisor's.
func IsSupervisor(unit string) bool {
	return unit == SupervisorUnit(DefaultProject) || strings.HasPrefix(unit, "msup@") && strings.HasSuffix(unit, ".service")
}
