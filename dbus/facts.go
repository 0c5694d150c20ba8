package dbus

import (
	"encoding/hex"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"golang.org/x/sys/unix"

	"msup/units"
)

// setFact takes one property into f. A value of another type than
// org.freedesktop.systemd1(5) gives it is passed over: the fact keeps its zero value.
func setFact(f *units.Facts, name string, v any) {
	switch name {
	case "LoadState":
		set(&f.LoadState, v)
	case "ActiveState":
		set(&f.ActiveState, v)
	case "SubState":
		set(&f.SubState, v)
	case "Result":
		set(&f.Result, v)
	case "InvocationID":
		if id, ok := v.([]byte); ok {
			f.InvocationID = hex.EncodeToString(id)
		}
	case "Job":
		// (uo): the number and the object path, (0, "/") when there is none.
		if job, ok := v.([]any); ok && len(job) > 0 {
			set(&f.JobID, job[0])
		}
	case "StatusText":
		set(&f.StatusText, v)
	case "MainPID":
		set(&f.MainPID, v)
	case "ExecMainCode":
		set(&f.ExecMainCode, v)
	case "ExecMainStatus":
		set(&f.ExecMainStatus, v)
	case "ActiveEnterTimestamp":
		f.ActiveEnter = realtime(v)
	case "InactiveExitTimestampMonotonic":
		set(&f.InactiveExit, v)
	case "ActiveEnterTimestampMonotonic":
		set(&f.ActiveEntered, v)
	case "ActiveExitTimestampMonotonic":
		set(&f.ActiveExit, v)
	case "ExecMainStartTimestampMonotonic":
		set(&f.ExecMainStart, v)
	case "ExecMainExitTimestampMonotonic":
		set(&f.ExecMainExit, v)
	case "ExecMainStartTimestamp":
		f.MainStart = realtime(v)
	case "ExecMainExitTimestamp":
		f.MainExit = realtime(v)
	case "LastTriggerUSecMonotonic":
		set(&f.Elapsed, v)
	case "LastTriggerUSec":
		f.ElapsedAt = realtime(v)
	case "NextElapseUSecRealtime":
		f.NextElapse = sooner(f.NextElapse, realtime(v))
	case "NextElapseUSecMonotonic":
		f.NextElapse = sooner(f.NextElapse, monotonic(v))
	case "ControlGroup":
		set(&f.ControlGroup, v)
	case "Slice":
		set(&f.Slice, v)
	case "FragmentPath":
		set(&f.FragmentPath, v)
	case "Transient":
		set(&f.Transient, v)
	case "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost":
		f.Commands = append(f.Commands, commandStatuses(name, v)...)
	case "After":
		if names, ok := v.([]string); ok {
			f.Supervisors = supervisors(names)
		}
	}
}

// supervisors picks the supervisors' units.
func supervisors(names []string) (out []string) {
	for _, name := range names {
		if unit := units.SupervisorOf(name); unit != "" {
			out = append(out, unit)
		}
	}
	return out
}

func set[T any](to *T, v any) {
	if v, ok := v.(T); ok {
		*to = v
	}
}

// realtime reads a timestamp: microseconds since 1970, 0 = never.
func realtime(v any) time.Time {
	if usec, ok := v.(uint64); ok && usec > 0 && usec < 1<<62 {
		return time.UnixMicro(int64(usec))
	}
	return time.Time{}
}

// monotonic reads a moment of CLOCK_MONOTONIC: microseconds, 0 = never.
func monotonic(v any) time.Time {
	usec, ok := v.(uint64)
	var now unix.Timespec
	if !ok || usec == 0 || usec > 1<<62 || unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(usec)*time.Microsecond - time.Duration(now.Nano())).Round(0)
}

// sooner is the earlier one, of those that are not zero.
func sooner(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}

func setFacts(f *units.Facts, props map[string]godbus.Variant) {
	for name, v := range props {
		setFact(f, name, v.Value())
	}
}

// addRuntime takes over the facts that the interface of a unit's type has, without those
// of Unit.
func addRuntime(f *units.Facts, from units.Facts) {
	f.Result = from.Result
	f.MainPID = from.MainPID
	f.StatusText = from.StatusText
	f.ExecMainCode = from.ExecMainCode
	f.ExecMainStatus = from.ExecMainStatus
	f.ExecMainStart = from.ExecMainStart
	f.ExecMainExit = from.ExecMainExit
	f.MainStart = from.MainStart
	f.MainExit = from.MainExit
	f.Elapsed, f.ElapsedAt, f.NextElapse = from.Elapsed, from.ElapsedAt, from.NextElapse
}
