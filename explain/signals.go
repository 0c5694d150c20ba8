package explain

import (
	"fmt"
	"strings"
	"syscall"

	"msup/policy"
	"msup/units"
)

// faults are signals that the kernel sends a program for what that does itself (signal(7)).
var faults = map[syscall.Signal]string{
	syscall.SIGSEGV: "it used memory that it has not got (an invalid pointer, a stack that is too deep)",
	syscall.SIGBUS:  "it used memory behind which there is nothing (a mapped file that was cut short, a disk error)",
	syscall.SIGFPE:  "an arithmetic error, as a division by zero",
	syscall.SIGILL:  "the CPU does not know an instruction: built for another CPU, or damaged",
	syscall.SIGTRAP: "a breakpoint, or a check that its compiler or runtime has put in",
	syscall.SIGSYS:  "a system call that a filter forbids (SystemCallFilter=, seccomp)",
	syscall.SIGXCPU: "it has used up its CPU time (LimitCPU=)",
	syscall.SIGXFSZ: "a file grew above its limit (LimitFSIZE=)",
}

// signalMeaning says of a death by signal who may have sent it, as far as anybody can know:
// the kernel does not write it down.
func signalMeaning(f Facts, e units.End) []string {
	sig := syscall.Signal(e.Exit.Signal)
	name := signalName(e.Exit.Signal)
	if s := e.Sent; s != nil && s.Signal == e.Exit.Signal {
		return []string{fmt.Sprintf("%s was sent at %s: %s", name, f.clock(s.At), s.By)}
	}
	if e.During == policy.Stopping {
		return []string{stopSignal(f, e)}
	}
	for _, line := range f.Last.Systemd.Lines {
		if strings.Contains(line, "Sent signal "+name) && strings.Contains(line, "client request") {
			return []string{name + " was sent by systemd, because somebody asked for it: systemctl kill, or another client"}
		}
	}
	if text := faults[sig]; text != "" {
		return []string{name + " comes from the kernel, for what the program did itself: " + text, "(unless another process has sent it with kill)"}
	}
	switch sig {
	case syscall.SIGABRT:
		return []string{
			"SIGABRT is what a program sends itself with abort(3): an assertion, or a check of its runtime or of malloc, that failed",
			"its last output often says which (or another process has sent it with kill)",
		}
	case syscall.SIGPIPE:
		return []string{"SIGPIPE: it wrote to a pipe or a socket that nobody reads any more"}
	case syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGPROF:
		return []string{name + ": a timer that it has set itself ran out (alarm(2), setitimer(2))"}
	}
	out := []string{name + " came neither from msup nor from systemd: another process has sent it (kill, pkill), one of root or of its own user, or it has itself; the kernel does not note which"}
	if sig == syscall.SIGKILL {
		if k := f.killedMain(e); k != nil {
			return []string{"SIGKILL came from the kernel, for want of memory"}
		}
		switch {
		case f.Settings.OOMPolicy == "continue":
			out = append(out, "or the kernel has, for want of memory: with OOMPolicy=continue systemd does not tell that apart")
		case f.Last.Kills.Note != "":
			out = append(out, "or the kernel has, for want of memory, unnoticed by systemd; its log would tell: "+f.Last.Kills.Note)
		}
	}
	return out
}

// stopSignal is about a signal that ended a program while it was being stopped.
func stopSignal(f Facts, e units.End) string {
	name := signalName(e.Exit.Signal)
	switch syscall.Signal(e.Exit.Signal) {
	case f.Program.StopSignal:
		return fmt.Sprintf("%s is its stop_signal: it was being stopped (%s)", name, e.By)
	case syscall.SIGKILL:
		return fmt.Sprintf("it was being stopped (%s) and got SIGKILL: it had not ended within its stop_timeout of %s, or somebody was impatient", e.By, span(f.Program.StopTimeout))
	}
	return fmt.Sprintf("it was being stopped (%s)", e.By)
}
