package property

import (
	"fmt"
	"slices"
	"strings"
)

// Format turns properties into the settings of a unit file that come to the same. They
// are in the order of the properties; those of one setting stand together. A value is
// written as a unit file needs it: quoted, and with %% for %.
func Format(props []Property) ([]Setting, error) {
	var order []*Entry
	of := map[*Entry][]Property{}
	var settings []Setting
	for _, p := range props {
		e := entryOf(p.Name)
		if e == nil {
			return nil, fmt.Errorf("property %s is none of a unit file", p.Name)
		}
		if of[e] == nil {
			order = append(order, e)
		}
		of[e] = append(of[e], p)
	}
	for _, e := range order {
		if _, ok := e.codec.(condition); ok {
			list, err := formatConditions(e, of[e])
			if err != nil {
				return nil, err
			}
			settings = append(settings, list...)
			continue
		}
		lines, err := e.codec.format(e, of[e])
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if err := checkText(line); err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name, err)
			}
			settings = append(settings, Setting{e.Name, line})
		}
	}
	return settings, nil
}

// Literal is a setting of [Format] as the programs take it that expand no specifiers, such
// as systemd-run(1) with -p.
func (s Setting) Literal() Setting {
	s.Value = strings.ReplaceAll(s.Value, "%%", "%")
	return s
}

// entryOf finds the setting of a property. Of several with one property that is the one
// with its name.
func entryOf(property string) *Entry {
	if e := byName[property]; e != nil && e.property() == property {
		return e
	}
	if list := byProperty[property]; len(list) > 0 {
		return list[0]
	}
	return nil
}

func formatConditions(e *Entry, props []Property) ([]Setting, error) {
	var settings []Setting
	for _, p := range props {
		list, err := value[[]Condition](p)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			settings = append(settings, Setting{e.Name, ""})
		}
		for _, c := range list {
			if Lookup(c.Type) == nil {
				return nil, fmt.Errorf("systemd has no condition %s", c.Type)
			}
			settings = append(settings, Setting{c.Type, formatCondition(c)})
		}
	}
	return settings, nil
}

// Sections of a unit file in systemd's order.
func (e *Entry) section(own string) string {
	if e.Unit {
		return "Unit"
	}
	return own
}

// Section is a section of a unit file.
type Section struct {
	Name     string
	Settings []Setting
}

// Sections divides settings into the sections of a unit file whose own section is own:
// Service, Scope or Slice.
func Sections(settings []Setting, own string) []Section {
	sections := []Section{{Name: "Unit"}, {Name: own}}
	for _, s := range settings {
		i := 1
		if e := Lookup(s.Name); e != nil && e.section(own) == "Unit" {
			i = 0
		}
		sections[i].Settings = append(sections[i].Settings, s)
	}
	return slices.DeleteFunc(sections, func(s Section) bool { return len(s.Settings) == 0 })
}
