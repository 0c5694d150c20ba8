package units_test

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"msup/units"

	"golang.org/x/sys/unix"
)

// The fake's services: how they start, become ready, stop and end.

type outcome struct {
	fail  *units.Facts  // the start job fails with this
	run   time.Duration // then the program ends by itself; 0 = it runs on
	code  int32
	state int32
	res   string
	noted bool // in fakeSystemd.ends, when it comes
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
		if f.random != nil {
			out = f.anyOutcome()
		}
		if out.run > 0 {
			go f.runOut(name, u, invocation, out)
		}
	}()
	if f.cut {
		return units.ErrDisconnected
	}
	return nil
}

// runOut ends a run by itself when its time is over, unless it has ended before.
func (f *fakeSystemd) runOut(name string, u *fakeUnit, invocation string, out outcome) {
	time.Sleep(out.run)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.units[name] != u || u.facts.InvocationID != invocation || u.facts.ActiveState != "active" {
		return
	}
	if out.noted {
		f.ends = append(f.ends, name+" "+outcomeWords(out))
		f.traced("systemd: " + name + " " + outcomeWords(out))
	}
	f.end(name, u, out.code, out.state, out.res)
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

// anyOutcome is an end that no other program has.
func (f *fakeSystemd) anyOutcome() outcome {
	out := outcome{run: time.Duration(1+f.random.IntN(400)) * time.Millisecond, noted: true}
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
