package main

import (
	"fmt"
	"path/filepath"

	"msup/policy"
	"msup/units"
)

// assignment is what a supervisor has to do.
type assignment struct {
	units.Project
	before  units.Project // what an earlier supervisor had to do, if there was one
	back    bool          // it comes back after a crash or an upgrade
	anew    bool          // another msup up asks for what an earlier supervisor has left behind
	strict  bool          // refuse to start where limits cannot be enforced
	problem error         // why Project is not what the configuration says
}

// superviseWhat finds out what to supervise: what the configuration says. A supervisor that
// comes back after a crash or an upgrade does not fail because of what is wrong with the
// file by now: it goes on with the definitions that were in force.
func (a *app) superviseWhat(run string) (assignment, error) {
	var before runningProject
	cfg, err := a.loadConfig()
	name := a.projectName
	if name == "" && err == nil {
		name = cfg.Name
	}
	known := name != "" && readJSON(filepath.Join(a.runtimeDir(name), projectFile), &before) == nil
	back := known && run != "" && before.Run == run
	if err == nil && back && cfg.Name != before.Project.Name {
		err = fmt.Errorf("%s is of project %s by now", cfg.File, cfg.Name)
	}
	switch {
	case err != nil && back:
		return assignment{Project: before.Project, before: before.Project, back: back, problem: err}, nil
	case err != nil:
		return assignment{}, err
	}
	return assignment{
		Project: cfg.Project, before: before.Project,
		back: back, anew: known && run != "" && !back, strict: cfg.StrictLimits && !back,
	}, nil
}

// inherit brings together what is to be supervised and what the supervisor before this one has
// left behind. The log tells what of that could not be had, and is there with an error too.
func (a *app) inherit(what assignment, store *stateLog, logged string) (units.Project, *units.Saved, *transitionLog, error) {
	saved, damage := loadState(store.path, what.Name)
	if saved != nil && !what.back {
		saved.Down = false // going down has ended otherwise, and this is a new start
		saved.Anew = what.anew
	}
	project, unscaled := keepScales(what.Project, what.before, saved)
	project = keepRemoved(project, what.before, saved, damage != nil)
	log, err := openTransitionLog(project, a.user, saved, logged)
	if err != nil {
		if !what.back {
			return project, saved, log, err
		}
		// What runs needs a supervisor more than that one needs a file.
		log.note(err.Error() + "; the journal has what it misses")
	}
	if what.problem != nil {
		log.note("goes on with the definitions of before: " + firstLine(what.problem.Error()))
	}
	if damage != nil {
		log.note(damage.Error() + "; what is missing is rebuilt from systemd")
	}
	if unscaled != nil {
		log.note(oneLine(unscaled))
	}
	project, overridden := keepOverrides(project, what.before)
	if overridden != nil {
		log.note(oneLine(overridden))
	}
	return project, saved, log, nil
}

// keepRemoved adds to a project the programs that the configuration no longer has and that
// are up: they run on until they are stopped. One that a damaged state does not know may be up.
func keepRemoved(project, before units.Project, saved *units.Saved, damaged bool) units.Project {
	up := func(name string) bool {
		if saved != nil {
			if old, ok := saved.Programs[name]; ok {
				return old.State.Phase.Up() || old.State.Phase == policy.Backoff
			}
		}
		return damaged
	}
	for _, p := range before.Programs {
		if project.Program(p.Name) == nil && up(p.Name) {
			p.Removed, p.Autostart = true, false
			project.Programs = append(project.Programs, p)
			if g := before.Group(p.InGroup); g != nil && project.Group(p.InGroup) == nil {
				project.Groups = append(project.Groups, *g) // of a group that is no more either
			}
		}
	}
	return project
}
