package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// names gives programs and groups names that msup takes: letters, digits and . _ -, a letter or
// digit first, 64 bytes at most.
type names struct {
	taken []string
	// dash is what stands for other characters.
	dash string
}

var (
	notInName  = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	notInGroup = regexp.MustCompile(`[^A-Za-z0-9_]+`)
)

const maxNameLength = 64

// newNames names programs.
func newNames() *names { return &names{dash: "-"} }

// program is a name for a program that was called so; another one each time.
func (n *names) program(name string) string {
	plain := notInName.ReplaceAllString(name, n.dash)
	if plain != name {
		plain = strings.TrimRight(plain, n.dash)
	}
	return n.unique(plain, "program")
}

// nameOfGroup is a name for a group that was called so, the same each time.
func nameOfGroup(name string) string {
	name = strings.Trim(notInGroup.ReplaceAllString(name, "_"), "_")
	if name == "" {
		return "group"
	}
	return name[:min(len(name), maxNameLength)]
}

// nameOfProject is a name for a project that was called so.
func nameOfProject(name string) string {
	name = strings.Trim(notInGroup.ReplaceAllString(name, "_"), "_")
	return name[:min(len(name), maxNameLength)]
}

func (n *names) unique(name, none string) string {
	name = strings.TrimLeft(name, "-_.")
	if name == "" {
		name = none
	}
	if name == "all" {
		name = "all-1" // commands use the word for every program
	}
	name = name[:min(len(name), maxNameLength)]
	for i := 2; slices.Contains(n.taken, name); i++ {
		suffix := fmt.Sprintf("-%d", i)
		base := strings.TrimRight(name[:min(len(name), maxNameLength-len(suffix))], "-")
		if !slices.Contains(n.taken, base+suffix) {
			name = base + suffix
		}
	}
	n.taken = append(n.taken, name)
	return name
}
