package dbus

import (
	"context"

	godbus "github.com/godbus/dbus/v5"
)

// Settings returns properties of a loaded unit by their D-Bus names and with their D-Bus
// types: those among names that it has. The error is [units.ErrNoSuchUnit] for one that is not loaded.
func (c *Conn) Settings(ctx context.Context, unit string, names ...string) (map[string]any, error) {
	if _, err := c.manager(ctx, "GetUnit", unit); err != nil {
		return nil, err
	}
	body, err := c.call(ctx, unitPath(unit), propsIface+".GetAll", "")
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if len(body) > 0 {
		props, _ := body[0].(map[string]godbus.Variant)
		for _, n := range names {
			if v, ok := props[n]; ok {
				out[n] = v.Value()
			}
		}
	}
	return out, nil
}
