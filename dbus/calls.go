package dbus

import (
	"context"
	"errors"
	"path"
	"strconv"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

// existsWait is how long Start waits for a unit of the same name to be unloaded.
const existsWait = 100 * time.Millisecond

// call makes one call and returns the body of the answer.
func (c *Conn) call(ctx context.Context, object godbus.ObjectPath, method string, args ...any) ([]any, error) {
	l, err := c.current()
	if err != nil {
		return nil, err
	}
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	defer l.release()
	call := l.conn.Object(busName, object).CallWithContext(ctx, method, 0, args...)
	return call.Body, mapError(ctx, call.Err)
}

func (c *Conn) manager(ctx context.Context, method string, args ...any) ([]any, error) {
	return c.call(ctx, managerPath, managerIface+"."+method, args...)
}

// acquire keeps the calls in flight on a bus below dbus-daemon's limit.
func (l *link) acquire(ctx context.Context) error {
	if l.slots == nil {
		return nil
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return mapError(ctx, ctx.Err())
	}
}

func (l *link) release() {
	if l.slots != nil {
		<-l.slots
	}
}

// Start implements [units.Bus].
//
// The reset goes ahead of the start on the wire, and nobody waits for its answer: the
// manager unloads the failed unit before it looks at the next message. A reset is not sent
// unasked, not to spare the call, but because it makes the Result of a unit that is still
// ending "success" (service.c, service_reset_failed).
//
// When a unit of that name is loaded nevertheless, Start waits a moment for systemd to
// unload it and tries once more.
func (c *Conn) Start(ctx context.Context, unit string, props []units.Property, reset bool, aux ...units.Aux) error {
	w := c.watch(unit)
	defer c.unwatch(w)
	_, err := c.start(ctx, w, props, reset, aux)
	return err
}

// start queues a start and returns the number of its job.
func (c *Conn) start(ctx context.Context, w *watch, props []units.Property, reset bool, aux []units.Aux) (uint32, error) {
	list, err := properties(props)
	if err != nil {
		return 0, err
	}
	auxUnits, err := auxUnits(aux)
	if err != nil {
		return 0, err
	}
	job, err := c.startTransient(ctx, w.unit, list, reset, auxUnits)
	if !errors.Is(err, units.ErrUnitExists) || (!w.awaitRemoved(ctx, existsWait) && !reset) {
		return job, err
	}
	return c.startTransient(ctx, w.unit, list, reset, auxUnits)
}

func (c *Conn) startTransient(ctx context.Context, unit string, props []property, reset bool, aux []auxUnit) (uint32, error) {
	l, err := c.current()
	if err != nil {
		return 0, err
	}
	if err := l.acquire(ctx); err != nil {
		return 0, err
	}
	defer l.release()
	manager := l.conn.Object(busName, managerPath)
	if reset {
		manager.Go(managerIface+".ResetFailedUnit", godbus.FlagNoReplyExpected, nil, unit)
	}
	call := manager.CallWithContext(ctx, managerIface+".StartTransientUnit", 0, unit, "fail", props, aux)
	if call.Err != nil {
		return 0, mapError(ctx, call.Err)
	}
	return jobOf(call.Body), nil
}

// jobOf is the number of the job in an answer: the object path ends in it.
func jobOf(body []any) uint32 {
	var job godbus.ObjectPath
	if len(body) > 0 {
		set(&job, body[0])
	}
	id, _ := strconv.ParseUint(path.Base(string(job)), 10, 32)
	return uint32(id)
}

// awaitRemoved waits until the unit was unloaded, d at most, and reports whether it was.
func (w *watch) awaitRemoved(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		w.mu.Lock()
		removed, lost := w.removed, w.lost
		w.mu.Unlock()
		if removed || lost {
			return removed
		}
		select {
		case <-w.wake:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// StartUnit implements [units.Bus].
func (c *Conn) StartUnit(ctx context.Context, unit string) error {
	_, err := c.manager(ctx, "StartUnit", unit, "replace")
	return err
}

// RestartUnit implements [units.Bus].
func (c *Conn) RestartUnit(ctx context.Context, unit string) error {
	_, err := c.manager(ctx, "RestartUnit", unit, "replace")
	return err
}

// Stop implements [units.Bus].
func (c *Conn) Stop(ctx context.Context, unit string) error {
	_, err := c.manager(ctx, "StopUnit", unit, "replace")
	return err
}

// Kill implements [units.Bus].
func (c *Conn) Kill(ctx context.Context, unit, who string, signal int32) error {
	_, err := c.manager(ctx, "KillUnit", unit, who, signal)
	return err
}

// Reset implements [units.Bus].
func (c *Conn) Reset(ctx context.Context, unit string) error {
	_, err := c.manager(ctx, "ResetFailedUnit", unit)
	return err
}

// SetProperties implements [units.Bus].
func (c *Conn) SetProperties(ctx context.Context, unit string, props []units.Property) error {
	list, err := properties(props)
	if err != nil {
		return err
	}
	_, err = c.manager(ctx, "SetUnitProperties", unit, true, list)
	return err
}
