package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Foreign tells why a loaded unit is not one of the project's: in words for the user, ""
// when it is ours. f must come from [Bus.Read] or [Bus.List]. Ours are transient units in the
// slice of the project or of a group, ordered after the project's supervisor; a unit file of
// the same name, or another project's unit, is never touched.
func Foreign(f Facts, project string) string {
	switch {
	case !f.Transient && f.FragmentPath != "":
		return fmt.Sprintf("%s exists and is not msup's: %s", f.Unit, f.FragmentPath)
	case !f.Transient:
		return fmt.Sprintf("%s exists and is not msup's (LoadState=%s)", f.Unit, f.LoadState)
	}
	own := slices.Contains(f.Supervisors, SupervisorUnit(project))
	// Of msup-web.slice nothing but After= tells whether it is a group's or another project's.
	unnamed := len(f.Supervisors) == 0 && (project != DefaultProject || f.Slice == SliceName(project))
	switch {
	case (own || unnamed) && inProject(f.Slice, project), own && strings.HasSuffix(f.Unit, ".timer"): // it is in no slice
		return ""
	case len(f.Supervisors) > 0 && !own:
		return fmt.Sprintf("%s belongs to %s", f.Unit, ofSupervisor(f.Supervisors[0]))
	case f.Slice == SliceName(DefaultProject):
		return fmt.Sprintf("%s belongs to the default project of msup", f.Unit)
	case strings.HasPrefix(f.Slice, "msup-"):
		other, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(f.Slice, "msup-"), ".slice"), "-")
		return fmt.Sprintf("%s belongs to the msup project %q", f.Unit, other)
	}
	return fmt.Sprintf("%s exists and is not msup's: a transient unit in %s", f.Unit, f.Slice)
}

// cleanUp removes what a project leaves in systemd after its programs have stopped: units
// of programs the configuration no longer has, and the slices. A slice stays while anything
// of another project lives below it.
func cleanUp(ctx context.Context, bus Bus, project Project) error {
	if err := stopCompanions(ctx, bus, project.Name); err != nil {
		return err
	}
	list, err := bus.List(ctx, "msup-*.service", "msup-*.scope")
	if err != nil {
		return err
	}
	for _, f := range list {
		switch {
		case Foreign(f, project.Name) != "":
		case f.ActiveState == "failed":
			err = bus.Reset(ctx, f.Unit)
		default:
			err = bus.Stop(ctx, f.Unit)
		}
		if err != nil && !errors.Is(err, ErrNoSuchUnit) {
			return err
		}
	}
	return stopSlices(ctx, bus, project)
}

// StopCommonSlice stops msup.slice, unless something lives in it or below. The caller sees
// to it that no project is coming up meanwhile.
func StopCommonSlice(ctx context.Context, bus Bus) error {
	common := SliceName(DefaultProject)
	list, err := bus.List(ctx, "msup-*.service", "msup-*.scope", "msup-*.slice")
	if err != nil {
		return err
	}
	for _, f := range list {
		slice := strings.HasSuffix(f.Unit, ".slice")
		if (slice || f.Slice == common) && f.ActiveState != "inactive" && f.ActiveState != "failed" {
			return nil
		}
	}
	return stopAndWait(ctx, bus, common)
}

// stopCompanions stops the units that start programs of a project.
func stopCompanions(ctx context.Context, bus Bus, project string) error {
	list, err := bus.List(ctx, companionPatterns(project)...)
	for _, f := range list {
		if Foreign(f, project) == "" {
			err = errors.Join(err, stopAndWait(ctx, bus, f.Unit))
		}
	}
	return err
}

// StopLeftovers stops the units of a project that runs without a supervisor, the last
// program's first, and each when those that depend on it are gone; waits until all are, and
// cleans up. It returns how many there were.
func StopLeftovers(ctx context.Context, bus Bus, project Project) (int, error) {
	if err := stopCompanions(ctx, bus, project.Name); err != nil { // first, so that they start nothing more
		return 0, err
	}
	n := 0
	edges := Edges(project.Programs)
	order, _ := Order(len(project.Programs), edges)
	stopping := map[int]bool{}
	for _, i := range slices.Backward(order) {
		p := project.Programs[i]
		f, err := bus.Read(ctx, p.Unit)
		if err != nil {
			return n, err
		}
		if f.LoadState == "not-found" || Foreign(f, project.Name) != "" {
			continue
		}
		n++
		if f.ActiveState == "failed" {
			if err := bus.Reset(ctx, p.Unit); err != nil && !errors.Is(err, ErrNoSuchUnit) {
				return n, err
			}
			continue
		}
		for _, e := range edges {
			if e.To == i && stopping[e.From] {
				if err := awaitStopped(ctx, bus, project.Programs[e.From].Unit); err != nil {
					return n, err
				}
			}
		}
		if err := bus.Stop(ctx, p.Unit); err != nil && !errors.Is(err, ErrNoSuchUnit) {
			return n, err
		}
		stopping[i] = true
	}
	for i := range stopping {
		if err := awaitStopped(ctx, bus, project.Programs[i].Unit); err != nil {
			return n, err
		}
	}
	return n, cleanUp(ctx, bus, project)
}

// awaitStopped waits until a unit that is being stopped is gone.
func awaitStopped(ctx context.Context, bus Bus, unit string) error {
	for {
		f, err := bus.Read(ctx, unit)
		if err != nil {
			return err
		}
		if f.ActiveState == "inactive" || f.ActiveState == "failed" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot see %s stop: %w", unit, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
