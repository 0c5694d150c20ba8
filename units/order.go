package units

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Programs are to end before the supervisor when the machine shuts down. If they were ordered
// after its unit, systemd would also not start it as long as one of them is being stopped,
// for it does what stops before what starts, whichever comes first in the order
// (systemd.unit(5), Before=). A supervisor killed while a program takes an hour to stop would
// be away for an hour. So between them stands an empty slice, which nobody starts or stops
// meanwhile: programs are ordered after it, and it after the supervisor.

// The colon in the name of such a slice makes it nobody else's. Slices have no instances.
const (
	orderPrefix = "msup:"
	orderSuffix = "order.slice"
)

// OrderUnit is the slice that the units of a project are ordered after: msup:order.slice, in
// project shop msup:shop:order.slice.
func OrderUnit(project string) string {
	if project == DefaultProject {
		return orderPrefix + orderSuffix
	}
	return orderPrefix + project + ":" + orderSuffix
}

// SupervisorOf tells whose a unit is that is ordered after another one: that of a supervisor,
// "" if the other one has nothing to do with any. Slices are ordered after the supervisor
// itself, as all units of earlier versions were.
func SupervisorOf(after string) string {
	switch rest, ok := strings.CutPrefix(after, orderPrefix); {
	case IsSupervisor(after):
		return after
	case !ok:
	case rest == orderSuffix:
		return SupervisorUnit(DefaultProject)
	default:
		if project, ok := strings.CutSuffix(rest, ":"+orderSuffix); ok {
			return SupervisorUnit(project)
		}
	}
	return ""
}

// order is that slice as a companion of the project.
type order struct{ project string }

func (o order) Name() string       { return OrderUnit(o.project) }
func (o order) Holds(Program) bool { return true }

func (o order) Ensure(ctx context.Context, bus Bus) error {
	for {
		f, err := bus.Read(ctx, o.Name())
		switch {
		case err != nil:
			return err
		case f.ActiveState == "active" && f.JobID == 0:
			return nil
		case f.JobID != 0:
		case f.Transient: // somebody has stopped it, and sockets keep it loaded with their service
			if err := bus.StartUnit(ctx, o.Name()); err != nil && !errors.Is(err, ErrNoSuchUnit) {
				return err
			}
		case f.LoadState == "not-found" || f.ActiveState == "inactive": // or it came into being with what is ordered after it
			if err := bus.Start(ctx, o.Name(), o.properties(), false); err == nil || !errors.Is(err, ErrUnitExists) {
				return err
			}
		}
		select { // a job is on its way
		case <-ctx.Done():
			return fmt.Errorf("%s is %s: %w", o.Name(), f.ActiveState, ctx.Err())
		case <-time.After(sliceRetry):
		}
	}
}

func (o order) properties() []Property {
	supervisor := SupervisorUnit(o.project)
	return []Property{
		{"Description", "msup: programs end before " + supervisor},
		{"After", []string{supervisor}},
	}
}
