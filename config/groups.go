package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"msup/units"
)

// sliceLimits are the limits that a slice can have, by the names of the keys, and what they
// do there.
var sliceLimits = []struct{ key, doc string }{
	{"memory_limit", "Memory of all its programs together; where they need more, the kernel kills one (MemoryMax of the slice)."},
	{"memory_high", "Memory above which they are slowed down and their memory taken back (MemoryHigh)."},
	{"swap_limit", "Swap space of all its programs together (MemorySwapMax)."},
	{"cpu_limit", "CPU time of all its programs together: 0.5 or 50% is half a CPU (CPUQuota)."},
	{"cpu_weight", "Share of the CPU against other slices when it is scarce (CPUWeight)."},
	{"io_weight", "Share of the disks against other slices when they are busy (IOWeight)."},
	{"tasks_limit", "Processes and threads of all its programs together (TasksMax)."},
}

// limitKeys are the keys for the limits of a slice: those of programs.
func limitKeys(section string) []Key {
	var out []Key
	for _, l := range sliceLimits {
		k := programKeys[slices.IndexFunc(programKeys, func(k Key) bool { return k.Name == l.key })]
		k.Section, k.Doc = section, l.doc
		if l.key == "tasks_limit" {
			k.Unset = "no limit"
		}
		out = append(out, k)
	}
	return out
}

// groupKeys are those of [group NAME].
var groupKeys = slices.Concat([]Key{
	{
		Section: groupSection, Name: "programs", Kind: Words, Unset: "required", Allowed: "names of programs and patterns with * ? [ ], separated by spaces", Example: "web 'worker-*'",
		Doc: "Its programs; none can be in two groups.", set: func(*target, setting) error { return nil }, // see members
	},
	{
		Section: groupSection, Name: "description", Kind: Text, Unset: "msup group NAME", Allowed: "text", Example: "what talks to the internet",
		Doc:   "What systemctl status shows beside the slice's name.",
		Other: []string{"Description"}, set: func(t *target, s setting) error {
			t.prog.Description = s.value
			return nil
		},
	},
}, limitKeys(groupSection))

// groupProblem is [nameProblem] for a group. As a project's, its name may not hold "-", by
// which slices nest (systemd.slice(5)), nor ".".
func groupProblem(name string) string {
	switch {
	case name == "":
		return "the group has no name"
	case len(name) > maxName:
		return fmt.Sprintf("the group's name is longer than %d bytes", maxName)
	case name == "all":
		return "a group cannot be called all: commands use the word for every program"
	case !projectName.MatchString(name):
		return fmt.Sprintf("%s is no name for a group, it becomes part of the slice's name", quote(name))
	}
	return ""
}

// findGroups reads the groups of all files and finds their programs.
func (l *loader) findGroups() {
	first := map[string]setting{}
	taken := map[string]setting{} // where a program was put into its group
	for _, src := range l.sources {
		for i := range src.blocks {
			b := &src.blocks[i]
			if b.kind != groupSection {
				continue
			}
			header := setting{src: src, line: b.line, section: b.title(), key: &Key{}}
			good := true
			if msg := groupProblem(b.name); msg != "" {
				good = false
				l.report(src, header.diagnostic(msg, "use letters, digits and _, beginning with a letter or digit, for example workers"))
			} else if at, again := first[b.name]; again {
				good = false
				l.report(src, header.diagnostic(fmt.Sprintf("group %s stands in %s already", b.name, at.place()), "put its keys there"))
			} else {
				first[b.name] = header
			}
			given := l.settings(src, b)
			t := &target{loader: l, prog: &draft{}}
			t.applyAll(given)
			g := units.Group{Name: b.name, Description: t.prog.Description, Limits: t.sliceLimits(given), Settings: written(given)}
			if g.Description == "" {
				g.Description = "msup group " + b.name
				if l.cfg.Name != units.DefaultProject {
					g.Description += " of project " + l.cfg.Name
				}
			}
			if !hasKey(b, "programs") {
				l.report(src, header.diagnostic("the group has no programs", "name them, for example programs = web 'worker-*'"))
			}
			for _, s := range given {
				if s.key.Name == "programs" && good {
					l.members(s, b.name, taken)
				}
			}
			l.cfg.Groups = append(l.cfg.Groups, g)
		}
	}
}

// members puts the programs that a value of programs names into a group.
func (l *loader) members(s setting, group string, taken map[string]setting) {
	words, err := splitWords(s.value)
	if err != nil {
		l.report(s.src, s.diagnostic(err.Error(), "use "+s.key.Allowed))
		return
	}
	for _, word := range words {
		// Other supervisors want commas.
		for pattern := range strings.FieldsFuncSeq(word, func(r rune) bool { return r == ',' }) {
			l.member(s, pattern, group, taken)
		}
	}
}

func (l *loader) member(s setting, pattern, group string, taken map[string]setting) {
	hit := false
	var names []string
	for _, d := range l.programs {
		if d.Name == "" {
			continue
		}
		names = append(names, d.Name)
		ok, err := path.Match(pattern, d.Name)
		if err != nil {
			l.report(s.src, s.diagnostic(quote(pattern)+" is not a pattern", "use *, ? and [a-z] as a shell does"))
			return
		}
		if !ok {
			continue
		}
		hit = true
		if d.InGroup != "" && d.InGroup != group {
			l.report(s.src, s.diagnostic(
				fmt.Sprintf("program %s is in group %s already, by %s", d.Name, d.InGroup, taken[d.Name].place()), "name it in one of them"))
			continue
		}
		d.InGroup = group
		taken[d.Name] = s
	}
	if hit {
		return
	}
	hint := "there are no programs"
	if base, _, at := strings.Cut(pattern, "@"); at && slices.Contains(names, base) {
		hint = fmt.Sprintf("write %s: all instances of a program are in its group", base)
	} else if near := Suggest(pattern, names); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	} else if len(names) > 0 {
		hint = "the programs are " + clip(strings.Join(names, ", "))
	}
	l.report(s.src, s.diagnostic("no program "+quote(pattern), hint))
}

// sliceLimits completes the limits of a slice that were given.
func (t *target) sliceLimits(given []setting) units.Limits {
	var high setting
	for _, s := range given {
		if s.key.Name == "memory_high" {
			high = s
		}
	}
	t.completeMemory(high)
	return t.prog.Limits
}

// warnOfCommonSlice says that the limits of a project without a name hold for all projects:
// its slice, msup.slice, is the parent of theirs.
func (l *loader) warnOfCommonSlice(given []setting) {
	if l.cfg.Name != units.DefaultProject {
		return
	}
	for _, s := range given {
		if slices.ContainsFunc(sliceLimits, func(limit struct{ key, doc string }) bool { return limit.key == s.key.Name }) {
			l.warn(s.src, s.diagnostic("the limits of a project without a name hold for all projects together: their slices are in "+units.SliceName(l.cfg.Name),
				"give it a name, for example project = shop"))
			return
		}
	}
}
