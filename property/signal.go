package property

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// exitStatuses is the codec of SuccessExitStatus= and the like: statuses and signals.
type exitStatuses struct{}

func (exitStatuses) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	set := ExitStatusSet{Codes: []int32{}, Signals: []int32{}}
	for _, line := range lines {
		for w := range strings.FieldsSeq(line) {
			if n, err := strconv.ParseUint(w, 10, 8); err == nil {
				set.Codes = append(set.Codes, int32(n))
			} else if n, err := signalNumber(w); err == nil {
				set.Signals = append(set.Signals, n)
			} else {
				return nil, fmt.Errorf("%s is neither an exit status nor a signal", quoted(w))
			}
		}
	}
	return []Property{{e.Name, set}}, nil
}

func (exitStatuses) format(_ *Entry, props []Property) ([]string, error) {
	lines := make([]string, len(props))
	for i, p := range props {
		set, err := value[ExitStatusSet](p)
		if err != nil {
			return nil, err
		}
		var words []string
		for _, c := range set.Codes {
			words = append(words, strconv.Itoa(int(c)))
		}
		for _, s := range set.Signals {
			words = append(words, signalName(s))
		}
		lines[i] = strings.Join(words, " ")
	}
	return lines, nil
}

func (exitStatuses) sends(e *Entry) []Typed { return []Typed{{e.Name, "(aiai)"}} }
func (exitStatuses) allowed() string        { return "exit statuses and signals, separated by spaces" }

// rtmin and rtmax are the real-time signals that the C library leaves to programs, signal(7).
const (
	rtmin = 34
	rtmax = 64
)

// signalNumber reads a signal's name, with or without SIG, RTMIN+n, or its number.
func signalNumber(s string) (int32, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil && n >= 1 && n <= rtmax {
		return int32(n), nil
	}
	name := strings.TrimPrefix(s, "SIG")
	for _, rt := range []struct {
		prefix string
		base   int
		sign   int
	}{{"RTMIN", rtmin, 1}, {"RTMAX", rtmax, -1}} {
		rest, ok := strings.CutPrefix(name, rt.prefix)
		if !ok {
			continue
		}
		n := 0
		if rest != "" {
			var err error
			if n, err = strconv.Atoi(rest); err != nil {
				break
			}
		}
		if n*rt.sign >= 0 && rt.base+n >= rtmin && rt.base+n <= rtmax {
			return int32(rt.base + n), nil
		}
	}
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return int32(sig), nil
	}
	return 0, fmt.Errorf("%s is not a signal", quoted(s))
}

func signalName(n int32) string {
	if n >= rtmin && n <= rtmax {
		return fmt.Sprintf("RTMIN+%d", n-rtmin)
	}
	if name := unix.SignalName(unix.Signal(n)); name != "" {
		return name
	}
	return strconv.Itoa(int(n))
}

var signal = scalar[int32]{typ: "i", words: "the name or number of a signal", read: signalNumber, write: signalName}

// errno is the error a forbidden system call gives; kill ends the program instead.
var errno = scalar[int32]{
	typ: "i", words: "the name or number of an error, or kill",
	read: func(s string) (int32, error) {
		if s == "kill" {
			return errnoKill, nil
		}
		if n, err := strconv.ParseUint(s, 10, 16); err == nil && n >= 1 && n < 4096 {
			return int32(n), nil
		}
		for n := int32(1); n < 4096; n++ {
			if unix.ErrnoName(unix.Errno(n)) == s && s != "" {
				return n, nil
			}
		}
		return 0, fmt.Errorf("%s is not an error", quoted(s))
	},
	write: func(n int32) string {
		if n == errnoKill {
			return "kill"
		}
		if name := unix.ErrnoName(unix.Errno(n)); name != "" {
			return name
		}
		return strconv.Itoa(int(n))
	},
}

// errnoKill stands for kill over D-Bus (SystemCallErrorNumber=, systemd 247).
const errnoKill = 1<<31 - 2
