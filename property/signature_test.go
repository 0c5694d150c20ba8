package property

import "reflect"

// typeOf is the D-Bus type of a Go value; package dbus checks it against godbus.
func typeOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Uint8:
		return "y"
	case reflect.Uint16:
		return "q"
	case reflect.Int32:
		return "i"
	case reflect.Uint32:
		return "u"
	case reflect.Uint64:
		return "t"
	case reflect.Slice:
		return "a" + typeOf(t.Elem())
	case reflect.Struct:
		s := "("
		for f := range t.Fields() {
			s += typeOf(f.Type)
		}
		return s + ")"
	}
	return "?"
}
