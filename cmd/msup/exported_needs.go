package main

import (
	"fmt"
	"slices"
	"strings"

	"msup/policy"
	"msup/property"
	"msup/units"
)

// dependencies are what a program depends on, and which of its ends others wait for, for its unit
// file.
type dependencies struct {
	needs     []dependency
	completes bool // others wait until it has ended well
}

type dependency struct {
	units.Need
	on units.Program
}

// dependenciesOf lists those of each program.
func dependenciesOf(programs []units.Program) map[string]*dependencies {
	all := map[string]*dependencies{}
	for _, p := range programs {
		all[p.Name] = &dependencies{}
	}
	for _, e := range units.Edges(programs) {
		if e.To >= 0 {
			from, to := all[programs[e.From].Name], all[programs[e.To].Name]
			from.needs = append(from.needs, dependency{e.Need, programs[e.To]})
			to.completes = to.completes || e.Condition == policy.OnCompleted
		}
	}
	return all
}

// settings says in systemd's words what a program depends on (systemd.unit(5)), and what those
// cannot say.
func (d dependencies) settings(p units.Program, project string) (settings []property.Setting, missing []string) {
	for _, n := range d.needs {
		unit := units.UnitName(project, n.on.Name, units.Service)
		follows := p.OnDependency != policy.IgnoreEnd && n.Condition != policy.OnCompleted
		kind := "Requires"
		switch {
		case n.Optional:
			kind = "Wants"
		case follows:
			kind = "BindsTo"
		}
		settings = append(settings, property.Setting{Name: kind, Value: unit}, property.Setting{Name: "After", Value: unit})
		if (n.Condition == policy.OnReady || n.Condition == policy.OnHealthy) && !strings.HasPrefix(string(n.on.Ready.Kind), "notify") {
			missing = append(missing, fmt.Sprintf("depends_on = %s: for systemd %s is there once it is executed", n.Need, n.on.Name))
		}
	}
	binds := func(s property.Setting) bool { return s.Name == "BindsTo" }
	switch {
	case p.OnDependency == policy.RestartAtEnd && slices.ContainsFunc(settings, binds):
		missing = append(missing, "on_dependency = restart: systemd stops it when what it depends on ends, and does not start it again")
	case slices.ContainsFunc(settings, func(s property.Setting) bool { return s.Name == "Requires" }):
		missing = append(missing, "on_dependency = ignore: systemd stops it too when what it depends on is stopped by hand")
	}
	if d.completes && p.Rules.Oneshot {
		// As with msup, what depends on it does not run it again.
		settings = append(settings, property.Setting{Name: "RemainAfterExit", Value: "yes"})
	}
	return settings, missing
}
