package units_test

import (
	"testing"

	"msup/units"
)

// Whose limit it was is told where it is known, and where it is not nobody is blamed.
func TestMemoryWords(t *testing.T) {
	peak, limit, slice := new(25*mib), new(60*mib), new(50*mib)
	for _, tt := range []struct {
		m    units.Memory
		want string
	}{
		{units.Memory{}, ""},
		{units.Memory{Peak: peak}, " (peak 25.0M)"},
		{units.Memory{Limit: limit}, " (limit 60M)"},
		{units.Memory{Peak: peak, Limit: limit}, " (peak 25.0M of 60M)"},
		{units.Memory{Peak: peak, Limit: limit, Above: "msup-g.slice", Blame: units.Blame{NotSlice: true}}, " (peak 25.0M of 60M)"},
		{units.Memory{Peak: peak, Limit: limit, Above: "msup-g.slice"}, " (peak 25.0M; by its limit, 60M, or that of msup-g.slice)"},
		{units.Memory{Limit: limit, Above: "msup-g.slice"}, " (by its limit, 60M, or that of msup-g.slice)"},
		{units.Memory{Peak: peak, Above: "msup-g.slice"}, " (peak 25.0M; perhaps by the limit of msup-g.slice)"},
		{units.Memory{Above: "msup-g.slice"}, " (perhaps by the limit of msup-g.slice)"},
		{units.Memory{Peak: peak, Limit: limit, Blame: units.Blame{NotOwn: true, NotSlice: true}}, " (peak 25.0M)"},
		{units.Memory{Peak: peak, Limit: limit, Above: "msup-g.slice", Blame: units.Blame{Slice: "msup-g.slice", Limit: slice, NotOwn: true}}, " by the limit of msup-g.slice, 50M (peak 25.0M)"},
		{units.Memory{Blame: units.Blame{Slice: "user-1000.slice", NotOwn: true}}, " by the limit of user-1000.slice"},
	} {
		if got := tt.m.String(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.m, got, tt.want)
		}
	}
}
