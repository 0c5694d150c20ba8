package units

import (
	"cmp"
	"fmt"
	"strings"
	"syscall"
	"time"

	"msup/policy"

	"golang.org/x/sys/unix"
)

// waitid codes as ExecMainCode gives them (siginfo_t si_code, wait(2)).
const (
	codeExited = 1
	codeKilled = 2
	codeDumped = 3
)

// Memory is what is known about a unit's memory at its end. nil = not known.
type Memory struct {
	Peak  *uint64 // bytes
	Limit *uint64 // bytes
	Blame Blame
	// Above is a slice with a limit of memory that the unit is in, "" = none.
	Above string
}

// Blame says whose limit was met when a process was killed for memory. The zero value says
// that it is not known.
type Blame struct {
	Slice string  // a slice's: "msup-web.slice"
	Limit *uint64 // of the slice, bytes; [Infinity] or nil = not known
	// NotOwn and NotSlice say whose was not: with both, all memory of the machine was used up.
	NotOwn, NotSlice bool
}

// exitOf turns what systemd says of a unit that ended into a policy.Exit. systemd counts a
// death by SIGTERM, SIGHUP, SIGINT or SIGPIPE as success, so code and status are looked at
// and not Result alone.
func exitOf(f Facts, m Memory) policy.Exit {
	code, status := f.ExecMainCode, int(f.ExecMainStatus)
	e := policy.Exit{Ran: ran(f)}
	switch code {
	case codeExited:
		e.Code = status
	case codeKilled, codeDumped:
		e.Signal, e.Dumped = status, code == codeDumped
	}
	switch f.Result {
	case "oom-kill":
		e.Cause, e.Reason = policy.CauseOOM, "killed for memory"+m.String()
		return e
	case "timeout":
		e.Cause, e.Reason = policy.CauseTimeout, "timed out"
		if e.Signal != 0 {
			e.Reason += ", " + signalWords(e.Signal)
		}
		return e
	case "watchdog":
		e.Cause, e.Reason = policy.CauseWatchdog, "watchdog timeout"+howEnded(f)
		return e
	case "protocol":
		how := strings.TrimPrefix(howEnded(f), ", ")
		e.Cause, e.Reason = policy.CauseProtocol, cmp.Or(how, "ended")+" before it said that it is ready"
		return e
	case "resources":
		e.Cause = policy.CauseResources
		e.Reason = "systemd could not start it (Result=resources; journalctl -u " + f.Unit + " says why)"
		return e
	case "", "success", "exit-code", "signal", "core-dump":
	default:
		e.Cause, e.Reason = policy.CauseStart, "systemd says Result="+f.Result
		return e
	}
	switch code {
	case codeExited:
		e.Cause, e.Reason = policy.CauseExit, fmt.Sprintf("exit status %d", status)
		// Only before the unit has become active are these statuses systemd's own.
		if step, ok := execSteps[status]; ok && !f.executed() && f.StatusText == "" {
			if ran(f) < setupTime {
				e.Cause, e.Reason = policy.CauseExec, fmt.Sprintf("systemd could not execute it: %s (status %d)", step, status)
			} else {
				e.Reason += ", by which systemd would say: " + step
			}
		}
	case codeKilled:
		e.Cause, e.Reason = policy.CauseSignal, signalWords(status)
	case codeDumped:
		e.Cause, e.Reason = policy.CauseCoreDump, signalWords(status)+", core dumped"
	default:
		e.Cause, e.Reason = policy.CauseUnknown, "ended, and systemd does not say how"
		// There was no main process to have such a result.
		if f.ActiveEnter.IsZero() && failedBefore(f.Result) {
			e.Cause, e.Reason = policy.CauseStart, "its ExecStartPre= failed"
		}
	}
	return e
}

// executed reports whether systemd has seen that the program was executed: that makes the unit
// active. One whose failure is ignored becomes active too, when it has ended.
func (f Facts) executed() bool {
	return !f.ActiveEnter.IsZero() && (f.ActiveEntered == 0 || f.ExecMainExit == 0 || f.ActiveEntered <= f.ExecMainExit)
}

// failedBefore reports whether result, of a start without a main process, is that of a command
// of ExecStartPre= (systemd.service(5)).
func failedBefore(result string) bool {
	return result == "exit-code" || result == "signal" || result == "core-dump"
}

// overtime names the key in the end of a run that has lasted for as long as it may. A stop
// that takes too long ends by a timeout as well. systemd's time begins a little earlier than
// that of a scope's process.
func overtime(def Program, e policy.Exit) policy.Exit {
	if e.Cause != policy.CauseTimeout || def.MaxRuntime <= 0 || e.Ran < def.MaxRuntime*9/10 {
		return e
	}
	e.Reason = "ran for longer than " + policy.Words(def.MaxRuntime) + " (max_runtime)"
	if e.Signal != 0 {
		e.Reason += ", " + signalWords(e.Signal)
	}
	return e
}

// setupTime is how long systemd may take, in the process that becomes the program, to set
// it up and execute it. A busy systemd may not have noticed that a program was executed
// when that ends; what ran for longer was executed.
const setupTime = time.Second

// ran is how long the main process lived.
func ran(f Facts) time.Duration {
	if f.ExecMainExit <= f.ExecMainStart {
		return 0
	}
	return time.Duration(f.ExecMainExit-f.ExecMainStart) * time.Microsecond
}

// stopped reports whether somebody was stopping the unit, which has that time for it, when
// it ended. A unit leaves the active state because its main process has ended, or the
// other way round.
func stopped(f Facts, stopTimeout time.Duration) bool {
	switch f.Result {
	case "success", "exit-code", "signal", "core-dump":
	case "timeout":
		// Of a stop; or of its runtime (RuntimeMaxSec=), after which it has the time of a stop to
		// end. systemd sets its timer a little before it takes the time.
		if f.ExecMainExit < f.ActiveExit+usec(stopTimeout*9/10) {
			return false
		}
	default:
		return false // systemd's own reason to end it, before the process has ended
	}
	return f.ActiveExit != 0 && f.ExecMainExit != 0 && f.ActiveExit < f.ExecMainExit
}

// goneExit is the end of a run whose unit systemd has unloaded unobserved. It does not
// unload one that has ended by itself (RemainAfterExit=, CollectMode=inactive), only one
// that was stopped, or whose failure somebody has reset.
func goneExit() policy.Exit {
	return policy.Exit{Cause: policy.CauseUnknown, Reason: "systemd has unloaded the unit"}
}

// waitExit is the exit of a scope's process as wait(2) gives it; systemd never knows it.
// result is the scope's own Result, which tells a kill for memory from another kill.
func waitExit(ws syscall.WaitStatus, result string, m Memory) policy.Exit {
	f := Facts{ExecMainCode: codeExited, ExecMainStatus: int32(ws.ExitStatus())}
	if ws.Signaled() {
		f.ExecMainCode, f.ExecMainStatus = codeKilled, int32(ws.Signal())
		if ws.CoreDump() {
			f.ExecMainCode = codeDumped
		}
	}
	if result == "oom-kill" || result == "timeout" {
		f.Result = result
	}
	f.ActiveEnter = time.Now() // it ran
	return exitOf(f, m)
}

func signalWords(n int) string {
	name := unix.SignalName(syscall.Signal(n))
	if name == "" {
		name = fmt.Sprintf("signal %d", n)
	}
	return "killed by " + name
}

// execSteps names what systemd was doing in the child when it gave up, by exit status
// (systemd 252, src/shared/exit-status.c; systemd.exec(5)).
var execSteps = map[int]string{
	200: "cannot change to the working directory",
	201: "cannot set the nice level",
	202: "cannot set up file descriptors",
	203: "cannot execute the command",
	204: "out of memory",
	205: "cannot set resource limits",
	206: "cannot set the OOM score",
	207: "cannot set the signal mask",
	208: "cannot set up standard input",
	209: "cannot set up standard output",
	210: "cannot change the root directory",
	211: "cannot set the I/O priority",
	212: "cannot set the timer slack",
	213: "cannot set secure bits",
	214: "cannot set the CPU scheduling policy",
	215: "cannot set the CPU affinity",
	216: "cannot change to the group",
	217: "cannot change to the user",
	218: "cannot set capabilities",
	219: "cannot set up the control group",
	220: "cannot create a session",
	221: "cannot confirm the start",
	222: "cannot set up standard error",
	224: "cannot set up the PAM session",
	225: "cannot set up network namespacing",
	226: "cannot set up mount namespacing",
	227: "cannot disable new privileges",
	228: "cannot apply the system call filter",
	229: "cannot set the SELinux context",
	230: "cannot set the personality",
	231: "cannot set the AppArmor profile",
	232: "cannot restrict address families",
	233: "cannot set up the runtime directory",
	235: "cannot change the owner of a socket",
	236: "cannot set the Smack label",
	237: "cannot set up the keyring",
	238: "cannot set up the state directory",
	239: "cannot set up the cache directory",
	240: "cannot set up the logs directory",
	241: "cannot set up the configuration directory",
	242: "cannot set up NUMA policy",
	243: "cannot set up credentials",
}

// String is what is known beside "killed for memory".
func (m Memory) String() string {
	whose := ""
	if b := m.Blame; b.Slice != "" {
		whose = " by the limit of " + b.Slice
		if b.Limit != nil && *b.Limit != Infinity {
			whose += ", " + Limit(*b.Limit)
		}
	}
	return whose + m.figures()
}

func (m Memory) figures() string {
	limited := m.Limit != nil && *m.Limit != Infinity && !m.Blame.NotOwn
	if m.Above != "" && m.Blame == (Blame{}) {
		switch {
		case limited && m.Peak != nil:
			return fmt.Sprintf(" (peak %s; by its limit, %s, or that of %s)", Bytes(*m.Peak), Limit(*m.Limit), m.Above)
		case limited:
			return fmt.Sprintf(" (by its limit, %s, or that of %s)", Limit(*m.Limit), m.Above)
		case m.Peak == nil:
			return fmt.Sprintf(" (perhaps by the limit of %s)", m.Above)
		}
		return fmt.Sprintf(" (peak %s; perhaps by the limit of %s)", Bytes(*m.Peak), m.Above)
	}
	switch {
	case m.Peak != nil && limited:
		return fmt.Sprintf(" (peak %s of %s)", Bytes(*m.Peak), Limit(*m.Limit))
	case m.Peak != nil:
		return fmt.Sprintf(" (peak %s)", Bytes(*m.Peak))
	case limited:
		return fmt.Sprintf(" (limit %s)", Limit(*m.Limit))
	}
	return ""
}

// Bytes formats a size with one decimal and a 1024-based unit: "12.3M".
func Bytes(n uint64) string {
	if n == Infinity {
		return "infinity"
	}
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 999.95 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f%c", v, "KMGTP"[unit])
}

// Limit formats a limit: as Bytes, without a decimal that says nothing: "30M", "1.5G".
func Limit(n uint64) string {
	s := Bytes(n)
	if i := strings.Index(s, ".0"); i >= 0 {
		s = s[:i] + s[i+2:]
	}
	return s
}
