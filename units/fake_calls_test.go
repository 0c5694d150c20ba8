package units_test

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"msup/units"
)

// What the fake is asked for, and what it answers.

func (f *fakeSystemd) Start(_ context.Context, name string, props []units.Property, reset bool, aux ...units.Aux) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	if isOrder(name) {
		f.ordered = f.orderErr == nil
		return f.orderErr
	}
	f.started = append(f.started, name)
	if f.environments == nil {
		f.environments = map[string][]string{}
	}
	f.environments[name], _ = asMap(props)["Environment"].([]string)
	f.traced("systemd: start " + name)
	switch {
	case strings.HasSuffix(name, ".slice"):
		return f.startSlice(name, props)
	case strings.HasSuffix(name, ".timer"):
		return f.startTimer(name, props)
	}
	if u := f.units[name]; u != nil {
		if u.facts.ActiveState != "failed" {
			f.traced("WRONG: second copy of " + name + " " + u.facts.ActiveState + " " + u.facts.SubState)
			f.wrong = append(f.wrong, "second copy of "+name)
			return units.ErrUnitExists
		}
		if !reset {
			f.wrong = append(f.wrong, "start of the failed "+name)
			return units.ErrUnitExists
		}
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
	}
	if strings.HasSuffix(name, ".socket") {
		return f.startSocket(name, props, aux)
	}
	u := f.loaded(name, props)
	f.units[name] = u
	return f.launch(name, u)
}

func (f *fakeSystemd) StartUnit(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	f.traced("systemd: start unit " + name)
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if u.facts.ActiveState == "active" || u.facts.ActiveState == "activating" {
		return nil
	}
	f.started = append(f.started, name)
	if u.facts.ActiveState == "deactivating" {
		u.again = true
		return nil
	}
	return f.launch(name, u)
}

func (f *fakeSystemd) RestartUnit(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	f.traced("systemd: restart unit " + name)
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if u.facts.SubState != "exited" {
		f.wrong = append(f.wrong, "restart of "+name+", which is "+u.facts.SubState)
	}
	f.started = append(f.started, name)
	u.facts.ActiveState, u.facts.SubState = "inactive", "dead"
	return f.launch(name, u)
}

func (f *fakeSystemd) Stop(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	if f.stopErr != nil {
		return f.stopErr
	}
	if isOrder(name) {
		f.ordered = false
		return nil
	}
	f.stopped = append(f.stopped, name)
	f.traced("systemd: stop " + name)
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if strings.HasSuffix(name, ".timer") {
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
		return nil
	}
	if strings.HasSuffix(name, ".slice") {
		for other, in := range f.units {
			if in.facts.Slice == name && in.facts.ActiveState == "active" {
				f.stop(other, in)
			}
		}
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
		return nil
	}
	f.stop(name, u)
	return nil
}

// Reload fails as the test wants, after the time that it takes.
func (f *fakeSystemd) Reload(_ context.Context, name string) error {
	f.mu.Lock()
	f.traced("systemd: reload " + name)
	err, takes := f.reloadErr, f.reloadTakes
	f.mu.Unlock()
	time.Sleep(takes)
	return err
}

func (f *fakeSystemd) Kill(context.Context, string, string, int32) error { return nil }

// SetProperties notes what was set. As in systemd, the unit must be loaded.
func (f *fakeSystemd) SetProperties(_ context.Context, name string, props []units.Property) error {
	defer func() { time.Sleep(f.setTakes) }()
	time.Sleep(f.setLate)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if f.setErr != nil {
		return f.setErr
	}
	u.set(props)
	f.traced("systemd: set " + name)
	return nil
}

func (u *fakeUnit) set(props []units.Property) {
	if u.props == nil {
		u.props = map[string]any{}
	}
	for _, p := range props {
		u.props[p.Name] = p.Value
	}
}

func (f *fakeSystemd) Properties(_ context.Context, name string, names ...string) (map[string]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return nil, units.ErrDisconnected
	}
	u := f.units[name]
	if u == nil {
		return nil, units.ErrNoSuchUnit
	}
	out := map[string]any{}
	for _, n := range names {
		switch v := u.props[n].(type) {
		case nil:
		case []units.ExecCommand:
			var rows [][]any
			for _, c := range v {
				rows = append(rows, []any{c.Path, c.Argv, c.IgnoreFailure})
			}
			out[n] = rows
		default:
			out[n] = v
		}
	}
	return out, nil
}

func (f *fakeSystemd) Reset(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if u.facts.ActiveState == "failed" {
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
	}
	return nil
}

func (f *fakeSystemd) Read(_ context.Context, name string) (units.Facts, error) {
	defer func() { time.Sleep(f.readLate) }()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.Facts{}, units.ErrDisconnected
	}
	if u := f.units[name]; u != nil {
		return u.facts, nil
	}
	if isOrder(name) && f.ordered {
		return units.Facts{Unit: name, LoadState: "loaded", ActiveState: "active"}, nil
	}
	return units.Facts{Unit: name, LoadState: "not-found", ActiveState: "inactive", Result: "success"}, nil
}

func (f *fakeSystemd) List(_ context.Context, patterns ...string) ([]units.Facts, error) {
	defer func() { time.Sleep(f.late) }()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return nil, units.ErrDisconnected
	}
	var out []units.Facts
	for _, name := range slices.Sorted(maps.Keys(f.units)) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, name); ok {
				out = append(out, f.units[name].facts)
				break
			}
		}
	}
	return out, nil
}
