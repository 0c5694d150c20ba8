package units_test

import (
	"fmt"
	"time"

	"msup/units"
)

// The fake's timers, which elapse when the test says so.

// startTimer makes a timer; elapse has it elapse.
func (f *fakeSystemd) startTimer(name string, props []units.Property) error {
	switch {
	case f.timerErr != nil:
		return f.timerErr
	case f.units[name] != nil:
		return units.ErrUnitExists
	}
	f.serial++
	u := &fakeUnit{props: asMap(props), facts: units.Facts{
		Unit: name, LoadState: "loaded", ActiveState: "active", SubState: "waiting", Result: "success", Transient: true,
		InvocationID: fmt.Sprintf("%032x", f.serial), Supervisors: supervisors(props), NextElapse: time.Now().Add(time.Hour),
	}}
	f.units[name] = u
	f.changed(u)
	return nil
}

// elapse is the time of a timer. systemd tells of it twice, when what it starts has begun and
// when it has ended.
func (f *fakeSystemd) elapse(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	if u == nil {
		return
	}
	f.traced("systemd: elapsed " + name)
	u.facts.Elapsed, u.facts.ElapsedAt, u.facts.NextElapse = monotonic(), time.Now(), time.Now().Add(time.Hour)
	u.facts.SubState = "running"
	f.changed(u)
	u.facts.SubState = "waiting"
	f.changed(u)
}
