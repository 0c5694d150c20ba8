package policy

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// ExitSet is a set of ways to end. The zero value holds none.
type ExitSet struct {
	Causes  []Cause  `json:"causes,omitempty"` // see [Causes]
	Codes   []Range  `json:"codes,omitempty"`  // of exit statuses
	Signals []Signal `json:"signals,omitempty"`
}

// Range is the exit statuses From to To, 0 to 255.
type Range struct {
	From int `json:"from"`
	To   int `json:"to"`
}

func (r Range) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Signal is the number of a signal.
type Signal int

// String is the signal's name, "SIGTERM".
func (s Signal) String() string {
	if name := signalNames[syscall.Signal(s)]; name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

// Codes makes the set of these exit statuses.
func Codes(codes ...int) ExitSet {
	var s ExitSet
	for _, c := range codes {
		s.Codes = append(s.Codes, Range{c, c})
	}
	return s
}

// Causes are the causes an ExitSet may name, by the words a configuration has for them.
var Causes = []struct {
	Word  string
	Cause Cause
}{
	{"oom", CauseOOM},
	{"timeout", CauseTimeout},
	{"watchdog", CauseWatchdog},
	{"signal", CauseSignal},
	{"core-dump", CauseCoreDump},
	{"exec-failed", CauseExec},
	{"unhealthy", CauseUnhealthy},
}

func causeWord(c Cause) string {
	for _, w := range Causes {
		if w.Cause == c {
			return w.Word
		}
	}
	return string(c)
}

// Empty reports whether nothing is in s.
func (s ExitSet) Empty() bool { return len(s.Causes)+len(s.Codes)+len(s.Signals) == 0 }

// Contains reports whether e is in s.
func (s ExitSet) Contains(e Exit) bool {
	_, ok := s.Match(e)
	return ok
}

// Match returns the member of s that e is, in the configuration's words. Exit statuses are
// looked at only where the program exited or could not be executed, signals only where
// one ended it and no other cause did: what is killed for memory dies of SIGKILL, but
// that is not its cause. Whether a signal dumps core is a matter of limits, so the cause
// signal is any death by one.
func (s ExitSet) Match(e Exit) (member string, ok bool) {
	switch e.Cause {
	case CauseExit, CauseExec:
		for _, r := range s.Codes {
			if r.From <= e.Code && e.Code <= r.To {
				return r.String(), true
			}
		}
	case CauseSignal, CauseCoreDump:
		if slices.Contains(s.Signals, Signal(e.Signal)) {
			return Signal(e.Signal).String(), true
		}
	}
	for _, c := range s.Causes {
		if c == e.Cause || (c == CauseSignal && e.Cause == CauseCoreDump) {
			return causeWord(c), true
		}
	}
	return "", false
}

// String lists the members as a configuration has them: "oom SIGTERM 3 64-78".
func (s ExitSet) String() string {
	var words []string
	for _, c := range s.Causes {
		words = append(words, causeWord(c))
	}
	for _, c := range s.Codes {
		words = append(words, c.String())
	}
	for _, n := range s.Signals {
		words = append(words, n.String())
	}
	return strings.Join(words, " ")
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGILL: "SIGILL",
	syscall.SIGTRAP: "SIGTRAP", syscall.SIGABRT: "SIGABRT", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE",
	syscall.SIGKILL: "SIGKILL", syscall.SIGUSR1: "SIGUSR1", syscall.SIGSEGV: "SIGSEGV", syscall.SIGUSR2: "SIGUSR2",
	syscall.SIGPIPE: "SIGPIPE", syscall.SIGALRM: "SIGALRM", syscall.SIGTERM: "SIGTERM", syscall.SIGCHLD: "SIGCHLD",
	syscall.SIGCONT: "SIGCONT", syscall.SIGSTOP: "SIGSTOP", syscall.SIGTSTP: "SIGTSTP", syscall.SIGTTIN: "SIGTTIN",
	syscall.SIGTTOU: "SIGTTOU", syscall.SIGURG: "SIGURG", syscall.SIGXCPU: "SIGXCPU", syscall.SIGXFSZ: "SIGXFSZ",
	syscall.SIGVTALRM: "SIGVTALRM", syscall.SIGPROF: "SIGPROF", syscall.SIGWINCH: "SIGWINCH", syscall.SIGIO: "SIGIO",
	syscall.SIGPWR: "SIGPWR", syscall.SIGSYS: "SIGSYS",
}
