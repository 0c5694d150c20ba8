package dbus

import (
	"bytes"
	"strings"
	"sync"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

const (
	busName       = "org.freedesktop.systemd1"
	managerIface  = "org.freedesktop.systemd1.Manager"
	unitIface     = "org.freedesktop.systemd1.Unit"
	serviceIface  = "org.freedesktop.systemd1.Service"
	scopeIface    = "org.freedesktop.systemd1.Scope"
	timerIface    = "org.freedesktop.systemd1.Timer"
	socketIface   = "org.freedesktop.systemd1.Socket"
	propsIface    = "org.freedesktop.DBus.Properties"
	driverPath    = "/org/freedesktop/DBus"
	driverIface   = "org.freedesktop.DBus"
	changedSignal = propsIface + ".PropertiesChanged"
)

// decoder turns the signals of one connection into events. It is a godbus.SignalHandler
// and runs in the goroutine that reads the socket, so events keep the order of the wire,
// and an event is queued before the reply behind it is delivered. It never waits.
type decoder struct {
	prefix string // of unit names
	emit   func(units.BusEvent)
	lost   func() // org.freedesktop.systemd1 has another owner, or none

	// systemd sends PropertiesChanged of a unit's type interface and then, at once, that
	// of Unit, each with all properties that ever change (dbus-unit.c,
	// send_changed_signal). The first part waits here for the second.
	runtime map[godbus.ObjectPath]units.Facts

	mu   sync.Mutex
	live bool // Connected was emitted
}

// filter returns what tells from the header of a signal whether the decoder wants it.
func filter(prefix string) func(path, member []byte) bool {
	wanted := []byte(unitRoot)
	if prefix != "" {
		wanted = append(wanted, escapeLabel(prefix)...)
	}
	return func(path, member []byte) bool {
		switch {
		case bytes.HasPrefix(path, wanted):
			return true
		case string(path) == managerPath:
			switch string(member) {
			case "UnitRemoved", "JobRemoved", "Reloading":
				return true
			}
			return false
		}
		return string(path) == driverPath
	}
}

// DeliverSignal implements godbus.SignalHandler.
func (d *decoder) DeliverSignal(_, _ string, sig *godbus.Signal) {
	switch sig.Name {
	case changedSignal:
		d.changed(sig)
	case managerIface + ".UnitRemoved":
		var name string
		if len(sig.Body) > 0 {
			set(&name, sig.Body[0])
		}
		delete(d.runtime, unitPath(name))
		if d.wants(name) {
			d.send(units.UnitRemoved{Unit: name})
		}
	case managerIface + ".JobRemoved":
		if len(sig.Body) < 4 {
			return
		}
		var ev units.JobRemoved
		set(&ev.JobID, sig.Body[0])
		set(&ev.Unit, sig.Body[2])
		set(&ev.Result, sig.Body[3])
		if d.wants(ev.Unit) {
			d.send(ev)
		}
	case managerIface + ".Reloading":
		if len(sig.Body) > 0 {
			if active, ok := sig.Body[0].(bool); ok && !active {
				d.send(units.Reloaded{})
			}
		}
	case driverIface + ".NameOwnerChanged":
		// Name, old owner, new owner. Without an old one it only comes: we were earlier.
		if len(sig.Body) > 1 && sig.Body[0] == busName && sig.Body[1] != "" {
			d.lost()
		}
	}
}

func (d *decoder) changed(sig *godbus.Signal) {
	if len(sig.Body) < 2 {
		return
	}
	iface, _ := sig.Body[0].(string)
	props, ok := sig.Body[1].(map[string]godbus.Variant)
	if !ok {
		return
	}
	var f units.Facts
	setFacts(&f, props)
	d.changedTo(sig.Path, iface, f)
}

// changedTo takes the facts of one PropertiesChanged signal.
func (d *decoder) changedTo(path godbus.ObjectPath, iface string, f units.Facts) {
	unit, ok := unitName(path)
	if !ok || !d.wants(unit) {
		return
	}
	switch iface {
	case serviceIface, scopeIface, socketIface, timerIface:
		d.runtime[path] = f
	case unitIface:
		f.Unit = unit
		if part, ok := d.runtime[path]; ok {
			addRuntime(&f, part)
			delete(d.runtime, path)
		}
		d.send(units.UnitChanged{Facts: f})
	}
}

func (d *decoder) wants(unit string) bool {
	return unit != "" && strings.HasPrefix(unit, d.prefix)
}

// send emits ev unless Connected is still to come: who gets that looks at everything.
func (d *decoder) send(ev units.BusEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live {
		d.emit(ev)
	}
}

// connected emits Connected and everything after it.
func (d *decoder) connected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live = true
	d.emit(units.Connected{})
}

// mute ends emission: what still comes from a connection that is given up is old.
func (d *decoder) mute() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live = false
}
