package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msup/control"
	"msup/units"
)

// subject is what messages call the one who has a slice: "group front", "project shop". No
// program is called so: names of programs hold no space.
func subject(project string, s units.Slice) string {
	if s.Group == "" {
		return "project " + project
	}
	return "group " + s.Group
}

// printSlices lists the slices that have limits and what of these is used.
func (a *app) printSlices(rep control.Report) {
	tab := newTable(a.stdout, "GROUP", "MEMORY", "CPU", "TASKS", "SLICE")
	rows := 0
	for _, s := range append(slices.Clone(rep.Groups), deref(rep.Slice)) {
		if !s.Limited() {
			continue
		}
		name := plain(s.Name)
		if rep.Slice != nil && s.Slice == rep.Slice.Slice {
			name = cell{"(project)", dim}
		}
		rows++
		tab.row(name, plain(memory(s.Memory)), plain(cpuOf(s.CPU)), plain(tasks(s)), plain(s.Slice))
	}
	if rows > 0 {
		fmt.Fprintln(a.stdout)
		tab.flush()
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// cpuOf is use/limit, in percent of one CPU.
func cpuOf(c control.CPUReport) string {
	if c.Limit == nil {
		return cpu(c)
	}
	return fmt.Sprintf("%s/%g%%", cpu(c), *c.Limit*100)
}

func tasks(s control.SliceReport) string {
	use := "-"
	if s.Tasks != nil {
		use = fmt.Sprint(*s.Tasks)
	}
	if s.TasksLimit == nil {
		return use
	}
	return fmt.Sprintf("%s/%d", use, *s.TasksLimit)
}

// fillSlices adds to the report what systemd says of the slices, where no supervisor does.
func fillSlices(ctx context.Context, bus bus, rep *control.Report, project units.Project, limits map[string][]string, sampler *control.Sampler, now time.Time) error {
	own, groups := control.DescribeSlices(project)
	rep.Slice, rep.Groups = &own, groups
	reports := []*control.SliceReport{rep.Slice}
	for i := range rep.Groups {
		reports = append(reports, &rep.Groups[i])
	}
	for i, s := range units.Slices(project) {
		reports[i].Warnings = append(reports[i].Warnings, limits[subject(project.Name, s)]...)
		f, err := bus.Read(ctx, s.Unit)
		if err != nil {
			return err
		}
		sampler.FillSlice(reports[i], f.ControlGroup, f.ActiveEnter, now)
	}
	return nil
}

// pickGroups keeps the groups of the programs in the report.
func pickGroups(rep *control.Report) {
	rep.Groups = slices.DeleteFunc(rep.Groups, func(s control.SliceReport) bool {
		return !slices.ContainsFunc(rep.Programs, func(p control.ProgramReport) bool { return deref(p.Group) == s.Name })
	})
	if rep.Groups == nil {
		rep.Groups = []control.SliceReport{}
	}
}

// refuseSharedSlices fails when a group of the default project and another project would
// have one slice: msup-shop.slice is that of group shop and of project shop.
func (a *app) refuseSharedSlices(ctx context.Context, bus bus, project units.Project) error {
	if project.Name != units.DefaultProject {
		own := units.Slices(project)[0].Unit
		f, err := bus.Read(ctx, own)
		if err != nil {
			return err
		}
		taken := slices.Contains(f.Supervisors, units.SupervisorUnit(units.DefaultProject))
		var runs runningProject
		if readJSON(filepath.Join(a.runtimeDir(units.DefaultProject), projectFile), &runs) == nil {
			taken = taken || runs.Project.Group(project.Name) != nil
		}
		if !taken {
			return nil
		}
		return &exitError{
			code: exitFailed, msg: fmt.Sprintf("group %s of the default project has the slice of this project, %s", project.Name, own),
			hint: "rename one of them, or give the other project a name: [msup] project = NAME",
		}
	}
	var taken []string
	for _, g := range project.Groups {
		_, err := os.Stat(a.runtimeDir(g.Name))
		there := err == nil
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot look for project %s: %w", g.Name, err)
		}
		f, err := bus.Read(ctx, units.SupervisorUnit(g.Name))
		if err != nil {
			return err
		}
		if there || f.LoadState != "not-found" && f.ActiveState != "inactive" && f.ActiveState != "failed" {
			taken = append(taken, fmt.Sprintf("%s is that of project %s, which runs", units.GroupSlice(project.Name, g.Name), g.Name))
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return &exitError{
		code: exitFailed, msg: "slices of groups are taken:\n  " + strings.Join(taken, "\n  "),
		hint: "rename the group, or give this project a name: [msup] project = NAME",
	}
}
