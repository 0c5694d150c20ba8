package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// readEnvironment reads the variables, which other values name too.
func (p *program) readEnvironment() {
	c := p.supervisord
	k := c.keyOf(p.section, "environment")
	if k == nil {
		return
	}
	value, ok := c.expand(k, p.x)
	if !ok {
		return
	}
	pairs, err := splitPairs(value)
	if err != nil {
		c.wrong(k, fmt.Errorf("it is not KEY=\"value\",KEY2=\"value\": %w", err))
		return
	}
	p.env = pairs
	for _, e := range pairs {
		p.x = p.x.with(envPrefix+e.name, e.value)
	}
}

// sharedEnvironment reads and writes the variables of [supervisord], which all programs have.
func (c *supervisord) sharedEnvironment(k *iniKey, defaults *Section) {
	value, ok := c.expand(k, c.global)
	if !ok {
		return
	}
	// supervisord does it twice here.
	if again, err := c.global.expand(value); err == nil {
		value = again
	}
	pairs, err := splitPairs(value)
	if err != nil {
		c.wrong(k, fmt.Errorf("it is not KEY=\"value\",KEY2=\"value\": %w", err))
		return
	}
	c.shared = pairs
	for _, e := range pairs {
		c.global = c.global.with(envPrefix+e.name, e.value)
	}
	c.variables(defaults, k, pairs)
}

// environment writes the variables of a program; SUPERVISOR_ is what supervisord adds.
func (p *program) environment() {
	c := p.supervisord
	if k := c.keyOf(p.section, "environment"); k != nil && len(c.problems) == 0 {
		c.variables(p.out, k, p.env)
	}
	// [defaults] has the name that msup has for the program.
	var own []string
	for _, v := range []pair{{"SUPERVISOR_PROCESS_NAME", p.process}, {"SUPERVISOR_GROUP_NAME", cmp.Or(p.group, p.name)}} {
		set := func(e pair) bool { return e.name == v.name }
		if v.value != p.out.Name && !slices.ContainsFunc(p.env, set) && !slices.ContainsFunc(c.shared, set) {
			own = append(own, variable(v.name, template(v.value)))
		}
	}
	if own != nil {
		_ = p.out.set(Place{}, "environment", strings.Join(own, " "))
	}
}

// variables writes variables into environment, a line for each if there are many.
func (c *supervisord) variables(s *Section, k *iniKey, pairs []pair) {
	var list, lines, left []string
	for _, e := range pairs {
		switch {
		case !variableName.MatchString(e.name):
			left = append(left, e.name+": that is no name of a variable")
		case unprintable(strings.ReplaceAll(e.value, mark, "")) != "":
			left = append(left, e.name+": "+unprintable(strings.ReplaceAll(e.value, mark, "")))
		default:
			list = append(list, variable(e.name, template(e.value)))
		}
	}
	const some = 3 // go on one line
	if len(list) <= some && len(strings.Join(list, " ")) < 90 && list != nil {
		list = []string{strings.Join(list, " ")}
	}
	for _, v := range list {
		lines = append(lines, c.put(s, k, "environment", v)...)
	}
	switch {
	case left != nil:
		c.note(k, Dropped, lines, "left out: "+strings.Join(left, "; "), "write it into a file, and env_file = that")
	case strings.Contains(k.value, `\\`):
		c.note(k, Changed, lines, "two backslashes are one, as in supervisord 4.4; versions before keep both", "")
	default:
		c.note(k, Kept, lines, "", "")
	}
}
