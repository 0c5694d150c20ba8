package units_test

import (
	"fmt"
	"strings"

	"msup/units"
)

// The fake's sockets: as systemd 252 does, they keep the unit of the service loaded, and start
// it while somebody waits and it is not active.

func socketOf(service string) string {
	return strings.TrimSuffix(service, ".service") + ".socket"
}

func serviceOf(socket string) string { return strings.TrimSuffix(socket, ".socket") + ".service" }

func (f *fakeSystemd) startSocket(name string, props []units.Property, aux []units.Aux) error {
	service := serviceOf(name)
	if f.units[service] != nil {
		f.wrong = append(f.wrong, "sockets for the loaded "+service)
		return units.ErrUnitExists
	}
	if len(aux) != 1 || aux[0].Unit != service {
		return fmt.Errorf("%w: %s has no service", units.ErrInvalid, name)
	}
	u := f.loaded(name, props)
	f.units[name], f.units[service] = u, f.loaded(service, aux[0].Properties)
	u.facts.InvocationID = "50c0"
	if f.listenErr {
		u.facts.ActiveState, u.facts.SubState, u.facts.Result = "failed", "failed", "resources"
		f.changed(u)
		return nil
	}
	u.facts.ActiveState, u.facts.SubState = "active", "listening"
	f.changed(u)
	f.poll(service)
	return nil
}

// stopSocket unloads the unit of sockets, and that of the service unless it is active.
func (f *fakeSystemd) stopSocket(name string, job uint32) {
	u, service := f.units[name], serviceOf(name)
	u.facts.ActiveState, u.facts.SubState, u.facts.JobID = "inactive", "dead", 0
	f.changed(u)
	f.emit(units.JobRemoved{Unit: name, JobID: job, Result: "done"})
	delete(f.units, name)
	f.emit(units.UnitRemoved{Unit: name})
	f.refused += f.waiting[service]
	f.waiting[service] = 0
	if s := f.units[service]; s != nil && s.facts.ActiveState == "inactive" && s.facts.JobID == 0 {
		delete(f.units, service)
		f.emit(units.UnitRemoved{Unit: service})
	}
}

// poll starts a service whose sockets somebody waits at.
func (f *fakeSystemd) poll(service string) {
	at, u := f.units[socketOf(service)], f.units[service]
	if at == nil || u == nil || at.facts.ActiveState != "active" || at.facts.JobID != 0 || f.waiting[service] == 0 || u.facts.JobID != 0 {
		return
	}
	if u.facts.ActiveState == "inactive" || u.facts.ActiveState == "failed" {
		f.traced("systemd: connection starts " + service)
		_ = f.launch(service, u)
	}
}

// connect has somebody wait for a service, until it takes the connection.
func (f *fakeSystemd) connect(service string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at := f.units[socketOf(service)]; at == nil || at.facts.ActiveState != "active" {
		f.refused++
		return
	}
	if u := f.units[service]; u.facts.ActiveState == "active" && u.facts.SubState == "running" {
		f.taken++
		return
	}
	f.waiting[service]++
	f.poll(service)
}

// take has a service that runs take who waits.
func (f *fakeSystemd) take(service string) {
	if f.units[socketOf(service)] != nil {
		f.taken += f.waiting[service]
		f.waiting[service] = 0
	}
}
