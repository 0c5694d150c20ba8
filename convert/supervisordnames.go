package convert

import (
	"regexp"
	"strconv"
	"strings"

	"msup/config"
	"msup/units"
)

// goodName checks a name as supervisord does.
func (c *supervisord) goodName(s *iniSection, name string) bool {
	if name != "" && !strings.ContainsAny(name, " :/") {
		return true
	}
	d := config.Diagnostic{Section: s.name, Message: quote(name) + " is no name", Hint: "a name is not empty and holds no space, : and /"}
	if inTemplate.MatchString(name) {
		d.Hint = ofTemplate
	}
	c.fail(s.place, d)
	return false
}

// near is the name that was meant.
func (c *supervisord) near(name string) string {
	var names []string
	for _, s := range c.file.sections {
		if n, ok := strings.CutPrefix(s.name, "program:"); ok {
			names = append(names, n)
		}
	}
	if s := config.Suggest(name, names); s != "" {
		return "did you mean " + s + "?"
	}
	return ""
}

// notInNames are characters that names of units do not have.
var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// maxName is the length of a name that msup takes.
const maxName = 64

// unitName is a name that msup takes for a program.
func unitName(name string) string {
	name = notInNames.ReplaceAllString(name, "_")
	if name == "all" || name == "" || strings.ContainsAny(name[:1], "_.-") {
		name = "x" + name
	}
	return name[:min(len(name), maxName)]
}

// groupName is a name that msup takes for a group, and for a project.
func groupName(name string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(unitName(name))
}

// unique is a name that is not taken yet.
func unique(taken map[string]bool, name string) string {
	for n, base := 2, name; taken[name]; n++ {
		suffix := "_" + strconv.Itoa(n)
		name = base[:min(len(base), maxName-len(suffix))] + suffix
	}
	taken[name] = true
	return name
}

// project is the name of a project that an identifier becomes, "" for msup's own default.
func project(identifier string) string {
	if identifier == "" || identifier == "supervisor" || identifier == "supervisord" {
		return ""
	}
	name := groupName(identifier)
	if name == units.DefaultProject {
		return ""
	}
	return name
}
