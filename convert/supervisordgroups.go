package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"msup/config"
)

// This file has the groups, and the order that priorities make.

// findPrograms finds the programs, in the order of the files, and their groups.
func (c *supervisord) findPrograms() {
	// A group takes its programs away from their own names; one in two groups runs twice.
	type member struct {
		group    string
		priority int
	}
	in := map[string][]member{}
	for _, s := range c.file.sections {
		name, ok := strings.CutPrefix(s.name, "group:")
		if !ok {
			continue
		}
		name = strings.TrimSpace(name)
		if !c.goodName(s, name) {
			continue
		}
		programs := c.keyOf(s, "programs")
		if programs == nil {
			c.fail(s.place, config.Diagnostic{Section: s.name, Message: "the group has no programs", Hint: "name them: programs = a,b"})
			continue
		}
		priority := c.integer(s, "priority", 999, c.global)
		value, ok := c.now(programs, c.global)
		if value == "" {
			continue // an empty group
		}
		for p := range strings.SplitSeq(value, ",") {
			p = strings.TrimSpace(p)
			if c.file.byName["program:"+p] == nil && c.file.byName["fcgi-program:"+p] == nil && ok {
				c.fail(programs.place, config.Diagnostic{Section: s.name, Key: "programs", Value: oneLine(value), Message: "there is no program " + quote(p), Hint: c.near(p)})
				continue
			}
			if !slices.ContainsFunc(in[p], func(m member) bool { return m.group == name }) {
				in[p] = append(in[p], member{name, priority})
			}
		}
	}
	taken := map[string]bool{}
	for i, s := range c.file.sections {
		name, ok := strings.CutPrefix(s.name, "program:")
		if !ok {
			continue
		}
		key := name // as groups name it
		if name = strings.TrimSpace(name); !c.goodName(s, name) {
			continue
		}
		priority := c.integer(s, "priority", 999, c.global)
		groups := in[key]
		if groups == nil {
			groups = []member{{"", priority}}
		}
		for n, g := range groups {
			p := &program{supervisord: c, section: s, name: name, group: g.group, groupPriority: g.priority, priority: priority, place: i, done: map[string]bool{}}
			own := name
			if n > 0 {
				own = g.group + "-" + name
			}
			title := unique(taken, unitName(own))
			p.out = &Section{Kind: programSection, Name: title, Place: s.place}
			if n == 0 {
				p.out.Comments = meaningful(s.comments)
			}
			if title != name {
				why := fmt.Sprintf("the program is called %s", title)
				if n > 0 {
					why = fmt.Sprintf("the program is in two groups and runs twice: in group %s it is called %s", g.group, title)
				}
				c.report.add(Entry{File: s.place.File, Line: s.place.Line, Section: s.name, Verdict: Changed, Became: []string{"[" + p.out.title() + "]"}, Why: why})
			}
			c.programs = append(c.programs, p)
		}
	}
}

// order sorts the programs by priority: msup starts them in the order of the file. supervisord
// stops one group after the other, each when the last has come to rest, which is what
// depends_on does. Those of one priority stay as they stand.
func (c *supervisord) order() {
	first := map[string]int{}
	for _, p := range c.programs {
		if _, ok := first[p.group]; !ok {
			first[p.group] = p.place
		}
	}
	if !slices.ContainsFunc(c.programs, func(p *program) bool { return p.groupPriority != 999 || p.priority != 999 }) {
		return
	}
	place := func(p *program) int {
		if p.group == "" {
			return p.place
		}
		return first[p.group]
	}
	slices.SortStableFunc(c.programs, func(a, b *program) int {
		return cmp.Or(cmp.Compare(a.groupPriority, b.groupPriority), place(a)-place(b), cmp.Compare(a.priority, b.priority))
	})
	if c.startup {
		return // programs name what they wait for themselves
	}
	var before, same []*program
	for i, p := range c.programs {
		if i > 0 && c.programs[i-1].groupPriority != p.groupPriority {
			before, same = same, nil
		}
		p.before, same = before, append(same, p)
	}
}

// waitsFor is depends_on for those of the next lower priority.
func (p *program) waitsFor() string {
	var names []string
	for _, b := range p.before {
		names = append(names, "?"+b.out.Name)
	}
	return strings.Join(names, " ")
}

// ordered notes what has become of a priority.
func (c *supervisord) ordered(k *iniKey, before []*program) {
	why := "programs are started in the order in which they stand"
	if before != nil {
		why += "; depends_on has them stopped in the opposite one, each when those before it are down"
	}
	c.note(k, Kept, nil, why, "")
}

// groups writes the groups that have a program.
func (c *supervisord) groups() {
	taken := map[string]bool{}
	for _, s := range c.file.sections {
		name, ok := strings.CutPrefix(s.name, "group:")
		programs := c.keyOf(s, "programs")
		if name = strings.TrimSpace(name); !ok || programs == nil {
			continue
		}
		var members []string
		for _, p := range c.programs {
			if p.group == name {
				members = append(members, p.out.Name)
			}
		}
		if members == nil {
			if programs.value == "" {
				c.note(programs, Kept, nil, "a group without programs is none", "")
			} else {
				c.note(programs, Dropped, nil, "msup can run none of them", "")
			}
			for _, k := range s.keys {
				if k != programs {
					c.note(k, c.entries[programs].Verdict, nil, "there is no such group", "")
				}
			}
			continue
		}
		title := unique(taken, groupName(name))
		out := &Section{Kind: groupSection, Name: title, Place: s.place, Comments: meaningful(s.comments)}
		c.document.Sections = append(c.document.Sections, out)
		if title != name {
			c.report.add(Entry{File: s.place.File, Line: s.place.Line, Section: s.name, Verdict: Changed, Became: []string{"[" + out.title() + "]"}, Why: "a group's name has letters, digits and _"})
		}
		c.kept(out, programs, "programs", words(members...))
		for _, k := range c.keysOf(s) {
			switch k.name {
			case "programs":
			case "priority":
				c.ordered(k, c.programs[slices.IndexFunc(c.programs, func(p *program) bool { return p.group == name })].before)
			default:
				c.note(k, Dropped, nil, "supervisord itself ignores it", "")
			}
		}
	}
}
