package dbus

import (
	"encoding/hex"
	"time"

	"msup/units"

	godbus "github.com/godbus/dbus/v5"
)

const (
	unitInterface    = "org.freedesktop.systemd1.Unit"
	serviceInterface = "org.freedesktop.systemd1.Service"
	scopeInterface   = "org.freedesktop.systemd1.Scope"
)

// unitFacts takes the properties of the Unit interface. A property that is missing or of
// another type than systemd documents leaves its fact as it is.
func unitFacts(f *units.Facts, p map[string]godbus.Variant) {
	f.LoadState = str(p["LoadState"])
	f.ActiveState = str(p["ActiveState"])
	f.SubState = str(p["SubState"])
	f.FragmentPath = str(p["FragmentPath"])
	f.Description = str(p["Description"])
	f.Transient, _ = p["Transient"].Value().(bool)
	if id, ok := p["InvocationID"].Value().([]byte); ok {
		f.InvocationID = hex.EncodeToString(id)
	}
	// (uo): the job's number and path
	if job, ok := p["Job"].Value().([]any); ok && len(job) == 2 {
		f.JobID, _ = job[0].(uint32)
	}
	if t, ok := p["ActiveEnterTimestamp"].Value().(uint64); ok && t != 0 {
		f.ActiveEnter = time.UnixMicro(int64(t))
	}
}

// typeFacts takes the properties of the Service or the Scope interface.
func typeFacts(f *units.Facts, p map[string]godbus.Variant) {
	f.Result = str(p["Result"])
	f.Slice = str(p["Slice"])
	f.ControlGroup = str(p["ControlGroup"])
	f.MainPID, _ = p["MainPID"].Value().(uint32)
	f.ExecMainCode, _ = p["ExecMainCode"].Value().(int32)
	f.ExecMainStatus, _ = p["ExecMainStatus"].Value().(int32)
	f.Environment, _ = p["Environment"].Value().([]string)
}

func str(v godbus.Variant) string {
	s, _ := v.Value().(string)
	return s
}
