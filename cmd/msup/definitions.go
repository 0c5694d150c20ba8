package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"msup/config"
	"msup/control"
	"msup/units"
)

// definitions are what a supervisor goes by, and how that is changed while it runs. It
// implements [control.Definitions].
//
// A change is made in this order: the streams of the output follow, project.json has the new
// definitions, the loop takes them all at once and writes that down. A supervisor that takes
// over reads the configuration, so that at any point it comes to the same definitions; what
// is to be restarted, started and stopped is in the state once the loop has written it down,
// and before that nothing of it has begun.
type definitions struct {
	app     *app
	bus     bus
	dir     string // the runtime directory
	run     string // runningProject.Run
	sup     *units.Supervisor
	outputs *outputs
	log     *transitionLog

	changing sync.Mutex // one change at a time

	mu      sync.Mutex
	project units.Project   // in force
	leaving []units.Program // no longer in it, and being stopped
	limits  map[string][]string
}

// inForce is the project as it is defined by now.
func (d *definitions) inForce() units.Project {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.project
}

// running is what project.json says: the next supervisor goes on stopping what leaves.
func (d *definitions) running() runningProject {
	d.mu.Lock()
	defer d.mu.Unlock()
	project := d.project
	project.Programs = slices.Concat(project.Programs, d.leaving)
	return runningProject{d.run, project}
}

// warnings are the limits of a program that do not hold here.
func (d *definitions) warnings(program string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.limits[program])
}

// sliceWarnings are the limits of a slice that do not hold here.
func (d *definitions) sliceWarnings(slice string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range units.Slices(d.project) {
		if s.Unit == slice {
			return d.limits[subject(d.project.Name, s)]
		}
	}
	return nil
}

// Plan implements [control.Definitions].
func (d *definitions) Plan(ctx context.Context) (units.Plan, error) {
	plan, _, err := d.plan(ctx)
	return plan, err
}

func (d *definitions) plan(ctx context.Context) (units.Plan, *config.Config, error) {
	project := d.inForce()
	cfg, err := loadFile(project.File)
	if err == nil {
		err = cfg.CheckSystemd(d.bus.Version())
	}
	if err != nil {
		return units.Plan{}, nil, invalid(err)
	}
	if cfg.Name != project.Name {
		return units.Plan{}, nil, renamed(cfg, project)
	}
	snap, err := d.sup.Snapshot(ctx)
	if err != nil {
		return units.Plan{}, nil, err
	}
	return config.Diff(project, snap.Programs, cfg), cfg, nil
}

// invalid tells the other side of the socket that the configuration is to blame.
func invalid(err error) error {
	if _, ok := errors.AsType[*config.Error](err); ok {
		return &control.InvalidError{Message: err.Error()}
	}
	return err
}

// renamed says that the configuration is of another project by now.
func renamed(cfg *config.Config, project units.Project) error {
	return &exitError{
		code: exitFailed, msg: fmt.Sprintf("%s is of project %s by now, and project %s runs from it", cfg.File, cfg.Name, project.Name),
		hint: fmt.Sprintf("msup down -p %s, then msup up", project.Name),
	}
}

// Reload implements [control.Definitions].
func (d *definitions) Reload(ctx context.Context, id, by string) (control.Applied, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	plan, cfg, err := d.plan(ctx)
	switch {
	case err != nil:
		return control.Applied{}, err
	case plan.ID != id:
		return control.Applied{}, control.ErrOtherPlan
	}
	limits := limitWarnings(d.bus, cfg.Project)
	if cfg.StrictLimits && len(limits) > 0 {
		return control.Applied{}, refuseUnenforced(cfg.Project, limits)
	}
	// A daemon-reexec cuts the connection, which comes back by itself.
	if err := lasting(ctx, func() error { return d.app.refuseForeign(ctx, d.bus, added(plan, cfg.Project)) }); err != nil {
		return control.Applied{}, err
	}
	if err := lasting(ctx, func() error { return d.app.refuseSharedSlices(ctx, d.bus, cfg.Project) }); err != nil {
		return control.Applied{}, err
	}
	applied, err := d.change(ctx, units.Redefinition{Project: cfg.Project, Restart: plan.Restarts(), By: by}, limits)
	for _, w := range cfg.Warnings {
		applied.Warnings = append(applied.Warnings, w.String())
	}
	return applied, err
}

// added is the part of a project that a plan adds.
func added(plan units.Plan, project units.Project) units.Project {
	project.Programs = slices.DeleteFunc(slices.Clone(project.Programs), func(p units.Program) bool {
		return !slices.ContainsFunc(plan.Programs, func(pp units.ProgramPlan) bool {
			return pp.Name == p.Name && pp.Effect == units.EffectAdd
		})
	})
	return project
}

// Set implements [control.Definitions].
func (d *definitions) Set(ctx context.Context, req control.SetRequest) (control.Applied, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	project := d.inForce()
	project.Programs = slices.Clone(project.Programs)
	var warnings []string
	for _, name := range req.Programs {
		p := project.Program(name)
		if p == nil {
			return control.Applied{}, units.UnknownProgramError{Name: name}
		}
		for _, s := range req.Settings {
			def, warned, err := config.Override(*p, s.Key, s.Value)
			if err != nil {
				return control.Applied{}, invalid(err)
			}
			*p = def
			for _, w := range warned {
				warnings = append(warnings, w.String())
			}
		}
	}
	applied, err := d.change(ctx, units.Redefinition{Project: project}, limitWarnings(d.bus, project))
	applied.Warnings = append(applied.Warnings, warnings...)
	return applied, err
}

// change puts other definitions in force. Begun, it is carried out, whether or not who has
// asked for it is still there: what is told to be in force and what the loop goes by are one.
func (d *definitions) change(ctx context.Context, r units.Redefinition, limits map[string][]string) (applied control.Applied, err error) {
	before := d.running().Project // with what still leaves
	for name, err := range d.outputs.redefine(r.Project) {
		d.sup.Note(name, err.Error())
		applied.Warnings = append(applied.Warnings, name+": "+err.Error())
	}
	if r.Project.Logfile != before.Logfile {
		d.log.moveTo(r.Project.Logfile)
	}
	var leaving []units.Program
	for _, p := range before.Programs {
		if r.Project.Program(p.Name) == nil {
			leaving = append(leaving, p)
		}
	}
	d.mu.Lock()
	d.project, d.leaving, d.limits = r.Project, leaving, limits
	d.mu.Unlock()
	if err := d.write(); err != nil {
		// A supervisor that takes over finds all but overrides in the configuration.
		d.sup.Note("", err.Error())
		applied.Warnings = append(applied.Warnings, err.Error())
	}
	applied.Snapshot, err = d.sup.Redefine(context.WithoutCancel(ctx), r)
	return applied, err
}

func (d *definitions) write() error { return writeJSON(filepath.Join(d.dir, projectFile), d.running()) }

// dropped ends the output of a program that is no more, unless it is there again by now.
func (d *definitions) dropped(program string) {
	d.changing.Lock()
	defer d.changing.Unlock()
	of := func(p units.Program) bool { return p.Name == program }
	d.mu.Lock()
	d.leaving = slices.DeleteFunc(slices.Clone(d.leaving), of)
	// One that was taken over while it was leaving is among the others.
	d.project.Programs = slices.DeleteFunc(slices.Clone(d.project.Programs), func(p units.Program) bool { return of(p) && p.Removed })
	back := slices.ContainsFunc(d.project.Programs, of)
	d.mu.Unlock()
	if back {
		return
	}
	d.outputs.drop(program)
	if err := d.write(); err != nil {
		d.sup.Note("", err.Error())
	}
}

// keepOverrides puts what msup set has set on top of what the configuration says.
func keepOverrides(project, before units.Project) (units.Project, error) {
	var errs []error
	project.Programs = slices.Clone(project.Programs)
	for i := range project.Programs {
		if old := before.Program(project.Programs[i].Name); old != nil {
			var err error
			project.Programs[i], err = config.Overridden(project.Programs[i], old.Overrides)
			errs = append(errs, err)
		}
	}
	return project, errors.Join(errs...)
}

// oneLine makes one line of an error of several.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
