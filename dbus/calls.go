package dbus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"msup/units"

	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sync/errgroup"
)

// property and auxUnit are the D-Bus types (sv) and (sa(sv)) of StartTransientUnit.
type property struct {
	Name  string
	Value godbus.Variant
}

type auxUnit struct {
	Name       string
	Properties []property
}

// call calls a method of the manager and stores its results.
func (c *Conn) call(ctx context.Context, path godbus.ObjectPath, method string, args []any, out ...any) error {
	l, err := c.current()
	if err != nil {
		return err
	}
	if !l.private {
		select {
		case c.calls <- struct{}{}:
			defer func() { <-c.calls }()
		case <-ctx.Done():
			return mapError(ctx.Err())
		}
	}
	return mapError(l.conn.Object(destination, path).CallWithContext(ctx, method, 0, args...).Store(out...))
}

// Start implements [units.Bus].
func (c *Conn) Start(ctx context.Context, unit string, props []units.Property, reset bool) error {
	if reset {
		l, err := c.current()
		if err != nil {
			return err
		}
		// Its answer is not waited for: the manager takes messages in their order, and
		// unloads the failed unit before the next one.
		if err := l.conn.Object(destination, root).Go(manager+".ResetFailedUnit", godbus.FlagNoReplyExpected, nil, unit).Err; err != nil {
			return mapError(err)
		}
	}
	list := make([]property, len(props))
	for i, p := range props {
		list[i] = property{p.Name, godbus.MakeVariant(p.Value)}
	}
	// Mode fail: a job that is there already is not replaced.
	return c.call(ctx, root, manager+".StartTransientUnit", []any{unit, "fail", list, []auxUnit{}}, new(godbus.ObjectPath))
}

// StartAndWait starts a transient unit and waits for the end of its start job. It takes
// events from Events, so it is not for a connection whose events somebody else reads.
func (c *Conn) StartAndWait(ctx context.Context, unit string, props []units.Property) error {
	if err := c.Start(ctx, unit, props, true); err != nil {
		return err
	}
	for {
		select {
		case e := <-c.Events():
			switch e := e.(type) {
			case units.JobRemoved:
				if e.Unit != unit {
					continue
				}
				if e.Result != "done" {
					return fmt.Errorf("the start job of %s ended with %q", unit, e.Result)
				}
				return nil
			case units.Disconnected:
				return fmt.Errorf("cannot see %s start: %w", unit, units.ErrDisconnected)
			}
		case <-ctx.Done():
			return fmt.Errorf("cannot see %s start: %w", unit, ctx.Err())
		}
	}
}

// Stop implements [units.Bus].
func (c *Conn) Stop(ctx context.Context, unit string) error {
	return c.call(ctx, root, manager+".StopUnit", []any{unit, "replace"}, new(godbus.ObjectPath))
}

// Kill implements [units.Bus].
func (c *Conn) Kill(ctx context.Context, unit, who string, signal int32) error {
	return c.call(ctx, root, manager+".KillUnit", []any{unit, who, signal})
}

// Reset implements [units.Bus].
func (c *Conn) Reset(ctx context.Context, unit string) error {
	return c.call(ctx, root, manager+".ResetFailedUnit", []any{unit})
}

// Read implements [units.Bus]. It asks for the unit's path first: reading the properties of
// a unit that is not loaded would load an empty stub, which says "inactive, success".
func (c *Conn) Read(ctx context.Context, unit string) (units.Facts, error) {
	f := units.Facts{Unit: unit, LoadState: "not-found", ActiveState: "inactive", SubState: "dead"}
	path, err := c.path(ctx, unit)
	if err != nil {
		if errors.Is(err, units.ErrNoSuchUnit) {
			err = nil
		}
		return f, err
	}
	return c.facts(ctx, unit, path)
}

func (c *Conn) path(ctx context.Context, unit string) (path godbus.ObjectPath, err error) {
	err = c.call(ctx, root, manager+".GetUnit", []any{unit}, &path)
	return path, err
}

func (c *Conn) facts(ctx context.Context, unit string, path godbus.ObjectPath) (units.Facts, error) {
	f := units.Facts{Unit: unit}
	if iface := typeInterface(unit); iface != "" {
		p, err := c.properties(ctx, path, iface)
		if err != nil {
			return f, err
		}
		typeFacts(&f, p)
	}
	p, err := c.properties(ctx, path, unitInterface)
	if err != nil {
		return f, err
	}
	unitFacts(&f, p)
	return f, nil
}

func typeInterface(unit string) string {
	switch {
	case strings.HasSuffix(unit, ".service"):
		return serviceInterface
	case strings.HasSuffix(unit, ".scope"):
		return scopeInterface
	}
	return ""
}

func (c *Conn) properties(ctx context.Context, path godbus.ObjectPath, iface string) (map[string]godbus.Variant, error) {
	var p map[string]godbus.Variant
	err := c.call(ctx, path, "org.freedesktop.DBus.Properties.GetAll", []any{iface}, &p)
	return p, err
}

// listed is one unit of ListUnitsByPatterns, (ssssssouso).
type listed struct {
	Name, Description, LoadState, ActiveState, SubState, Following string
	Path                                                           godbus.ObjectPath
	JobID                                                          uint32
	JobType                                                        string
	JobPath                                                        godbus.ObjectPath
}

// List implements [units.Bus].
func (c *Conn) List(ctx context.Context, patterns ...string) ([]units.Facts, error) {
	var loaded []listed
	if err := c.call(ctx, root, manager+".ListUnitsByPatterns", []any{[]string{}, patterns}, &loaded); err != nil {
		return nil, err
	}
	facts := make([]units.Facts, len(loaded))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, u := range loaded {
		g.Go(func() (err error) {
			facts[i], err = c.facts(ctx, u.Name, u.Path)
			// Only Read answers for whose unit it is.
			facts[i].Slice, facts[i].FragmentPath, facts[i].Transient = "", "", false
			return err
		})
	}
	return facts, g.Wait()
}

// JobType is the type of the unit's job: start, stop, restart …; "" = it has none.
func (c *Conn) JobType(ctx context.Context, unit string) (string, error) {
	path, err := c.path(ctx, unit)
	if err != nil {
		return "", err
	}
	p, err := c.properties(ctx, path, unitInterface)
	if err != nil {
		return "", err
	}
	job, ok := p["Job"].Value().([]any)
	if !ok || len(job) != 2 || job[0] == uint32(0) {
		return "", nil
	}
	jobPath, _ := job[1].(godbus.ObjectPath)
	p, err = c.properties(ctx, jobPath, "org.freedesktop.systemd1.Job")
	return str(p["JobType"]), err
}

// StatusText is what the service has last said of itself with sd_notify(3) STATUS=.
func (c *Conn) StatusText(ctx context.Context, unit string) (string, error) {
	path, err := c.path(ctx, unit)
	if err != nil {
		return "", err
	}
	p, err := c.properties(ctx, path, serviceInterface)
	return str(p["StatusText"]), err
}
