package convert

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"msup/config"
)

// This file has what all keys of supervisord have in common: their values, and what is noted of them.

// keyOf is a key of a section, else of [DEFAULT]; nil if there is none.
func (c *supervisord) keyOf(s *iniSection, name string) *iniKey {
	return cmp.Or(s.key(name), c.file.defaults.key(name))
}

// keysOf are the keys of a section, and those of [DEFAULT] that it has not.
func (c *supervisord) keysOf(s *iniSection) []*iniKey {
	keys := slices.Clone(s.keys)
	for _, k := range c.file.defaults.keys {
		if s.key(k.name) == nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// lookup finds a variable of the environment: to be replaced here and now when the
// configuration is to be run, else when the one of msup's is read.
func (c *supervisord) lookup(name string) (string, bool) {
	value, ok := c.env(name)
	switch {
	case ok && strings.Contains(value, mark):
		return "", false
	case c.Direct:
		return value, ok
	case !variableName.MatchString(name):
		return "", false
	}
	return mark + "env " + name + mark, true
}

// variableName is one that msup takes, IEEE 1003.1 section 8.1.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand is the value of a key with its names replaced; it may have marks.
func (c *supervisord) expand(k *iniKey, x expansions) (string, bool) {
	// here is the folder of the file that the value stands in.
	value, err := x.with("here", k.dir).expand(k.value)
	if c.size += len(value); c.size > maxExpanded {
		err = fmt.Errorf("all values together come to more than %d MiB", maxExpanded>>20)
	}
	if err != nil {
		c.wrong(k, err)
		return "", false
	}
	return value, true
}

// maxExpanded bounds all values together: [DEFAULT] may be in thousands of programs.
const maxExpanded = 16 << 20

// now is the value of a key that must be known when it is converted: a number, a word.
func (c *supervisord) now(k *iniKey, x expansions) (string, bool) {
	missing := ""
	x.env = func(name string) (string, bool) {
		value, ok := c.env(name)
		if !ok {
			missing = name
		}
		return value, ok
	}
	value, err := x.with("here", k.dir).expand(k.value)
	switch {
	case err == nil && marked(value):
		c.wrong(k, fmt.Errorf("it cannot be another one in each process"))
		return "", false
	case err == nil:
		return value, true
	case missing != "" && !c.Direct && k.name != "user": // without a user it would run as root
		c.lost[k] = true
		c.note(k, Dropped, nil, fmt.Sprintf("the variable %s is not set, and a value of this key is known only with it", missing), "set it: "+missing+"=… msup import …")
		return "", false
	}
	c.wrong(k, err)
	return "", false
}

// integer is the value of a key that is a whole number.
func (c *supervisord) integer(s *iniSection, name string, otherwise int, x expansions) int {
	k := c.keyOf(s, name)
	if k == nil {
		return otherwise
	}
	value, ok := c.now(k, x)
	if !ok {
		return otherwise
	}
	n, err := pythonInt(value)
	if err != nil {
		c.wrong(k, err)
		return otherwise
	}
	return n
}

// wrong reports a value that supervisord would not take either.
func (c *supervisord) wrong(k *iniKey, err error) {
	c.lost[k] = true
	d := config.Diagnostic{Section: k.section, Key: k.name, Value: oneLine(k.value), Message: err.Error()}
	if missing, ok := errors.AsType[*missingError](err); ok {
		d.Hint = "set it: " + missing.name + "=… msup …"
	} else if _, ok := errors.AsType[*formatError](err); ok {
		d.Hint = "a percent sign that stands for itself is written %%"
	} else if inTemplate.MatchString(k.value) {
		d.Hint = ofTemplate
	} else if goesOn(k.value) {
		d.Hint = "what is indented belongs to the line above"
	} else if k.note != "" {
		d.Hint = "what stands behind a space and ; or # is a comment"
	}
	c.fail(k.place, d)
}

// goesOn reports whether a value has several lines.
func goesOn(value string) bool { return strings.Contains(value, "\n") }

var errGoesOn = errors.New("it has several lines")

// note says what has become of a key. One of [DEFAULT] is in several programs: what is worse counts.
func (c *supervisord) note(k *iniKey, v Verdict, became []string, why, instead string) {
	e := c.entries[k]
	if e == nil {
		c.entries[k] = &Entry{
			File: k.place.File, Line: k.place.Line, Section: k.section, Key: k.name, Value: k.value,
			Verdict: v, Became: became, Why: why, Instead: instead,
		}
		return
	}
	order := []Verdict{Kept, Changed, Dropped}
	if slices.Index(order, v) > slices.Index(order, e.Verdict) || e.Why == "" && v == e.Verdict {
		e.Verdict, e.Why, e.Instead = v, why, instead
	}
	for _, b := range became {
		if !slices.Contains(e.Became, b) {
			e.Became = append(e.Became, b)
		}
	}
}

// put sets a key of the configuration to what a key of the file has become, and takes the
// comments along. It returns the lines, nil if the value cannot be written.
func (c *supervisord) put(s *Section, k *iniKey, name, value string) []string {
	if err := s.set(k.place, name, value); err != nil {
		c.note(k, Dropped, nil, err.Error(), "")
		return nil
	}
	set := &s.Keys[len(s.Keys)-1]
	if i := slices.IndexFunc(s.Keys, func(key Key) bool { return key.Name == name && key.Place == k.place }); i >= 0 && !strings.HasPrefix(name, "environment") {
		set = &s.Keys[i]
	}
	set.Comments = append(set.Comments, meaningful(k.comments)...)
	k.comments = nil
	if len(meaningful([]string{k.note})) > 0 && !strings.ContainsAny(set.Value, "#;") {
		set.Note = k.note
	}
	k.note = ""
	return []string{name + " = " + set.Value}
}

// kept notes what a key has become without a change of its meaning.
func (c *supervisord) kept(s *Section, k *iniKey, name, value string) {
	if lines := c.put(s, k, name, value); lines != nil {
		c.note(k, Kept, lines, "", "")
	}
}

func (c *supervisord) changed(s *Section, k *iniKey, name, value, why string) {
	if lines := c.put(s, k, name, value); lines != nil {
		c.note(k, Changed, lines, why, "")
	}
}

// oldKey is a line that was commented out, or part of supervisord's own sample file.
var oldKey = regexp.MustCompile(`^\[[a-z_-]+(:[^\]]*)?\]|^[a-z_]+ *[=:]|\(def\b|\bdefault\b|^[;#=*-]+$` +
	`|^(the program \(relative|setuid to this UNIX account|process environment additions|key value pairs to add|each refers to 'x')`)

// sampleHead is in the comment above supervisord's own sample files.
var sampleHead = regexp.MustCompile(`(?i)supervisor config file|supervisord\.org`)

// meaningful leaves out comments that mean nothing any more.
func meaningful(comments []string) []string {
	return slices.DeleteFunc(slices.Clone(comments), func(s string) bool { return s == "" || oldKey.MatchString(s) })
}
