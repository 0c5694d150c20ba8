package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"msup/config"

	"github.com/spf13/cobra"
)

// match returns the names that the patterns of a command line mean, in their own order.
// "all" means every one; so do no patterns where allIfNone is set.
func match(names, patterns []string, allIfNone bool) ([]string, error) {
	if len(patterns) == 0 && allIfNone {
		return names, nil
	}
	chosen := map[string]bool{}
	for _, pattern := range patterns {
		hit := false
		for _, name := range names {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, usageError("bad pattern %q: use *, ? and [a-z] as a shell does", pattern)
			}
			if ok || pattern == "all" {
				hit, chosen[name] = true, true
			}
		}
		if !hit && pattern != "all" {
			return nil, noProgram(names, pattern)
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !chosen[n] }), nil
}

func noProgram(names []string, pattern string) error {
	e := &exitError{code: exitNoProgram, msg: fmt.Sprintf("no program %q", pattern)}
	const many = 10
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

// completePrograms completes names of programs.
func (a *app) completePrograms(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	if a.choose() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	t, err := a.target()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.names(), cobra.ShellCompDirectiveNoFileComp
}

func (t *target) names() []string {
	names := make([]string, len(t.project.Programs))
	for i, p := range t.project.Programs {
		names[i] = p.Name
	}
	return names
}
