package dbus

import (
	"fmt"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

// property is the D-Bus type (sv).
type property struct {
	Name  string
	Value godbus.Variant
}

// auxUnit is the D-Bus type (sa(sv)).
type auxUnit struct {
	Name       string
	Properties []property
}

// properties makes the a(sv) of StartTransientUnit. The type of a variant is that of the
// Go value: a slice of structs is an array of D-Bus structs.
func properties(props []units.Property) (list []property, err error) {
	list = make([]property, len(props))
	for i, p := range props {
		if list[i], err = makeProperty(p); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// auxUnits makes the a(sa(sv)) of StartTransientUnit.
func auxUnits(aux []units.Aux) ([]auxUnit, error) {
	list := make([]auxUnit, len(aux))
	for i, a := range aux {
		props, err := properties(a.Properties)
		if err != nil {
			return nil, err
		}
		list[i] = auxUnit{a.Unit, props}
	}
	return list, nil
}

func makeProperty(p units.Property) (out property, err error) {
	defer func() {
		// godbus panics on a type D-Bus does not have.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: property %s has a value of type %T", units.ErrInvalid, p.Name, p.Value)
		}
	}()
	return property{p.Name, godbus.MakeVariant(p.Value)}, nil
}
