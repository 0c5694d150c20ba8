// Package property knows systemd's settings: what a transient unit takes under which name
// of its unit files, how the text of a setting becomes the typed values of D-Bus
// properties, and how those become text again.
//
// Sources are systemd.exec(5), systemd.service(5), systemd.resource-control(5),
// systemd.kill(5), systemd.unit(5), org.freedesktop.systemd1(5), and systemd's
// docs/TRANSIENT-SETTINGS.md. The tables are in table_*.go, one file a man page; what a
// row says is in [Entry]. The package talks to nobody.
package property

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Setting is a setting as a unit file has it, Name=Value, text on both sides. A value is
// taken as it stands: specifiers (%i, systemd.unit(5)) are not expanded.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Property is one property of a transient unit. The type of Value is the D-Bus type:
// string s, bool b, uint64 t, uint32 u, int32 i, []byte ay, []string as, and slices of
// structs for the compound ones (types.go).
type Property struct {
	Name  string
	Value any
}

// Types is a set of unit types.
type Types uint8

// The unit types a setting can be for.
const (
	Service Types = 1 << iota
	Scope
	Slice
)

// Oldest is the oldest major version of systemd that the tables are about. What it had
// already has it for [Entry.Since].
const Oldest = 247

// Newest is the newest major version of systemd that the tables know.
const Newest = 258

// Entry is one setting of systemd's.
type Entry struct {
	Name string // as in unit files: MemoryLow
	Man  string // the man page that explains it: systemd.exec
	// Unit says that it stands in the section [Unit]; else it stands in that of the unit's type.
	Unit  bool
	Types Types // the unit types that take it
	Since int   // major version of systemd that has it first; [Oldest] = always
	// List says that it may be repeated: systemd takes all lines together, and an empty
	// one takes back those before it.
	List bool
	// Empty says that an empty value is one of its own, and not as if it were not there.
	Empty bool
	// Live says that SetUnitProperties (org.freedesktop.systemd1(5)) changes it in a unit that
	// runs. Sent to it, a list is added to what there is, and an empty one takes that back.
	Live bool
	// Root says why only the system manager can have it; "" = the user manager can too.
	Root string
	// Instead says why msup does not take it: a sentence that names its own key, or the
	// reason. "" = it does.
	Instead string
	// Examples are values it takes, the first one for people.
	Examples []string

	codec codec
	names []string // D-Bus properties, if it is not that of codec
}

// codec is how text becomes the values of properties and back.
type codec interface {
	// parse reads the lines of a setting, in their order. version is systemd's.
	parse(e *Entry, lines []string, version int) ([]Property, error)
	// format is the reverse: the lines of the settings that set these properties.
	format(e *Entry, props []Property) ([]string, error)
	// sends lists the properties that parse can return.
	sends(e *Entry) []Typed
	// allowed says what text it takes, in words that end a sentence beginning with "use".
	allowed() string
}

// Typed is a D-Bus property and its type.
type Typed struct {
	Name string
	Type string // D-Bus signature
}

// Sends lists the D-Bus properties that the setting can come to.
func (e *Entry) Sends() []Typed { return e.codec.sends(e) }

// Allowed says what values it takes, in words that end a sentence beginning with "use".
func (e *Entry) Allowed() string { return e.codec.allowed() }

// Example is a value that it takes.
func (e *Entry) Example() string { return e.Examples[0] }

// Needs is the major version of systemd that this value of the setting needs.
func (e *Entry) Needs(value string) int {
	if v, ok := e.codec.(interface{ needs(value string) int }); ok {
		return max(e.Since, v.needs(value))
	}
	return e.Since
}

// Parse reads the values of one setting, all its lines in their order, for a systemd of
// this major version. The error says what is wrong with which value, not what is allowed.
func (e *Entry) Parse(values []string, version int) ([]Property, error) {
	for _, v := range values {
		if err := checkText(v); err != nil {
			return nil, err
		}
	}
	// An empty line takes back what stands before it.
	if e.List {
		for i, v := range slices.Backward(values) {
			if v == "" {
				values = values[i:]
				break
			}
		}
	} else if len(values) > 0 {
		values = values[len(values)-1:]
		if values[0] == "" {
			return nil, nil // as if it were not there
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	return e.codec.parse(e, values, version)
}

// Properties turns settings into the properties to send to a systemd of this major
// version. Lines of one setting are taken together, at the place of the first.
func Properties(settings []Setting, version int) ([]Property, error) {
	var order []*Entry
	lines := map[*Entry][]string{}
	for _, s := range settings {
		e := Lookup(s.Name)
		if e == nil {
			return nil, fmt.Errorf("systemd has no setting %s", s.Name)
		}
		if lines[e] == nil {
			order = append(order, e)
		}
		lines[e] = append(lines[e], s.Value)
	}
	var props []Property
	for _, e := range order {
		list, err := e.Parse(lines[e], version)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		props = append(props, list...)
	}
	return props, nil
}

var (
	byName     = map[string]*Entry{}
	byProperty = map[string][]*Entry{}
)

func init() {
	for i := range entries {
		e := &entries[i]
		byName[e.Name] = e
		for _, t := range e.Sends() {
			byProperty[t.Name] = append(byProperty[t.Name], e)
		}
	}
}

// entries is every setting.
var entries = slices.Concat(unitEntries, conditionEntries, serviceEntries, killEntries,
	execEntries, limitEntries, sandboxEntries, resourceEntries, deviceEntries)

// Entries returns every setting, by man page.
func Entries() []Entry { return slices.Clone(entries) }

// Lookup returns the setting of that name, nil if there is none. It must not be changed.
func Lookup(name string) *Entry { return byName[name] }

// OfProperty returns the setting that a D-Bus property belongs to, nil if there is none or
// the property's name is the setting's own.
func OfProperty(name string) *Entry {
	if list := byProperty[name]; list != nil && byName[name] == nil {
		return list[0]
	}
	return nil
}

// Names lists the settings that msup takes for a unit of one of these types.
func Names(types Types) []string {
	var names []string
	for i := range entries {
		if e := &entries[i]; e.Instead == "" && e.Types&types != 0 {
			names = append(names, e.Name)
		}
	}
	return names
}

// Refused says why no transient unit can have the setting: systemd does not take it over
// D-Bus, or no longer knows it, or it belongs to unit files. ok is false for any other name.
func Refused(name string) (why string, ok bool) {
	why, ok = refused[name]
	return why, ok
}

// checkText refuses what would add lines to a unit's text, or be no text for D-Bus.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not valid UTF-8", s)
	}
	for _, r := range s {
		if r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') {
			return fmt.Errorf("%q holds a control character", s)
		}
	}
	return nil
}

// quoted is a value in a message.
func quoted(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return `"` + s + `"`
}

// either joins words as a sentence does: "a, b or c".
func either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
