package dbus

import (
	"context"
	"errors"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

// This file is what the command line needs beyond units.Bus.

// SystemState is the state of the manager as systemctl is-system-running prints it:
// running, degraded, stopping …
func (c *Conn) SystemState(ctx context.Context) (string, error) {
	var state string
	err := c.property(ctx, managerPath, managerIface, "SystemState", &state)
	return state, err
}

// StatusText is what the unit last said about itself (STATUS= of sd_notify(3)).
func (c *Conn) StatusText(ctx context.Context, unit string) (string, error) {
	if _, err := c.manager(ctx, "GetUnit", unit); err != nil {
		return "", err
	}
	var text string
	err := c.property(ctx, unitPath(unit), serviceIface, "StatusText", &text)
	return text, err
}

// JobType is what the unit's job is about to do: start, stop, restart …; "" when it has
// no job.
func (c *Conn) JobType(ctx context.Context, unit string) (string, error) {
	if _, err := c.manager(ctx, "GetUnit", unit); err != nil {
		return "", err
	}
	var job []any
	if err := c.property(ctx, unitPath(unit), unitIface, "Job", &job); err != nil {
		return "", err
	}
	var path godbus.ObjectPath
	if len(job) == 2 {
		set(&path, job[1])
	}
	if path == "" || path == "/" {
		return "", nil
	}
	var kind string
	err := c.property(ctx, path, "org.freedesktop.systemd1.Job", "JobType", &kind)
	var e *Error
	if errors.As(err, &e) && e.kind == nil {
		return "", nil // the job ended meanwhile and took its object along
	}
	return kind, err
}

// StartAndWait starts a transient unit and waits until its start job ended: for
// Type=notify until the service is ready. A failed transient unit of that name is reset
// first, others are not touched. A job that did not end well is a [JobError].
func (c *Conn) StartAndWait(ctx context.Context, unit string, props []units.Property) error {
	w := c.watch(unit)
	defer c.unwatch(w)
	job, err := c.start(ctx, w, props, false, nil)
	if errors.Is(err, units.ErrUnitExists) {
		f, readErr := c.Read(ctx, unit)
		if readErr == nil && f.Transient && f.ActiveState == "failed" {
			job, err = c.start(ctx, w, props, true, nil)
		}
	}
	if err != nil {
		return err
	}
	return w.await(ctx, job, "started")
}

// Reload implements [units.Bus].
func (c *Conn) Reload(ctx context.Context, unit string) error {
	w := c.watch(unit)
	defer c.unwatch(w)
	body, err := c.manager(ctx, "ReloadUnit", unit, "replace")
	if err != nil {
		return err
	}
	return w.await(ctx, jobOf(body), "was reloaded")
}

// await waits until a job of the unit has ended, and returns a [JobError] if not well.
func (w *watch) await(ctx context.Context, job uint32, doing string) error {
	for {
		w.mu.Lock()
		result, ended := w.results[job]
		lost := w.lost
		w.mu.Unlock()
		switch {
		case ended && result == "done":
			return nil
		case ended:
			return &JobError{Unit: w.unit, Result: result}
		case lost:
			return &disconnectedError{cause: errors.New("it was lost while " + w.unit + " " + doing)}
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return mapError(ctx, ctx.Err())
		}
	}
}

// property reads one property into to; a value of another type leaves it as it is.
func (c *Conn) property(ctx context.Context, object godbus.ObjectPath, iface, name string, to any) error {
	body, err := c.call(ctx, object, propsIface+".Get", iface, name)
	if err != nil || len(body) == 0 {
		return err
	}
	v, ok := body[0].(godbus.Variant)
	if !ok {
		return nil
	}
	switch to := to.(type) {
	case *string:
		set(to, v.Value())
	case *[]any:
		set(to, v.Value())
	}
	return nil
}
