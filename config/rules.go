package config

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"msup/policy"
	"msup/units"
)

// This file reads the values of the restart policy, and looks for rules that contradict
// each other or have no effect.

// listWords splits a list that white space or commas separate.
func listWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// parseDelays reads one or several durations. White space separates them here, so one of
// several parts is written without: 1h30m.
func parseDelays(s string) ([]time.Duration, error) {
	var delays []time.Duration
	words := listWords(s)
	for i := 0; i < len(words); i++ {
		word := words[i]
		if i+1 < len(words) && durationUnits[words[i+1]] != 0 {
			i++ // "5 min"
			word += words[i]
		}
		d, err := ParseDuration(word)
		if err != nil {
			return nil, err
		}
		delays = append(delays, d)
	}
	if len(delays) == 0 {
		return nil, fmt.Errorf("%s holds no time", quote(s))
	}
	return delays, nil
}

// parseNumber reads a decimal number between low and high.
func parseNumber(s string, low, high int64) (float64, error) {
	n, ok := rational(s)
	if !ok {
		return 0, fmt.Errorf("%s is not a number", quote(s))
	}
	if n.Cmp(big.NewRat(low, 1)) < 0 || n.Cmp(big.NewRat(high, 1)) > 0 {
		return 0, fmt.Errorf("%s is out of range", s)
	}
	f, _ := n.Float64()
	return f, nil
}

// parseShare reads a number from 0 to 1, or a percentage.
func parseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	if percent {
		share, err := parseNumber(strings.TrimRight(number, blank), 0, 100)
		if err != nil {
			err = fmt.Errorf("%s is not a share", quote(s))
		}
		return share / 100, err
	}
	share, err := parseNumber(s, 0, 1)
	if err != nil {
		err = fmt.Errorf("%s is not a share", quote(s))
	}
	return share, err
}

// parseExits reads causes, exit statuses, ranges of them and names of signals, each once.
func parseExits(s string) (policy.ExitSet, error) {
	var set policy.ExitSet
	for _, word := range listWords(s) {
		if err := addExit(&set, word); err != nil {
			return policy.ExitSet{}, err
		}
	}
	if set.Empty() {
		return set, fmt.Errorf("%s is an empty list", quote(s))
	}
	return set, nil
}

func addExit(set *policy.ExitSet, word string) error {
	if word[0] >= '0' && word[0] <= '9' {
		r, err := parseCodes(word)
		if err == nil && !slices.Contains(set.Codes, r) {
			set.Codes = append(set.Codes, r)
		}
		return err
	}
	name := strings.ToLower(word)
	if c, ok := otherCauses[name]; ok {
		return hinted("did you mean "+c+"?", "%s is no cause", quote(word))
	}
	for _, c := range policy.Causes {
		if c.Word == name {
			if !slices.Contains(set.Causes, c.Cause) {
				set.Causes = append(set.Causes, c.Cause)
			}
			return nil
		}
	}
	if sig, err := ParseSignal(word); err == nil && name[0] >= 'a' && name[0] <= 'z' {
		if n := policy.Signal(sig); !slices.Contains(set.Signals, n) {
			set.Signals = append(set.Signals, n)
		}
		return nil
	}
	if near := Suggest(name, exitWords()); near != "" {
		if strings.HasPrefix(near, "sig") && near != "signal" {
			near = strings.ToUpper(near)
		}
		return hinted("did you mean "+near+"?", "%s is neither a cause, an exit status, a range of them nor a signal", quote(word))
	}
	return fmt.Errorf("%s is neither a cause, an exit status, a range of them nor a signal", quote(word))
}

// otherCauses are what systemd and people call a cause.
var otherCauses = map[string]string{
	"oom-kill": "oom", "oom_kill": "oom", "memory": "oom", "killed": "signal", "signals": "signal",
	"core": "core-dump", "coredump": "core-dump", "core_dump": "core-dump", "exec": "exec-failed", "exec_failed": "exec-failed",
	"health": "unhealthy",
}

// exitWords are the words a list of ends may hold, numbers apart.
func exitWords() []string {
	var words []string
	for _, c := range policy.Causes {
		words = append(words, c.Word)
	}
	for n := unix.Signal(1); n < 32; n++ {
		if name := strings.ToLower(unix.SignalName(n)); name != "" {
			words = append(words, name)
		}
	}
	return words
}

// parseCodes reads an exit status or a range of them.
func parseCodes(word string) (policy.Range, error) {
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	low, err := strconv.ParseUint(from, 10, 8)
	high, err2 := strconv.ParseUint(to, 10, 8)
	if err != nil || err2 != nil || low > high {
		return policy.Range{}, fmt.Errorf("%s is neither an exit status (0 to 255) nor a range of them", quote(word))
	}
	return policy.Range{From: int(low), To: int(high)}, nil
}

func exitSet(field func(*policy.Rules) *policy.ExitSet) func(*target, setting) error {
	return func(t *target, s setting) (err error) {
		*field(&t.prog.Rules), err = parseExits(s.value)
		return err
	}
}

func setSuccess(t *target, s setting) error {
	set, err := parseExits(s.value)
	if err != nil {
		return err
	}
	if len(set.Causes) > 0 {
		return hinted("use exit statuses, ranges of them and names of signals, for example "+s.key.Example,
			"%s is never an end that is well", policy.ExitSet{Causes: set.Causes})
	}
	t.prog.Rules.Success = set
	return nil
}

// checkRules looks at the rules of a program together. What contradicts itself is an error,
// what has no effect a warning.
func checkRules(t *target) {
	r := &t.prog.Rules
	fail := func(key, message, hint string) {
		if !t.quiet {
			t.reportFor(t.prog, t.prog.at(key), message, hint)
		}
	}
	given := func(key string) bool { _, ok := t.prog.given[key]; return ok }
	inDefaults := func(key string) bool { return given(key) && t.prog.at(key).section == defaultsSection }
	// idle warns of a key, and says why it has no effect. In [defaults] it is for those programs on
	// which it has one, unless what takes that away, with, stands there too.
	idle := func(key, why string, with ...string) {
		if given(key) && (!inDefaults(key) || slices.ContainsFunc(with, inDefaults)) {
			t.warn(t.prog.at(key), key+" has no effect: "+why, "")
		}
	}

	completeSchedule(t, given, idle)
	delays := append([]time.Duration{r.RestartDelay}, r.MoreDelays...)
	longest := slices.Max(append(delays, r.StartRetryDelays...))
	switch {
	case r.RestartDelayMax == 0: // no limit
	case !given("restart_delay_max"):
		r.RestartDelayMax = max(r.RestartDelayMax, longest)
	case r.RestartDelayMax < longest:
		fail("restart_delay_max", fmt.Sprintf("%s is shorter than a delay of %s", policy.Words(r.RestartDelayMax), policy.Words(longest)),
			"raise it, or lower the delay")
	}
	if r.RestartBackoff > 1 && delays[len(delays)-1] == 0 && len(r.StartRetryDelays) == 0 {
		idle("restart_backoff", "the last restart_delay is 0", "restart_delay")
	}
	if r.RestartJitter > 0 && longest == 0 {
		idle("restart_jitter", "there is no delay", "restart_delay")
	}
	if r.MaxRestarts == 0 {
		if r.RestartWindow > 0 {
			idle("restart_window", "max_restarts is 0, no limit", "max_restarts")
		}
		if r.RestartCooldown > 0 && r.StartRetries == nil {
			idle("restart_cooldown", "max_restarts is 0, so it is never given up", "max_restarts")
		}
	}
	if r.StartRetries == nil {
		idle("start_retry_delay", "start_retries is not set")
	}
	checkOneshot(r, inDefaults, fail, idle)
	if t.prog.Type == units.Scope && r.Ready == "" {
		idle("start_timeout", "msup starts a scope itself, and systemd limits no part of that")
	}

	if !r.RestartOn.Empty() && !slices.ContainsFunc(members(r.RestartOn), func(e policy.Exit) bool { return !r.RestartNeverOn.Contains(e) }) {
		idle("restart_on", "restart_never_on has all of it", "restart_never_on")
	}
	oom := policy.Exit{Cause: policy.CauseOOM}
	switch {
	case r.OnOOM == policy.OOMRestart && r.RestartNeverOn.Contains(oom):
		fail("on_oom", "restart_never_on has oom", "say it once: on_oom = stop, or remove it there")
	case r.OnOOM == policy.OOMStop && r.RestartOn.Contains(oom):
		fail("on_oom", "restart_on has oom", "say it once: on_oom = restart, or remove it there")
	}
}

// members are the ends a set names, one by one.
func members(s policy.ExitSet) []policy.Exit {
	var all []policy.Exit
	for _, c := range s.Causes {
		all = append(all, policy.Exit{Cause: c, Code: -1, Signal: -1})
	}
	for _, r := range s.Codes {
		for code := r.From; code <= r.To; code++ {
			all = append(all, policy.Exit{Cause: policy.CauseExit, Code: code})
		}
	}
	for _, n := range s.Signals {
		all = append(all, policy.Exit{Cause: policy.CauseSignal, Signal: int(n)})
	}
	return all
}
