package dbus

import (
	"strings"
	"sync"

	"msup/units"

	godbus "github.com/godbus/dbus/v5"
)

// handler turns the signals of one connection into events, in godbus' reading goroutine
// and so in their order (godbus' own handlers lose it, or shift a slice for each signal of
// a backlog). PID 1 sends about twenty signals for each start, most of them about
// neighbours: those are dropped at once.
type handler struct {
	queue *queue
	lost  func() // the manager has left the message bus

	mu     sync.Mutex
	opened bool
	parts  map[godbus.ObjectPath]map[string]godbus.Variant // the Service or Scope part of a snapshot to come
}

func (h *handler) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened, h.parts = true, map[godbus.ObjectPath]map[string]godbus.Variant{}
}

// DeliverSignal implements [godbus.SignalHandler].
func (h *handler) DeliverSignal(iface, name string, s *godbus.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.opened {
		return
	}
	switch iface + "." + name {
	case "org.freedesktop.DBus.Properties.PropertiesChanged":
		h.propertiesChanged(s)
	case manager + ".UnitRemoved":
		if unit, ok := bodyString(s, 0); ok && ours(unit) {
			delete(h.parts, s.Path)
			h.queue.push(units.UnitRemoved{Unit: unit})
		}
	case manager + ".JobRemoved":
		unit, ok := bodyString(s, 2)
		result, ok2 := bodyString(s, 3)
		if ok && ok2 && ours(unit) {
			id, _ := s.Body[0].(uint32)
			h.queue.push(units.JobRemoved{Unit: unit, JobID: id, Result: result})
		}
	case manager + ".Reloading":
		if len(s.Body) == 1 && s.Body[0] == false {
			h.queue.push(units.Reloaded{})
		}
	case "org.freedesktop.DBus.NameOwnerChanged":
		if owner, ok := bodyString(s, 2); ok && owner == "" && h.lost != nil {
			go h.lost() // closing the connection waits for this goroutine
		}
	}
}

// ours reports whether a unit may be one of msup's.
func ours(unit string) bool { return strings.HasPrefix(unit, "msup") }

const unitPrefix = root + "/unit/"

// propertiesChanged joins the two signals that systemd sends for a change, that of the
// type's interface first: together they carry every property.
func (h *handler) propertiesChanged(s *godbus.Signal) {
	label, ok := strings.CutPrefix(string(s.Path), unitPrefix)
	if !ok || !ours(label) || len(s.Body) < 2 {
		return
	}
	iface, ok := s.Body[0].(string)
	props, ok2 := s.Body[1].(map[string]godbus.Variant)
	if !ok || !ok2 {
		return
	}
	switch iface {
	case serviceInterface, scopeInterface:
		h.parts[s.Path] = props
	case unitInterface:
		f := units.Facts{Unit: unescapeLabel(label)}
		if part, ok := h.parts[s.Path]; ok {
			typeFacts(&f, part)
			delete(h.parts, s.Path)
		}
		unitFacts(&f, props)
		h.queue.push(units.UnitChanged{Facts: f})
	}
}

func bodyString(s *godbus.Signal, i int) (string, bool) {
	if i >= len(s.Body) {
		return "", false
	}
	str, ok := s.Body[i].(string)
	return str, ok
}

// unescapeLabel undoes systemd's escaping of names in object paths: "_2d" is "-"
// (bus-label.c).
func unescapeLabel(s string) string {
	if !strings.Contains(s, "_") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
