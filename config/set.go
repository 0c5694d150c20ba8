package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msup/units"
)

// The setters of the table in keys.go. Each reads the value of one setting into the
// program (or the configuration) it is for.

// setting is a line key = value of a section, comment and quotes taken off.
type setting struct {
	src     *source
	line    int
	section string // title of the section it stands in
	key     *Key
	value   string
	comment byte // the character a comment behind the value begins with, 0 = none
	// asWritten is the value before something in braces was replaced, "" if nothing was.
	asWritten string
}

func (s setting) diagnostic(message, hint string) Diagnostic {
	return Diagnostic{Line: s.line, Section: s.section, Key: s.key.Name, Value: cmp.Or(s.asWritten, s.value), Message: message, Hint: hint}
}

// place is where the setting stands, for messages about another one.
func (s setting) place() string {
	d := s.src.original(Diagnostic{File: s.src.shown, Line: s.line})
	return fmt.Sprintf("%s:%d", d.File, d.Line)
}

// target is what a setting is for.
type target struct {
	*loader
	prog  *draft // nil for [msup]
	quiet bool   // the value was checked before, where it stands
}

func (t *target) warn(s setting, message, hint string) {
	if !t.quiet {
		t.loader.warn(s.src, s.diagnostic(message, hint))
	}
}

// apply reads a setting and reports what is wrong with it.
func (t *target) apply(s setting) {
	err := s.key.set(t, s)
	if err == nil || t.quiet {
		return
	}
	t.report(s.src, s.wrong(err))
}

// wrong says what is wrong with the value.
func (s setting) wrong(err error) Diagnostic {
	d := s.diagnostic(err.Error(), "use "+s.key.Allowed+", for example "+s.key.Example)
	ve := &valueError{}
	if errors.As(err, &ve) {
		d.Hint = ve.hint
	}
	return d
}

func duration(field func(*units.Program) *time.Duration) func(*target, setting) error {
	return func(t *target, s setting) (err error) {
		*field(&t.prog.Program), err = ParseDuration(s.value)
		return err
	}
}

func integer(field func(*units.Limits) **int, low, high int64) func(*target, setting) error {
	return func(t *target, s setting) error {
		n, err := parseInt(s.value, low, high)
		i := int(n)
		*field(&t.prog.Limits) = &i
		return err
	}
}

func weight(field func(*units.Limits) **uint64) func(*target, setting) error {
	return func(t *target, s setting) error {
		n, err := parseInt(s.value, 1, 10000)
		u := uint64(n)
		*field(&t.prog.Limits) = &u
		return err
	}
}

func count(field func(*units.Limits) **uint64) func(*target, setting) error {
	return func(t *target, s setting) error {
		u := units.Infinity
		if !isInfinity(s.value) {
			n, err := parseInt(s.value, 1, 1<<31-1)
			if err != nil {
				return err
			}
			u = uint64(n)
		}
		*field(&t.prog.Limits) = &u
		return nil
	}
}

const (
	// minMemory is refused below: systemd 257 hangs for good on a limit under one page,
	// and pages are up to 64 KiB large.
	minMemory = 64 << 10
	// smallMemory is warned about below: systemd's own part of a start, between fork
	// and exec, counts as well and takes that much.
	smallMemory = 4 << 20
)

func setMemory(field func(*units.Limits) **uint64) func(*target, setting) error {
	return func(t *target, s setting) error {
		size, err := parseSize(s.value, t.host.memTotal)
		if err != nil {
			return err
		}
		if size < minMemory {
			return hinted("use 64K or more; a program needs at least some megabytes",
				"%s is less than 64 KiB, which can hang systemd", quote(s.value))
		}
		if size < smallMemory {
			t.warn(s, fmt.Sprintf("%s may be too small to start anything", s.value), "below 4M even the start of a program can fail")
		}
		*field(&t.prog.Limits) = &size
		return nil
	}
}

func setCPU(t *target, s setting) error {
	percent, rounded, err := parseCPU(s.value)
	if err != nil {
		return err
	}
	if rounded {
		t.warn(s, fmt.Sprintf("%s is not a whole percent of a CPU and is rounded to %d%%", s.value, percent), "")
	}
	if !strings.HasSuffix(s.value, "%") && percent != units.Infinity && percent > uint64(t.host.cpus)*100 {
		t.warn(s, fmt.Sprintf("%s is %s CPUs, more than this machine has (%d)", s.value, s.value, t.host.cpus),
			fmt.Sprintf("for a percentage write %s%%", s.value))
	}
	t.prog.Limits.CPUPercent = &percent
	return nil
}

// oneOf checks a word against the ones allowed.
func oneOf[T ~string](word string, allowed ...T) error {
	if slices.Contains(allowed, T(word)) {
		return nil
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	list := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	hint := ""
	if near := Suggest(word, words); near != "" {
		hint = "did you mean " + near + "?"
	}
	return hinted(hint, "%s is not %s", quote(word), list)
}

func setProject(t *target, s setting) error {
	if msg := projectProblem(s.value); msg != "" {
		return hinted("use letters, digits and _, for example shop", "%s", msg)
	}
	t.cfg.Name = s.value
	return nil
}

func setCommand(t *target, s setting) error {
	words, err := splitWords(s.value)
	if err != nil {
		return err
	}
	if len(words) == 0 || words[0] == "" {
		return hinted("write the program to run, for example "+s.key.Example, "there is no program in %s", quote(s.value))
	}
	t.prog.Argv = words
	warnShell(t, s, words[0])
	return nil
}

// setEnvironment adds variables; a program's own replace those of [defaults].
func setEnvironment(t *target, s setting) error {
	if i := commaBetween(s.value); i >= 0 {
		return hinted("separate variables by white space; put a value that holds a comma in quotes",
			"a comma stands between variables in %s", quote(s.value))
	}
	words, err := splitWords(s.value)
	if err != nil {
		return err
	}
	for _, word := range words {
		name, _, ok := strings.Cut(word, "=")
		if !ok || !variable.MatchString(name) {
			return fmt.Errorf("%s is not KEY=value", quote(word))
		}
		if first, again := t.prog.variables[name]; again {
			if first.section == s.section {
				return hinted("remove one of them", "%s is set twice, first in %s", name, first.place())
			}
			t.prog.Environment = slices.DeleteFunc(t.prog.Environment, func(kv string) bool {
				return strings.HasPrefix(kv, name+"=")
			})
		}
		t.prog.variables[name] = s
		t.prog.Environment = append(t.prog.Environment, word)
	}
	return nil
}
