package units_test

import (
	"strings"

	"msup/units"
)

// The fake's slices, of which most come into being by what is in them.

func isOrder(name string) bool { return strings.HasSuffix(name, ":order.slice") }

// startSlice makes a transient slice, also of one that only came into being.
func (f *fakeSystemd) startSlice(name string, props []units.Property) error {
	if f.sliceErr != nil {
		return f.sliceErr
	}
	if u := f.units[name]; u != nil && u.facts.Transient {
		return units.ErrUnitExists
	}
	u := f.implicit(name)
	u.facts.Transient, u.facts.Supervisors, u.props = true, supervisors(props), asMap(props)
	return nil
}

// place has the slice of a unit come into being, as systemd does.
func (f *fakeSystemd) place(props []units.Property) string {
	slice, _ := asMap(props)["Slice"].(string)
	if slice == "" {
		slice = "system.slice"
	}
	if f.units[slice] == nil && slice != "msup.slice" {
		f.units[slice] = f.implicit(slice)
	}
	return slice
}

func (f *fakeSystemd) implicit(name string) *fakeUnit {
	if f.units[name] == nil {
		f.units[name] = &fakeUnit{facts: units.Facts{Unit: name, LoadState: "loaded", ActiveState: "active", SubState: "active"}}
	}
	return f.units[name]
}
