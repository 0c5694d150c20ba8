package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"msup/property"
	"msup/units"
)

// unitFile is a unit file that is being written.
type unitFile struct {
	own      string   // name of the section of its type: Service, Scope or Slice
	head     []string // comments at its top
	settings []property.Setting
	notes    map[string]string // comments above settings, by name
	install  string            // WantedBy=; "" = no section [Install]
}

// String is its text. The sections are in systemd's order.
func (f unitFile) String() string {
	var b strings.Builder
	for _, line := range f.head {
		b.WriteString(comment(line))
	}
	seen := map[string]bool{}
	for i, section := range property.Sections(f.settings, f.own) {
		if i > 0 || len(f.head) > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "[%s]\n", section.Name)
		for _, s := range section.Settings {
			if note := f.notes[s.Name]; note != "" && !seen[s.Name] {
				b.WriteString(comment(note))
			}
			seen[s.Name] = true
			fmt.Fprintf(&b, "%s=%s\n", s.Name, ended(s.Value))
		}
	}
	if f.install != "" {
		fmt.Fprintf(&b, "\n[Install]\nWantedBy=%s\n", f.install)
	}
	return b.String()
}

// comment is a line that systemd does not read. It stays one line whatever is in it.
func comment(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
	// A backslash at the end would make the next line part of it.
	return strings.TrimRight("# "+strings.TrimRight(text, `\`), " ") + "\n"
}

// ended keeps a backslash at the end of a value from making the next line part of it: one
// with a space behind it does not, and systemd takes the space off again.
func ended(value string) string {
	if strings.HasSuffix(value, `\`) {
		return value + " "
	}
	return value
}

// formatted turns what is sent to systemd into settings.
func formatted(props []units.Property) ([]property.Setting, error) {
	list := make([]property.Property, 0, len(props))
	for _, p := range props {
		if p.Name != "PIDs" { // of a scope: the process, which no text can name
			list = append(list, property.Property(p))
		}
	}
	return property.Format(list)
}

// drop takes settings of these names away.
func drop(settings []property.Setting, names ...string) []property.Setting {
	return slices.DeleteFunc(settings, func(s property.Setting) bool { return slices.Contains(names, s.Name) })
}

// put gives a setting another value, in its place.
func put(settings []property.Setting, name, value string) []property.Setting {
	for i := range settings {
		if settings[i].Name == name {
			settings[i].Value = value
			return settings
		}
	}
	return append(settings, property.Setting{Name: name, Value: value})
}

// ownSection is the name of the section of a unit's type.
func ownSection(t units.UnitType) string {
	if t == units.Scope {
		return "Scope"
	}
	return "Service"
}

// fifosOf are the paths of the FIFOs that the supervisor has for a program's output.
func fifosOf(p units.Program, dir string) (stdout, stderr string) {
	byLine := readyByLine(p)
	if captured(p.Stdout, byLine) {
		stdout = filepath.Join(dir, p.Name+"."+stdoutStream)
	}
	switch {
	case !captured(p.Stderr, byLine):
	case p.Stderr == p.Stdout && p.Stderr != "":
		stderr = stdout
	default:
		stderr = filepath.Join(dir, p.Name+"."+stderrStream)
	}
	return stdout, stderr
}

// appendTo is the value of StandardOutput= for a file, a journal or nothing.
func appendTo(file string) string {
	switch {
	case file == "":
		return "journal"
	case !isFile(file):
		return "null"
	}
	return "append:" + strings.ReplaceAll(file, "%", "%%")
}
