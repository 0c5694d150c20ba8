//go:build linux

package torture

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"time"

	"msup/policy"
)

// transition is one line of msup's transition log.
type transition struct {
	at       time.Time
	program  string // "" = the supervisor's own
	from, to policy.Phase
	reason   string
	line     string
}

// exit reports whether the line tells the end of a run.
func (t transition) exit() bool {
	return t.from.Up() && !t.to.Up() || t.from == policy.Stopping && t.to == policy.Starting
}

// explicit reports whether the line is a start that somebody asked for, which clears the count of restarts.
func (t transition) explicit() bool {
	return t.to == policy.Starting && !restartReason.MatchString(t.reason)
}

var (
	transitionLine = regexp.MustCompile(`^(\S+) (\S+) ([A-Z]+) -> ([A-Z]+): (.*)$`)
	noteLine       = regexp.MustCompile(`^(\S+) (\S+): (.*)$`)
	restartReason  = regexp.MustCompile(`^restart \d`)
)

func readTransitions(path string) ([]transition, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseTransitions(text)
}

func parseTransitions(text []byte) ([]transition, error) {
	var all []transition
	for line := range bytes.Lines(text) {
		s := string(bytes.TrimSuffix(line, []byte("\n")))
		var t transition
		stamp := ""
		if m := transitionLine.FindStringSubmatch(s); m != nil {
			stamp = m[1]
			t = transition{program: m[2], from: policy.Phase(m[3]), to: policy.Phase(m[4]), reason: m[5]}
		} else if m := noteLine.FindStringSubmatch(s); m != nil {
			stamp = m[1]
			t = transition{reason: m[3]}
			if m[2] != "msup" {
				t.program = m[2]
			}
		}
		t.line = s
		var err error
		if t.at, err = time.Parse(time.RFC3339Nano, stamp); err != nil {
			return nil, fmt.Errorf("a torn line in the transition log: %q", s)
		}
		all = append(all, t)
	}
	return all, nil
}

// of returns the transitions of a program.
func of(all []transition, program string) (some []transition) {
	for _, t := range all {
		if t.program == program && t.to != "" {
			some = append(some, t)
		}
	}
	return some
}
