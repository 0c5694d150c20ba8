package units_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"msup/units"
)

// fakeSystemd behaves as systemd 252 does towards one client, with its order of signals
// and its delays, and under the test's control where a program would act by itself. Its delays
// cost nothing: it lives in bubbles of testing/synctest, whose time is not the machine's.
type fakeSystemd struct {
	mu           sync.Mutex
	units        map[string]*fakeUnit
	events       chan units.BusEvent
	serial       int
	job          uint32
	environments map[string][]string // of the units that were started
	started      []string            // units in the order their starts were queued
	stopped      []string

	// What the next starts of a unit come to; the last stays in force.
	outcomes map[string][]outcome
	// hold makes start jobs wait until it is closed.
	hold           chan struct{}
	cut            bool // the connection is lost
	version        int
	maxJobs        int
	wrong          []string       // rules of the protocol that were broken
	stopErr        error          // what Stop answers, if not nil
	setErr         error          // the same of SetProperties
	setTakes       time.Duration  // how long SetProperties takes
	setLate        time.Duration  // … and how long it takes to have an effect
	sliceErr       error          // what the start of a slice answers, if not nil
	ordered        bool           // the slice is there that programs are ordered after; it is in no list
	orderErr       error          // what the start of that answers, if not nil
	timerErr       error          // the same of a timer
	pinned         bool           // a unit that ended well stays loaded: something refers to it
	unheard        bool           // the answer of a start is lost with the connection
	late           time.Duration  // how much later than it is made a list arrives
	readLate       time.Duration  // the same of what Read answers
	executes       time.Duration  // how long a unit is activating
	listenErr      bool           // systemd cannot listen
	waiting        map[string]int // connections that wait, by service
	taken, refused int
	random         *rand.Rand // programs end by themselves, each with another status
	ends           []string   // how they did
	trace          func(string)

	listen   func(units.Program) // what Config.Listen and Unlisten are
	unlisten func(string)

	prepares time.Duration // how long Config.Prepare takes

	prompt bool // programs say at once that they are ready

	probe       units.ProbeFunc                               // answers the probes of programs
	connections func([]units.Address) (int, time.Time, error) // counts those to programs

	reloadErr   error // what Reload answers, and how long that takes
	reloadTakes time.Duration
}

type fakeUnit struct {
	told  chan bool // READY=1; false: it ended before that
	facts units.Facts
	props map[string]any // as they were set
	slow  time.Duration  // how long it takes to stop
	again bool           // it is started when it has stopped
}

func newFake() *fakeSystemd {
	return &fakeSystemd{
		units: map[string]*fakeUnit{}, events: make(chan units.BusEvent, 100_000),
		outcomes: map[string][]outcome{}, waiting: map[string]int{}, version: 252, maxJobs: 512,
	}
}

const (
	jobDelay = 3 * time.Millisecond
	stopTook = 5 * time.Millisecond
)

const web = "msup-web.service"

func (f *fakeSystemd) Events() <-chan units.BusEvent { return f.events }
func (f *fakeSystemd) Version() int                  { return f.version }
func (f *fakeSystemd) MaxJobs() int                  { return f.maxJobs }
func (f *fakeSystemd) DefaultTasksMax() uint64       { return 4915 }

func (f *fakeSystemd) emit(e units.BusEvent) {
	if !f.cut {
		f.events <- e
	}
}

func (f *fakeSystemd) changed(u *fakeUnit) {
	facts := u.facts
	facts.Commands, facts.Slice = nil, "" // no signal has them
	f.emit(units.UnitChanged{Facts: facts})
}

// monotonic is the fake's clock, in microseconds.
func monotonic() uint64 { return uint64(time.Now().UnixMicro()) }

func (f *fakeSystemd) environment(name string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.environments[name]
}

func (f *fakeSystemd) traced(text string) {
	if f.trace != nil {
		f.trace(text)
	}
}

func asMap(props []units.Property) map[string]any {
	out := map[string]any{}
	for _, p := range props {
		out[p.Name] = p.Value
	}
	return out
}

func supervisors(props []units.Property) (out []string) {
	after, _ := asMap(props)["After"].([]string)
	for _, name := range after {
		if unit := units.SupervisorOf(name); unit != "" {
			out = append(out, unit)
		}
	}
	return out
}

// set changes the fake under its lock.
func (f *fakeSystemd) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// loseEvents has nobody hear what systemd has said until now.
func (f *fakeSystemd) loseEvents() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.events) > 0 {
		<-f.events
	}
}

// disconnect loses the connection; reconnect brings it back.
// At a daemon-reexec systemd says of every unit that it is removed, and closes.
func (f *fakeSystemd) disconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name := range f.units {
		f.emit(units.UnitRemoved{Unit: name})
	}
	f.emit(units.Disconnected{Err: fmt.Errorf("connection reset")})
	f.cut = true
}

func (f *fakeSystemd) reconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = false
	f.emit(units.Connected{})
}

// property is what systemd has been told of a unit last.
func (f *fakeSystemd) property(unit, name string) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.units[unit]; u != nil {
		return u.props[name]
	}
	return nil
}

func (f *fakeSystemd) starts(unit string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range f.started {
		if name == unit {
			n++
		}
	}
	return n
}

func (f *fakeSystemd) has(unit string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.units[unit] != nil
}

// active is the ActiveState of a unit, "" = it is not loaded.
func (f *fakeSystemd) active(unit string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.units[unit]; u != nil {
		return u.facts.ActiveState
	}
	return ""
}
