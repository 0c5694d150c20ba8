package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"msup/config"

	"github.com/spf13/cobra"
)

// member is a program and its group, "" = none.
type member struct{ name, group string }

// match returns the names of the programs that the patterns of a command line mean, in
// their own order: "web", "w*", "GROUP:*", "GROUP:w*". The name of a program with instances
// means all of them, as "web@*" does, "web@2" one of them. "all" means every one; so do no
// patterns where allIfNone is set.
func match(members []member, patterns []string, allIfNone bool) ([]string, error) {
	chosen := map[string]bool{}
	all := len(patterns) == 0 && allIfNone
	for _, pattern := range patterns {
		if pattern == "all" {
			all = true
			continue
		}
		if err := choose(members, pattern, chosen); err != nil {
			return nil, err
		}
	}
	names := []string{}
	for _, m := range members {
		if all || chosen[m.name] {
			names = append(names, m.name)
		}
	}
	return names, nil
}

// choose adds what one pattern means.
func choose(members []member, pattern string, chosen map[string]bool) error {
	group, name, grouped := strings.Cut(pattern, ":")
	if !grouped {
		group, name = "", pattern
	} else if name == "all" {
		name = "*"
	}
	var in []member // of the group
	hit := false
	for _, m := range members {
		if grouped {
			ok, err := path.Match(group, m.group)
			if err != nil {
				return badPattern(pattern)
			}
			if !ok || m.group == "" {
				continue
			}
		}
		in = append(in, m)
		ok, err := path.Match(name, m.name)
		if err != nil {
			return badPattern(pattern)
		}
		if base := baseOf(m.name); !ok && base != m.name {
			ok, _ = path.Match(name, base)
		}
		if ok {
			hit, chosen[m.name] = true, true
		}
	}
	switch {
	case hit:
		return nil
	case grouped && len(in) == 0:
		return noGroup(members, group)
	case grouped:
		e := noProgram(namesOf(in), name)
		e.msg = fmt.Sprintf("no program %q in group %q", name, group)
		return e
	}
	return noProgram(namesOf(members), pattern)
}

// baseOf is the program that one is an instance of, or its own name.
func baseOf(name string) string {
	base, _, _ := strings.Cut(name, "@")
	return base
}

// basesOf lists names with each program of instances once.
func basesOf(names []string) []string {
	var bases []string
	for _, n := range names {
		if b := baseOf(n); len(bases) == 0 || bases[len(bases)-1] != b {
			bases = append(bases, b)
		}
	}
	return bases
}

func badPattern(pattern string) error {
	return usageError("bad pattern %q: use *, ? and [a-z] as a shell does", pattern)
}

func namesOf(members []member) []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return names
}

// groupsOf lists the groups that have programs.
func groupsOf(members []member) []string {
	var groups []string
	for _, m := range members {
		if m.group != "" && !slices.Contains(groups, m.group) {
			groups = append(groups, m.group)
		}
	}
	return groups
}

func noGroup(members []member, group string) error {
	e := &exitError{code: exitNoProgram, msg: fmt.Sprintf("no group %q", group)}
	groups := groupsOf(members)
	switch best := config.Suggest(group, groups); {
	case best != "":
		e.hint = fmt.Sprintf("did you mean \"%s:*\"?", best)
	case len(groups) == 0:
		e.hint = "the project has no groups"
	default:
		e.hint = "the groups are " + listed(groups)
	}
	return e
}

func noProgram(names []string, pattern string) *exitError {
	e := &exitError{code: exitNoProgram, msg: fmt.Sprintf("no program %q", pattern)}
	const many = 10
	base, _, isInstance := strings.Cut(pattern, "@")
	if isInstance && slices.Contains(names, base) {
		e.hint = fmt.Sprintf("%s has no instances", base)
		return e
	}
	of := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == base || baseOf(n) != base })
	if isInstance && len(of) > 0 {
		e.hint = fmt.Sprintf("the instances of %s are %s to %s", base, of[0], of[len(of)-1])
		return e
	}
	names = basesOf(names)
	switch best := config.Suggest(pattern, names); {
	case best != "":
		e.hint = fmt.Sprintf("did you mean %q?", best)
	case len(names) == 0:
		e.hint = "the project has no programs"
	case len(names) <= many:
		e.hint = "the programs are " + strings.Join(names, ", ")
	default:
		e.hint = "msup status lists the programs"
	}
	return e
}

// completePrograms completes names of programs and of their instances, and of groups as GROUP:*.
func (a *app) completePrograms(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	if a.choose() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	t, err := a.target()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all := t.names()
	names := basesOf(all)
	for _, n := range all {
		if baseOf(n) != n {
			names = append(names, n)
		}
	}
	for _, g := range groupsOf(t.members()) {
		names = append(names, g+":*")
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (t *target) members() []member {
	members := make([]member, len(t.project.Programs))
	for i, p := range t.project.Programs {
		members[i] = member{p.Name, p.InGroup}
	}
	return members
}

func (t *target) names() []string {
	names := make([]string, len(t.project.Programs))
	for i, p := range t.project.Programs {
		names[i] = p.Name
	}
	return names
}
