package units

import "strings"

// The names below are part of what msup promises its users (DESIGN.md, Names):
//
//	project   program unit            slice            supervisor
//	default   msup-web.service        msup.slice       msup.service
//	shop      msup-shop-web.service   msup-shop.slice  msup@shop.service

// UnitName is the name of a program's unit. Program and project names consist of letters,
// digits, "_", and in programs "." and "-" (package config refuses others), which unit names
// take as they are; in a service's name a dash means nothing to systemd.
func UnitName(project, program string, t UnitType) string {
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
