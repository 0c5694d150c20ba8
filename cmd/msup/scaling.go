package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"msup/config"
	"msup/control"
	"msup/policy"
	"msup/units"
)

// Scale implements [control.Definitions].
func (d *definitions) Scale(ctx context.Context, req control.ScaleRequest) (control.Applied, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	before := d.inForce()
	project := before
	var warnings []string
	for _, s := range req.Programs {
		scaled, warned, err := config.Scale(project, s.Program, s.Instances)
		if err != nil {
			return control.Applied{}, invalid(err)
		}
		project = scaled
		for _, w := range warned {
			warnings = append(warnings, w.String())
		}
	}
	snap, err := d.sup.Snapshot(ctx)
	if err != nil {
		return control.Applied{}, err
	}
	start := starts(req, snap, project)
	if !req.AnyStop {
		for _, name := range stopped(snap, project) {
			if !slices.Contains(req.Stop, name) {
				return control.Applied{}, control.ErrOtherPlan
			}
		}
	}
	fresh := project
	fresh.Programs = slices.DeleteFunc(slices.Clone(project.Programs), func(p units.Program) bool { return before.Program(p.Name) != nil })
	if err := d.app.refuseForeign(ctx, d.bus, fresh); err != nil {
		return control.Applied{}, err
	}
	applied, err := d.change(ctx, units.Redefinition{Project: project, Start: start, By: req.By, Gone: req.By}, limitWarnings(d.bus, project))
	applied.Warnings = append(applied.Warnings, warnings...)
	return applied, err
}

// starts lists the instances that are started: those that are new, and those that were
// leaving. One that somebody has stopped stays so.
func starts(req control.ScaleRequest, snap units.Snapshot, project units.Project) []string {
	there := map[string]bool{}
	for _, st := range snap.Programs {
		there[st.Name] = !st.Leaving && !st.Removed
	}
	var names []string
	for _, s := range req.Programs {
		for i := range s.Instances {
			name := units.InstanceName(s.Program, i+1)
			if !there[name] && project.Program(name) != nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// stopped lists the programs that run and are not in the project. Those that are being
// stopped anyway are not among them.
func stopped(snap units.Snapshot, project units.Project) []string {
	var names []string
	for _, st := range snap.Programs {
		if st.State.Phase.Up() && st.State.Phase != policy.Stopping && project.Program(st.Name) == nil {
			names = append(names, st.Name)
		}
	}
	return names
}

// keepScales puts the numbers of instances that msup scale has asked for on top of what the
// configuration says. Whether a change of them had begun says the state: what was written
// down before it and not carried out has not been.
func keepScales(project, before units.Project, saved *units.Saved) (units.Project, error) {
	var errs []error
	for _, t := range before.Templates {
		n := t.Scaled
		if saved != nil && !saved.Damaged {
			n = lastInstance(t.Name, saved)
		}
		now := project.Template(t.Name)
		if t.Scaled == 0 || now == nil || n == 0 || n == t.Instances && now.Scaled == 0 || n == now.Count() && n == countOf(project, t.Name) {
			continue
		}
		scaled, _, err := config.Scale(project, t.Name, n)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot keep the %d instances of program %s: %w", n, t.Name, err))
			continue
		}
		project = scaled
	}
	return project, errors.Join(errs...)
}

// lastInstance is the highest number of an instance that was there, 0 = there was none.
func lastInstance(program string, saved *units.Saved) int {
	last := 0
	for i := 1; i <= units.MaxInstances; i++ {
		if p, ok := saved.Programs[units.InstanceName(program, i)]; ok && !p.Dropping {
			last = i
		}
	}
	return last
}

func countOf(project units.Project, program string) int {
	n := 0
	for _, p := range project.Programs {
		if p.Base == program {
			n++
		}
	}
	return n
}
