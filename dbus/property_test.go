package dbus

import (
	"reflect"
	"slices"
	"testing"

	godbus "github.com/godbus/dbus/v5"

	table "msup/property"
	"msup/units"
)

// Every value that a setting of systemd's comes to is of the D-Bus type that the table has
// for it, and goes over the wire.
func TestPropertyTypes(t *testing.T) {
	checked := 0
	for _, e := range table.Entries() {
		for _, example := range append([]string{""}, e.Examples...) {
			for _, version := range []int{table.Oldest, table.Newest} {
				props, err := e.Parse([]string{example}, version)
				if err != nil {
					if example != "" {
						t.Errorf("%s=%s: %v", e.Name, example, err)
					}
					continue
				}
				var sent []units.Property
				for _, p := range props {
					sent = append(sent, units.Property(p))
				}
				list, err := properties(sent)
				if err != nil {
					t.Errorf("%s=%s: %v", e.Name, example, err)
					continue
				}
				for _, p := range list {
					checked++
					got := table.Typed{Name: p.Name, Type: p.Value.Signature().String()}
					if !slices.Contains(e.Sends(), got) {
						t.Errorf("%s=%s is sent as %v, the table has %v", e.Name, example, got, e.Sends())
					}
					if v := reflect.ValueOf(p.Value.Value()); v.Kind() == reflect.Slice && v.IsNil() {
						t.Errorf("%s=%s: nil", e.Name, example)
					}
					if _, err := godbus.ParseSignature(got.Type); err != nil {
						t.Errorf("%s: %v", e.Name, err)
					}
				}
			}
		}
	}
	if checked < 300 {
		t.Errorf("only %d values", checked)
	}
}
