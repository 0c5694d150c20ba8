package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Programs of a group, and those of a project, share a slice, whose limits hold for them
// together. A slice that nobody has made comes into being with the first unit in it, without
// limits; so the supervisor makes those that have any before it starts a program.

// Slice is a slice that a project wants.
type Slice struct {
	Unit        string // "msup-web.slice"
	Group       string // "" = the project's own
	Description string
	Supervisor  string // unit of the project's supervisor
	Limits      Limits
}

// Slices lists the slices of a project: its own, and one for each group.
func Slices(p Project) []Slice {
	supervisor := SupervisorUnit(p.Name)
	own := "msup project " + p.Name
	if p.Name == DefaultProject {
		own = "msup projects"
	}
	out := []Slice{{Unit: SliceName(p.Name), Description: own, Supervisor: supervisor, Limits: p.Limits}}
	for _, g := range p.Groups {
		out = append(out, Slice{Unit: GroupSlice(p.Name, g.Name), Group: g.Name, Description: g.Description, Supervisor: supervisor, Limits: g.Limits})
	}
	return out
}

// Name is the name of its unit.
func (s Slice) Name() string { return s.Unit }

// Ensure is [EnsureSlice].
func (s Slice) Ensure(ctx context.Context, bus Bus) error { return EnsureSlice(ctx, bus, s) }

// Holds reports whether a program goes into the slice.
func (s Slice) Holds(def Program) bool { return s.Group == "" || s.Group == def.InGroup }

// Limited reports whether the slice has limits.
func (s Slice) Limited() bool { return s.Limits != Limits{} }

// wanted reports whether the slice is to be made, rather than left to come into being.
func (s Slice) wanted() bool { return s.Limited() || s.Group != "" }

// Properties lists what the transient slice is made with.
func (s Slice) Properties() []Property {
	props := []Property{
		{"Description", s.Description},
		// Says whose it is (see Foreign), and at shutdown it is gone before the supervisor, as
		// its programs are.
		{"After", []string{s.Supervisor}},
	}
	return append(props, limitProperties(s.Limits)...)
}

// Settings lists what of the slice can be changed, each property with its value: limits that
// it does not have with what lifts them.
func (s Slice) Settings() []Property {
	return append([]Property{{"Description", s.Description}}, allLimits(s.Limits)...)
}

// allLimits is the limits of l, and for those that it does not have that there is none.
func allLimits(l Limits) []Property {
	given := map[string]any{}
	for _, p := range limitProperties(l) {
		given[p.Name] = p.Value
	}
	out := make([]Property, len(limitNames))
	for i, name := range limitNames {
		out[i] = Property{name, Infinity} // of a weight: the kernel's own
		if v, ok := given[name]; ok {
			out[i].Value = v
		}
	}
	return out
}

// limitNames are the properties of limitProperties that are limits; all have type t.
var limitNames = []string{"MemoryMax", "MemoryHigh", "MemorySwapMax", "CPUQuotaPerSecUSec", "CPUWeight", "IOWeight", "TasksMax"}

// EnsureSlice brings a slice to what the definition says: it is made where it is not, and
// one that was made earlier gets what it has not. One that only came into being is made too,
// with the units in it: for a unit without a file or properties of its own StartTransientUnit
// does that, while SetUnitProperties would leave files behind that no stop removes.
func EnsureSlice(ctx context.Context, bus Bus, s Slice) error {
	f, err := bus.Read(ctx, s.Unit)
	for absent := 0; ; {
		if err != nil {
			return err
		}
		if why := s.Foreign(f); why != "" {
			return fmt.Errorf("%w: %s", ErrForeignSlice, why)
		}
		if f.Transient {
			break
		}
		if !s.wanted() || f.FragmentPath != "" {
			return nil
		}
		if err = bus.Start(ctx, s.Unit, s.Properties(), false); !errors.Is(err, ErrUnitExists) {
			return err
		}
		// It is coming into being in this moment: that has a job, which nothing can be made of.
		// Or it is not loaded at all, and has a unit file.
		if f.LoadState == "not-found" {
			absent++
		}
		if absent > mostAbsent && !s.Limited() {
			return nil
		} else if absent > mostAbsent {
			return fmt.Errorf("%w: %s has a unit file: its limits belong there", ErrForeignSlice, s.Unit)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(sliceRetry):
		}
		f, err = bus.Read(ctx, s.Unit)
	}
	differ, err := differing(ctx, bus, s.Unit, s.Settings())
	if err != nil || len(differ) == 0 {
		return err
	}
	return bus.SetProperties(ctx, s.Unit, differ)
}

// sliceRetry is the time between two looks at a slice that has a job.
const sliceRetry = 20 * time.Millisecond

// mostAbsent is how often a slice may be gone again after its name was taken.
const mostAbsent = 3

// differing lists those of these properties that the unit has not.
func differing(ctx context.Context, bus Bus, unit string, props []Property) ([]Property, error) {
	names := make([]string, len(props))
	for i, p := range props {
		names[i] = p.Name
	}
	has, err := bus.Properties(ctx, unit, names...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(props, func(p Property) bool {
		v, ok := has[p.Name]
		return v == p.Value || !ok && p.Value == Infinity
	}), nil
}

// ErrForeignSlice is a slice of that name that is not the project's.
var ErrForeignSlice = errors.New("the slice is not the project's")

// Foreign tells, in words, why a loaded slice is not to be changed, "" when it may be. A file that somebody has
// written for a slice stays in force, where the configuration has no limits for it.
func (s Slice) Foreign(f Facts) string {
	switch {
	case f.LoadState == "not-found":
		return ""
	case !f.Transient && f.FragmentPath != "" && s.Limited():
		return fmt.Sprintf("%s has a unit file, %s: its limits belong there", s.Unit, f.FragmentPath)
	case f.Transient && s.wanted() && len(f.Supervisors) > 0 && !slices.Contains(f.Supervisors, s.Supervisor):
		return fmt.Sprintf("%s belongs to %s", s.Unit, ofSupervisor(f.Supervisors[0]))
	case f.Transient && s.wanted() && len(f.Supervisors) == 0:
		return fmt.Sprintf("%s exists and is not msup's: a transient slice", s.Unit)
	}
	return ""
}

// stopSlices stops the slices of a project that is down.
func stopSlices(ctx context.Context, bus Bus, project Project) error {
	if err := stopAndWait(ctx, bus, OrderUnit(project.Name)); err != nil {
		return err
	}
	list, err := bus.List(ctx, "msup-*.slice")
	if err != nil {
		return err
	}
	for _, f := range list {
		if !inProject(f.Unit, project.Name) || f.Unit == SliceName(project.Name) {
			continue
		}
		if project.Name == DefaultProject && !isJoint(f.Unit, project.Name) && !slices.Contains(f.Supervisors, SupervisorUnit(project.Name)) {
			// Not made by its supervisor: a group's that came into being, or another project's.
			if len(f.Supervisors) > 0 || !isGroup(project, f.Unit) {
				continue
			}
			if used, err := inUse(ctx, bus, f.Unit); err != nil || used {
				return err
			}
		}
		if err := stopAndWait(ctx, bus, f.Unit); err != nil {
			return err
		}
	}
	if project.Name != DefaultProject {
		return stopAndWait(ctx, bus, SliceName(project.Name))
	}
	// Its slice is the parent of all others, and stays while there is one of these (see
	// StopCommonSlice); the limits do not.
	common := Slices(Project{Name: DefaultProject})[0]
	if f, err := bus.Read(ctx, common.Unit); err != nil || !slices.Contains(f.Supervisors, common.Supervisor) {
		return err
	}
	return EnsureSlice(ctx, bus, common)
}

func isGroup(p Project, slice string) bool {
	return slices.ContainsFunc(p.Groups, func(g Group) bool { return GroupSlice(p.Name, g.Name) == slice })
}

// inUse reports whether a unit of msup is active in the slice.
func inUse(ctx context.Context, bus Bus, slice string) (bool, error) {
	list, err := bus.List(ctx, "msup-*.service", "msup-*.scope")
	return slices.ContainsFunc(list, func(f Facts) bool {
		return f.Slice == slice && f.ActiveState != "inactive" && f.ActiveState != "failed"
	}), err
}
