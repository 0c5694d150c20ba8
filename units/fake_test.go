package units_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"msup/units"

	"golang.org/x/sys/unix"
)

// fakeSystemd behaves as systemd 252 does towards one client, with its order of signals
// and its delays, and under the test's control where a program would act by itself.
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

	prompt bool // programs say at once that they are ready

	probe       units.ProbeFunc                               // answers the probes of programs
	connections func([]units.Address) (int, time.Time, error) // counts those to programs

	reloadErr   error // what Reload answers, and how long that takes
	reloadTakes time.Duration
}

type outcome struct {
	fail  *units.Facts  // the start job fails with this
	run   time.Duration // then the program ends by itself; 0 = it runs on
	code  int32
	state int32
	res   string
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

func (f *fakeSystemd) Events() <-chan units.BusEvent { return f.events }
func (f *fakeSystemd) Version() int                  { return f.version }
func (f *fakeSystemd) MaxJobs() int                  { return f.maxJobs }
func (f *fakeSystemd) DefaultTasksMax() uint64       { return 4915 }

func isOrder(name string) bool { return strings.HasSuffix(name, ":order.slice") }

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

func (f *fakeSystemd) Start(_ context.Context, name string, props []units.Property, reset bool, aux ...units.Aux) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	if isOrder(name) {
		f.ordered = f.orderErr == nil
		return f.orderErr
	}
	f.started = append(f.started, name)
	if f.environments == nil {
		f.environments = map[string][]string{}
	}
	f.environments[name], _ = asMap(props)["Environment"].([]string)
	f.traced("systemd: start " + name)
	switch {
	case strings.HasSuffix(name, ".slice"):
		return f.startSlice(name, props)
	case strings.HasSuffix(name, ".timer"):
		return f.startTimer(name, props)
	}
	if u := f.units[name]; u != nil {
		if u.facts.ActiveState != "failed" {
			f.traced("WRONG: second copy of " + name + " " + u.facts.ActiveState + " " + u.facts.SubState)
			f.wrong = append(f.wrong, "second copy of "+name)
			return units.ErrUnitExists
		}
		if !reset {
			f.wrong = append(f.wrong, "start of the failed "+name)
			return units.ErrUnitExists
		}
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
	}
	if strings.HasSuffix(name, ".socket") {
		return f.startSocket(name, props, aux)
	}
	u := f.loaded(name, props)
	f.units[name] = u
	return f.launch(name, u)
}

// loaded is a transient unit that is not started yet.
func (f *fakeSystemd) loaded(name string, props []units.Property) *fakeUnit {
	return &fakeUnit{slow: stopTook, facts: units.Facts{
		Unit: name, LoadState: "loaded", ActiveState: "inactive", SubState: "dead", Result: "success",
		Transient: true, Slice: f.place(props), Supervisors: supervisors(props),
	}, props: asMap(props)}
}

// launch queues the start of a unit that is there.
func (f *fakeSystemd) launch(name string, u *fakeUnit) error {
	f.serial++
	f.job++
	u.facts.JobID = f.job
	f.changed(u)
	out := outcome{}
	if list := f.outcomes[name]; len(list) > 0 {
		out = list[0]
		if len(list) > 1 {
			f.outcomes[name] = list[1:]
		}
	}
	invocation, job, hold := fmt.Sprintf("%032x", f.serial), f.job, f.hold
	if f.unheard {
		f.emit(units.Disconnected{Err: fmt.Errorf("connection reset")})
		f.cut = true
	}
	go func() {
		if hold != nil {
			<-hold
		}
		time.Sleep(jobDelay)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.units[name] != u || u.facts.JobID != job {
			return // the job was canceled
		}
		u.facts.InvocationID = invocation
		f.changed(u) // inactive still
		u.facts.ExecMainCode, u.facts.ExecMainStatus, u.facts.ExecMainExit, u.facts.MainExit, u.facts.Result = 0, 0, 0, time.Time{}, "success"
		u.facts.InactiveExit = monotonic()
		u.facts.InvocationID, u.facts.ExecMainStart, u.facts.MainStart = invocation, monotonic(), time.Now()
		u.facts.ActiveState, u.facts.SubState, u.facts.MainPID = "activating", "start", uint32(1000+f.serial)
		f.changed(u)
		if f.executes > 0 {
			f.mu.Unlock()
			time.Sleep(f.executes)
			f.mu.Lock()
		}
		if out.fail != nil {
			f.emit(units.JobRemoved{Unit: name, JobID: job, Result: "failed"})
			u.facts.JobID, u.facts.Commands = 0, out.fail.Commands
			f.end(name, u, out.fail.ExecMainCode, out.fail.ExecMainStatus, out.fail.Result)
			return
		}
		if kind := u.props["Type"]; (kind == "notify" || kind == "notify-reload") && !f.awaitReady(name, u) {
			return
		}
		u.facts.ActiveState, u.facts.SubState, u.facts.ActiveEnter, u.facts.ActiveEntered = "active", "running", time.Now(), monotonic()
		f.changed(u)
		f.emit(units.JobRemoved{Unit: name, JobID: job, Result: "done"})
		u.facts.JobID = 0
		f.changed(u)
		f.take(name)
		own := f.random != nil
		if own {
			out = f.anyOutcome()
		}
		if out.run > 0 {
			go func() {
				time.Sleep(out.run)
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.units[name] == u && u.facts.InvocationID == invocation && u.facts.ActiveState == "active" {
					if own {
						f.ends = append(f.ends, name+" "+outcomeWords(out))
						f.traced("systemd: " + name + " " + outcomeWords(out))
					}
					f.end(name, u, out.code, out.state, out.res)
				}
			}()
		}
	}()
	if f.cut {
		return units.ErrDisconnected
	}
	return nil
}

// awaitReady waits for READY=1 of a unit and reports whether it came. It is called with f.mu
// held.
func (f *fakeSystemd) awaitReady(name string, u *fakeUnit) bool {
	if f.prompt {
		return true
	}
	u.told = make(chan bool, 1)
	told, job, own := u.told, u.facts.JobID, f.random != nil
	if own {
		ready, takes := f.random.IntN(4) > 0, time.Duration(f.random.IntN(200))*time.Millisecond
		go func() {
			time.Sleep(takes)
			told <- ready
		}()
	}
	limit := time.Hour
	if usec, ok := u.props["TimeoutStartUSec"].(uint64); ok {
		limit = time.Duration(usec) * time.Microsecond
	}
	code, status, result := int32(1), int32(7), "exit-code"
	if own {
		status = int32(1 + f.random.IntN(199))
	}
	f.mu.Unlock()
	ready := false
	select {
	case ready = <-told:
	case <-time.After(limit):
		code, status, result = 2, 15, "timeout"
	}
	f.mu.Lock()
	switch {
	case f.units[name] != u || u.facts.JobID != job:
		return false // it is being stopped
	case ready:
		return true
	case own:
		f.ends = append(f.ends, fmt.Sprintf("%s exit status %d", name, status))
		f.traced(fmt.Sprintf("systemd: %s exit status %d, unready", name, status))
	}
	f.emit(units.JobRemoved{Unit: name, JobID: job, Result: "failed"})
	u.facts.JobID = 0
	f.end(name, u, code, status, result)
	return false
}

// unready ends the main process of a unit that has yet to say that it is ready.
func (f *fakeSystemd) unready(name string, end units.Facts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	f.emit(units.JobRemoved{Unit: name, JobID: u.facts.JobID, Result: "failed"})
	u.facts.JobID = 0
	u.leave()
	f.end(name, u, end.ExecMainCode, end.ExecMainStatus, end.Result)
}

// leave ends the wait for READY=1.
func (u *fakeUnit) leave() {
	select {
	case u.told <- false:
	default:
	}
}

// tell is what a program says by sd_notify(3).
func (f *fakeSystemd) tell(name, status string, ready bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	if status != "" {
		u.facts.StatusText = status
		f.changed(u)
	}
	if ready {
		u.told <- true
	}
}

// end is the end of a unit's main process. A late repetition of the last snapshot follows,
// as systemd sends them. A unit that ended well by itself stays (RemainAfterExit=).
func (f *fakeSystemd) end(name string, u *fakeUnit, code, status int32, result string) {
	if list, _ := u.props["ExecStart"].([]units.ExecCommand); len(list) == 1 && list[0].IgnoreFailure && (result == "exit-code" || result == "signal" || result == "core-dump") {
		result = "success"
	}
	u.facts.ExecMainCode, u.facts.ExecMainStatus, u.facts.Result, u.facts.MainPID = code, status, result, 0
	u.facts.ExecMainExit, u.facts.MainExit = monotonic(), time.Now()
	if result == "success" && u.facts.ActiveState == "active" && u.props["RemainAfterExit"] == true {
		u.facts.SubState = "exited"
		f.changed(u)
		f.changed(u)
		return
	}
	if u.facts.ActiveExit <= u.facts.InactiveExit && !u.facts.ActiveEnter.IsZero() {
		u.facts.ActiveExit = u.facts.ExecMainExit + 1
	}
	f.over(name, u, result)
}

// monotonic is the fake's clock, in microseconds.
func monotonic() uint64 { return uint64(time.Now().UnixMicro()) }

// over ends the unit itself.
func (f *fakeSystemd) over(name string, u *fakeUnit, result string) {
	u.facts.ActiveState, u.facts.SubState = "failed", "failed"
	if result == "success" {
		u.facts.ActiveState, u.facts.SubState = "inactive", "dead"
	}
	f.changed(u)
	f.changed(u)
	if u.again {
		u.again = false
		_ = f.launch(name, u)
		return
	}
	if f.units[socketOf(name)] != nil {
		f.poll(name)
		return
	}
	if result == "success" && !f.pinned || u.props["CollectMode"] == "inactive-or-failed" {
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
	}
}

// die ends a running unit from outside.
func (f *fakeSystemd) die(name string, code, status int32, result string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.units[name]; u != nil && u.facts.ActiveState == "active" {
		f.end(name, u, code, status, result)
	}
}

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

// anyOutcome is an end that no other program has.
func (f *fakeSystemd) anyOutcome() outcome {
	out := outcome{run: time.Duration(1+f.random.IntN(400)) * time.Millisecond}
	switch n := f.random.IntN(4); n {
	case 0:
		out.code, out.res = 1, "success"
	case 1:
		out.code, out.state, out.res = 2, []int32{1, 2, 13, 15}[f.random.IntN(4)], "success"
	default:
		out.code, out.state, out.res = 1, int32(1+f.random.IntN(199)), "exit-code"
	}
	return out
}

func outcomeWords(o outcome) string {
	if o.code == 2 {
		return "killed by " + unix.SignalName(syscall.Signal(o.state))
	}
	return fmt.Sprintf("exit status %d", o.state)
}

// stopNow ends a running unit as systemctl stop does, or systemd for a reason of its own.
func (f *fakeSystemd) stopNow(name string, code, status int32, result string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	u.facts.ActiveState, u.facts.SubState, u.facts.ActiveExit = "deactivating", "stop-sigterm", monotonic()-1
	if status == 9 && result == "timeout" { // the time for the stop was over
		u.facts.ActiveExit = monotonic() - 10_000_000
		u.facts.InactiveExit = min(u.facts.InactiveExit, u.facts.ActiveExit-1)
	}
	f.end(name, u, code, status, result)
}

// startSlice makes a transient slice, also of one that only came into being.
func (f *fakeSystemd) startSlice(name string, props []units.Property) error {
	if f.sliceErr != nil {
		return f.sliceErr
	}
	if u := f.units[name]; u != nil && u.facts.Transient {
		return units.ErrUnitExists
	}
	u := f.implicit(name)
	u.facts.Transient, u.facts.Supervisors, u.props = true, supervisors(props), asMap(props)
	return nil
}

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

// place has the slice of a unit come into being, as systemd does.
func (f *fakeSystemd) place(props []units.Property) string {
	slice, _ := asMap(props)["Slice"].(string)
	if slice == "" {
		slice = "system.slice"
	}
	if f.units[slice] == nil && slice != "msup.slice" {
		f.units[slice] = f.implicit(slice)
	}
	return slice
}

func (f *fakeSystemd) implicit(name string) *fakeUnit {
	if f.units[name] == nil {
		f.units[name] = &fakeUnit{facts: units.Facts{Unit: name, LoadState: "loaded", ActiveState: "active", SubState: "active"}}
	}
	return f.units[name]
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

func (f *fakeSystemd) Stop(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	if f.stopErr != nil {
		return f.stopErr
	}
	if isOrder(name) {
		f.ordered = false
		return nil
	}
	f.stopped = append(f.stopped, name)
	f.traced("systemd: stop " + name)
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if strings.HasSuffix(name, ".timer") {
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
		return nil
	}
	if strings.HasSuffix(name, ".slice") {
		for other, in := range f.units {
			if in.facts.Slice == name && in.facts.ActiveState == "active" {
				f.stop(other, in)
			}
		}
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
		return nil
	}
	f.stop(name, u)
	return nil
}

func (f *fakeSystemd) stop(name string, u *fakeUnit) {
	if u.facts.JobID != 0 {
		f.emit(units.JobRemoved{Unit: name, JobID: u.facts.JobID, Result: "canceled"})
	}
	f.job++
	job := f.job
	u.facts.JobID = job
	if u.facts.ActiveState == "inactive" || u.facts.ActiveState == "failed" {
		f.emit(units.JobRemoved{Unit: name, JobID: job, Result: "done"})
		u.facts.JobID = 0
		if u.facts.ActiveState == "inactive" && f.units[socketOf(name)] == nil {
			delete(f.units, name)
			f.emit(units.UnitRemoved{Unit: name})
		}
		return
	}
	if strings.HasSuffix(name, ".socket") {
		f.stopSocket(name, job)
		return
	}
	exited := u.facts.SubState == "exited"
	u.facts.ActiveState, u.facts.SubState = "deactivating", "stop-sigterm"
	u.facts.ActiveExit = monotonic()
	f.changed(u)
	u.leave()
	go func() {
		time.Sleep(u.slow)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.units[name] != u {
			return
		}
		if !u.again { // else its job goes on
			f.emit(units.JobRemoved{Unit: name, JobID: job, Result: "done"})
			u.facts.JobID = 0
		}
		if exited {
			f.over(name, u, "success")
		} else {
			f.end(name, u, 2, 15, "success")
		}
	}()
}

// Reload fails as the test wants, after the time that it takes.
func (f *fakeSystemd) Reload(_ context.Context, name string) error {
	f.mu.Lock()
	f.traced("systemd: reload " + name)
	err, takes := f.reloadErr, f.reloadTakes
	f.mu.Unlock()
	time.Sleep(takes)
	return err
}

func (f *fakeSystemd) Kill(context.Context, string, string, int32) error { return nil }

// SetProperties notes what was set. As in systemd, the unit must be loaded.
func (f *fakeSystemd) SetProperties(_ context.Context, name string, props []units.Property) error {
	defer func() { time.Sleep(f.setTakes) }()
	time.Sleep(f.setLate)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.ErrDisconnected
	}
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if f.setErr != nil {
		return f.setErr
	}
	u.set(props)
	f.traced("systemd: set " + name)
	return nil
}

func (u *fakeUnit) set(props []units.Property) {
	if u.props == nil {
		u.props = map[string]any{}
	}
	for _, p := range props {
		u.props[p.Name] = p.Value
	}
}

func (f *fakeSystemd) Properties(_ context.Context, name string, names ...string) (map[string]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return nil, units.ErrDisconnected
	}
	u := f.units[name]
	if u == nil {
		return nil, units.ErrNoSuchUnit
	}
	out := map[string]any{}
	for _, n := range names {
		switch v := u.props[n].(type) {
		case nil:
		case []units.ExecCommand:
			var rows [][]any
			for _, c := range v {
				rows = append(rows, []any{c.Path, c.Argv, c.IgnoreFailure})
			}
			out[n] = rows
		default:
			out[n] = v
		}
	}
	return out, nil
}

func (f *fakeSystemd) Reset(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	if u == nil {
		return units.ErrNoSuchUnit
	}
	if u.facts.ActiveState == "failed" {
		delete(f.units, name)
		f.emit(units.UnitRemoved{Unit: name})
	}
	return nil
}

func (f *fakeSystemd) Read(_ context.Context, name string) (units.Facts, error) {
	defer func() { time.Sleep(f.readLate) }()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return units.Facts{}, units.ErrDisconnected
	}
	if u := f.units[name]; u != nil {
		return u.facts, nil
	}
	if isOrder(name) && f.ordered {
		return units.Facts{Unit: name, LoadState: "loaded", ActiveState: "active"}, nil
	}
	return units.Facts{Unit: name, LoadState: "not-found", ActiveState: "inactive", Result: "success"}, nil
}

func (f *fakeSystemd) List(_ context.Context, patterns ...string) ([]units.Facts, error) {
	defer func() { time.Sleep(f.late) }()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		return nil, units.ErrDisconnected
	}
	var out []units.Facts
	for _, name := range slices.Sorted(maps.Keys(f.units)) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, name); ok {
				out = append(out, f.units[name].facts)
				break
			}
		}
	}
	return out, nil
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

const web = "msup-web.service"
