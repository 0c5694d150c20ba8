package dbus

import (
	"context"
	"errors"
	"sync"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

// listWindow is how many units List asks for at a time.
const listWindow = 32

// Read implements [units.Bus]. It asks whether the unit is loaded first, because reading
// the properties of one that is not makes systemd load an empty stub, "inactive, success",
// and unload it again with a signal (observed with 252 and 257).
func (c *Conn) Read(ctx context.Context, unit string) (units.Facts, error) {
	if _, err := c.manager(ctx, "GetUnit", unit); errors.Is(err, units.ErrNoSuchUnit) {
		return notLoaded(unit), nil
	} else if err != nil {
		return units.Facts{Unit: unit}, err
	}
	return c.getAll(ctx, unit)
}

// getAll reads every property of a unit at one moment: an empty interface name means all
// interfaces (sd-bus' bus-objects.c, property_get_all_callbacks_run; systemctl show does it).
func (c *Conn) getAll(ctx context.Context, unit string) (units.Facts, error) {
	f := units.Facts{Unit: unit}
	body, err := c.call(ctx, unitPath(unit), propsIface+".GetAll", "")
	if err != nil {
		return f, err
	}
	if len(body) > 0 {
		if props, ok := body[0].(map[string]godbus.Variant); ok {
			setFacts(&f, props)
			f.Commands = inOrder(f.Commands)
		}
	}
	if f.LoadState == "not-found" && f.InvocationID == "" {
		return notLoaded(unit), nil // a stub
	}
	return f, nil
}

// Properties implements [units.Bus].
func (c *Conn) Properties(ctx context.Context, unit string, names ...string) (map[string]any, error) {
	if _, err := c.manager(ctx, "GetUnit", unit); err != nil {
		return nil, err
	}
	body, err := c.call(ctx, unitPath(unit), propsIface+".GetAll", "")
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(names))
	if len(body) > 0 {
		props, _ := body[0].(map[string]godbus.Variant)
		for _, name := range names {
			if v, ok := props[name]; ok {
				out[name] = v.Value()
			}
		}
	}
	return out, nil
}

func notLoaded(unit string) units.Facts {
	return units.Facts{Unit: unit, LoadState: "not-found", ActiveState: "inactive", SubState: "dead"}
}

// List implements [units.Bus]. Without a pattern there is none that could match.
func (c *Conn) List(ctx context.Context, patterns ...string) ([]units.Facts, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	body, err := c.manager(ctx, "ListUnitsByPatterns", []string{}, patterns)
	if err != nil {
		return nil, err
	}
	names := listedUnits(body)
	facts := make([]units.Facts, len(names))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, listWindow)
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			facts[i], errs[i] = c.getAll(ctx, name)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	loaded := facts[:0]
	for _, f := range facts {
		if f.LoadState != "not-found" {
			loaded = append(loaded, f)
		}
	}
	return loaded, nil
}

// listedUnits takes the names of the loaded units from an answer of type a(ssssssouso):
// name, description, load state…
func listedUnits(body []any) []string {
	if len(body) == 0 {
		return nil
	}
	rows, _ := body[0].([][]any)
	var names []string
	for _, row := range rows {
		if len(row) < 3 {
			continue
		}
		var name, load string
		set(&name, row[0])
		set(&load, row[2])
		if name != "" && load != "not-found" {
			names = append(names, name)
		}
	}
	return names
}
