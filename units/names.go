package units

import (
	"strings"
)

// The names below are part of what msup promises its users (DESIGN.md, Names):
//
//	project   program unit            slice            supervisor
//	default   msup-web.service        msup.slice       msup.service
//	shop      msup-shop-web.service   msup-shop.slice  msup@shop.service

// UnitName is the name of a program's unit. Program and project names consist of letters,
// digits, "_", "." and "-" (package config refuses others), which unit names take as they
// are; in a service's name a dash means nothing to systemd.
func UnitName(project, program string, t UnitType) string {
	return prefix(project) + program + "." + string(t)
}

func prefix(project string) string {
	if project == DefaultProject {
		return "msup-"
	}
	return "msup-" + project + "-"
}

// SliceName is the slice all units of a project live in. A dash in a slice's name is
// hierarchy (systemd.slice(5)), so a dash of the project's name is escaped.
func SliceName(project string) string {
	if project == DefaultProject {
		return "msup.slice"
	}
	return "msup-" + strings.ReplaceAll(project, "-", `\x2d`) + ".slice"
}

// SupervisorUnit is the service the supervisor of a project runs as.
func SupervisorUnit(project string) string {
	if project == DefaultProject {
		return "msup.service"
	}
	return "msup@" + project + ".service"
}
