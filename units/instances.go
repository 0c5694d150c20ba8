package units

import "strconv"

// A program with instances is several programs, each with a unit, a state and output of its
// own. What makes them one is the template that they were made of.

// Template is a program of the configuration with instances, as it is written, so that more
// of them can be made without the configuration, which may have changed since.
type Template struct {
	Name      string `json:"name"`             // of the program
	Instances int    `json:"instances"`        // that the configuration wants
	Scaled    int    `json:"scaled,omitempty"` // that msup scale wants until the next reload; 0 = as configured
	// File and Line are where the program begins.
	File    string `json:"file"`
	Line    int    `json:"line"`
	InGroup string `json:"in_group,omitempty"`
	// Settings are the program's, those of [defaults] among them, with {{instance}} and the
	// like as they stand.
	Settings []TemplateSetting `json:"settings"`
}

// TemplateSetting is a line of the configuration and where it stands.
type TemplateSetting struct {
	Setting

	File     string `json:"file"`
	Line     int    `json:"line"`
	Defaults bool   `json:"defaults,omitempty"` // in [defaults]
}

// Count is how many instances there are to be.
func (t Template) Count() int {
	if t.Scaled > 0 {
		return t.Scaled
	}
	return t.Instances
}

// MaxInstances is how many instances a program may have.
const MaxInstances = 1000

// InstanceName is the name of an instance of a program, counted from 1. As part of its unit's
// name it is an instance for systemd too (systemd.unit(5)), of a template that does not exist.
func InstanceName(program string, instance int) string {
	return program + "@" + strconv.Itoa(instance)
}

// Template returns the template of a program with instances, nil for any other.
func (p *Project) Template(program string) *Template {
	for i := range p.Templates {
		if p.Templates[i].Name == program {
			return &p.Templates[i]
		}
	}
	return nil
}
