package convert

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"msup/config"
)

// names gives programs and groups names that msup takes: letters, digits and . _ -, a letter or
// digit first, 64 bytes at most.
type names struct {
	taken map[string]int // how often a name was asked for
	// dash is what stands for other characters.
	dash string
}

var (
	notInName  = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	notInGroup = regexp.MustCompile(`[^A-Za-z0-9_]+`)
)

const maxNameLength = 64

// newNames names programs.
func newNames() *names { return &names{dash: "-", taken: map[string]int{}} }

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
	base := name
	for n.taken[name] > 0 {
		n.taken[base]++
		suffix := fmt.Sprintf("-%d", n.taken[base])
		name = strings.TrimRight(base[:min(len(base), maxNameLength-len(suffix))], "-") + suffix
	}
	n.taken[name]++
	return name
}

// members are the programs of groups, by the group's name.
type members map[string]*group

type group struct {
	programs []string
	place    Place // where it is named first
}

func (m members) add(name, program string, p Place) {
	if m[name] == nil {
		m[name] = &group{place: p}
	}
	m[name].programs = append(m[name].programs, program)
}

// write makes the sections of the groups, in the order in which the file names them.
func (m members) write(d *Document) {
	names := slices.Collect(maps.Keys(m))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(m[a].place.Line, m[b].place.Line), cmp.Compare(a, b))
	})
	for _, name := range names {
		g := m[name]
		_ = d.section(groupSection, name, g.place).set(g.place, "programs", words(g.programs...)) // names need no quotes
	}
}

// maxPrograms is more than systemd could run at a time.
const maxPrograms = 5000

// tooMany refuses a file with more programs than anybody runs.
func (in *input) tooMany(p Place, n int) bool {
	if n <= maxPrograms {
		return false
	}
	in.fail(p, config.Diagnostic{Message: fmt.Sprintf("there are %d programs in it, and msup takes %d", n, maxPrograms)})
	return true
}
