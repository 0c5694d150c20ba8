package convert

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"msup/config"
)

// Document is a configuration of msup's, as it will be written.
type Document struct {
	Comments []string // above everything, without #
	Sections []*Section
	Foot     []string // comments below everything
}

// Kinds of sections.
const (
	projectSection  = "msup"
	defaultsSection = "defaults"
	programSection  = "program"
	groupSection    = "group"
)

// Section is a header and the keys below it.
type Section struct {
	Kind     string // msup, defaults, program or group
	Name     string // of a program or group
	Comments []string
	Place    Place
	Keys     []Key
}

// Key is a line key = value.
type Key struct {
	Name     string
	Value    string   // as it is written, quotes included
	Comments []string // above it
	Note     string   // behind it
	Place    Place    // of what it was made from
}

// Place is a line of a file that is converted.
type Place struct {
	File string // as messages name it
	Line int    // from 1; 0 = the file as a whole
}

// section returns the section of that kind and name, which is made at the end if there is none.
func (d *Document) section(kind, name string, p Place) *Section {
	if s := d.find(kind, name); s != nil {
		return s
	}
	s := &Section{Kind: kind, Name: name, Place: p}
	d.Sections = append(d.Sections, s)
	return s
}

func (d *Document) find(kind, name string) *Section {
	for _, s := range d.Sections {
		if s.Kind == kind && s.Name == name {
			return s
		}
	}
	return nil
}

// title is the section's header without brackets.
func (s *Section) title() string {
	if s.Name == "" {
		return s.Kind
	}
	return s.Kind + " " + s.Name
}

// get is the value of a key, "" if it is not set.
func (s *Section) get(name string) string {
	for i := range s.Keys {
		if s.Keys[i].Name == name {
			return s.Keys[i].Value
		}
	}
	return ""
}

// set sets a key to a value as it would stand for itself: a text is put in quotes where it
// must be, a list of words comes from [words], and double braces are those of a template, see
// [literal]. A key that cannot be repeated replaces one of its name.
//
// The error says why the value cannot be written.
func (s *Section) set(p Place, name, value string) error {
	k := keyOf(s.Kind, name)
	if k == nil {
		return fmt.Errorf("internal error: [%s] has no key %s", s.Kind, name)
	}
	if why := unprintable(value); why != "" {
		return fmt.Errorf("%s", why)
	}
	if value == "" && k.Kind != config.Systemd {
		return errors.New("there is nothing in it")
	}
	if k.Kind == config.Text || k.Kind == config.Path {
		quoted, err := quoteText(value)
		if err != nil {
			return err
		}
		value = quoted
	}
	key := Key{Name: name, Value: value, Place: p}
	i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.Name == name })
	if i >= 0 && !k.Repeats {
		s.Keys[i] = key
		return nil
	}
	s.Keys = append(s.Keys, key)
	return nil
}

// unset removes a key.
func (s *Section) unset(name string) {
	s.Keys = slices.DeleteFunc(s.Keys, func(k Key) bool { return k.Name == name })
}

// unsetVariable removes the line of environment that sets a variable, and no other one: a later source of
// variables wins.
func (s *Section) unsetVariable(name string) {
	s.Keys = slices.DeleteFunc(s.Keys, func(k Key) bool { return k.Name == "environment" && strings.HasPrefix(k.Value, name+"=") })
}

// addProgram makes the section of a program whose name no other has.
func (d *Document) addProgram(name string, p Place) *Section {
	s := &Section{Kind: programSection, Name: name, Place: p}
	d.Sections = append(d.Sections, s)
	return s
}

// programs are the sections of programs.
func (d *Document) programs() []*Section {
	var list []*Section
	for _, s := range d.Sections {
		if s.Kind == programSection {
			list = append(list, s)
		}
	}
	return list
}

// share puts keys that all of some sections have, with one value, into [defaults].
func (d *Document) share(sections []*Section, names ...string) {
	if len(sections) < 2 {
		return
	}
	defaults := d.section(defaultsSection, "", Place{})
	for _, name := range names {
		value := sections[0].get(name)
		if value == "" || slices.ContainsFunc(sections, func(s *Section) bool { return s.get(name) != value }) {
			continue
		}
		i := slices.IndexFunc(sections[0].Keys, func(k Key) bool { return k.Name == name })
		defaults.unset(name)
		defaults.Keys = append(defaults.Keys, sections[0].Keys[i])
		for _, s := range sections {
			s.unset(name)
		}
	}
}

// inOrder puts the keys into the order of the reference.
func (s *Section) inOrder() {
	at := map[string]int{}
	for i, k := range config.Keys() {
		if k.Section == s.Kind {
			at[k.Name] = i
		}
	}
	rank := func(k Key) int {
		if i, ok := at[k.Name]; ok {
			return i
		}
		return len(at) + len(config.Keys()) // systemd's settings
	}
	slices.SortStableFunc(s.Keys, func(a, b Key) int { return rank(a) - rank(b) })
}

// words is a list of words as it is written, each quoted where it must be. Double braces are
// those of a template, which stay whole.
func words(list ...string) string {
	quoted := make([]string, len(list))
	for i, w := range list {
		quoted[i] = quoteWord(w)
	}
	return strings.Join(quoted, " ")
}

// plainWord needs no quotes, also not for a reader who thinks of a shell. A # in it begins no
// comment, for that stands behind a blank.
var plainWord = regexp.MustCompile(`^[\pL\pN_@%+=:,./{}!-][\pL\pN_@%+=:,./{}!#-]*$`)

// inBraces is what is replaced before a value is split into words, so that it needs no quotes.
var inBraces = regexp.MustCompile(`\{\{(port|instance|env) [A-Za-z0-9_]+\}\}`)

func quoteWord(w string) string {
	if !strings.Contains(w, "{{{{") && plainWord.MatchString(inBraces.ReplaceAllString(w, "x")) {
		return w
	}
	return inQuotes(w)
}

func inQuotes(w string) string {
	if !strings.Contains(w, "'") {
		return "'" + w + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(w) + `"`
}

// variable is KEY=value as it is written in environment, where other supervisors have commas
// between variables.
func variable(name, value string) string {
	if strings.Contains(value, ",") {
		return name + "=" + inQuotes(value)
	}
	return name + "=" + quoteWord(value)
}

// literal is a text in which double braces stand for themselves.
func literal(text string) string { return strings.ReplaceAll(text, "{{", "{{{{") }

// quoteText puts a text in quotes where it would be read as something else.
func quoteText(s string) (string, error) {
	plain := s != "" && s[0] != '"' && s[0] != '\'' && strings.Trim(s, " \t") == s &&
		s[0] != '#' && s[0] != ';' && !strings.Contains(s, " #") && !strings.Contains(s, " ;") && !strings.Contains(s, "\t#") && !strings.Contains(s, "\t;")
	switch {
	case plain:
		return s, nil
	case !strings.Contains(s, `"`):
		return `"` + s + `"`, nil
	case !strings.Contains(s, `'`):
		return `'` + s + `'`, nil
	}
	return "", fmt.Errorf("a text with quotes of both kinds cannot be written")
}

// unprintable says what keeps a value from being written on a line.
func unprintable(s string) string {
	if !utf8.ValidString(s) {
		return "it is not valid UTF-8"
	}
	for _, r := range s {
		if r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') {
			return fmt.Sprintf("it holds the control character %U, which a value of msup's cannot", r)
		}
	}
	return ""
}

// keyOf is a key of msup's, nil if there is none. Those of systemd's settings are all alike.
func keyOf(section, name string) *config.Key {
	if section == defaultsSection {
		section = programSection
	}
	if strings.HasPrefix(name, "systemd.") && section == programSection {
		return &config.Key{Section: section, Name: name, Kind: config.Systemd, Repeats: true}
	}
	return configKeys()[section][name]
}

// configKeys are the keys of msup's, by section and name.
var configKeys = sync.OnceValue(func() map[string]map[string]*config.Key {
	all := map[string]map[string]*config.Key{}
	for _, k := range config.Keys() {
		if all[k.Section] == nil {
			all[k.Section] = map[string]*config.Key{}
		}
		all[k.Section][k.Name] = &k
	}
	return all
})

// tidy leaves out what holds anyway, and sections without keys.
func (d *Document) tidy() {
	defaults := d.find(defaultsSection, "")
	for _, s := range d.Sections {
		s.Keys = slices.DeleteFunc(s.Keys, func(key Key) bool {
			k := keyOf(s.Kind, key.Name)
			if k == nil || k.Repeats {
				return false
			}
			holds := k.Default
			if key.Name == "directory" {
				holds = "." // the folder of the file
			}
			if defaults != nil && s.Kind == programSection && defaults.get(key.Name) != "" {
				holds = defaults.get(key.Name)
			}
			return holds != "" && same(holds, key.Value)
		})
	}
	d.Sections = slices.DeleteFunc(d.Sections, func(s *Section) bool {
		return len(s.Keys) == 0 && (s.Kind == projectSection || s.Kind == defaultsSection)
	})
}

// same reports whether two values of a key mean the same.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, err := config.ParseDuration(a)
	y, err2 := config.ParseDuration(b)
	return err == nil && err2 == nil && x == y
}

// Text is the document as a file of msup's.
func (d *Document) Text() []byte {
	text, _ := d.write()
	return text
}

// Places are where the lines of [Document.Text] come from, the first line first; those that
// come from nowhere have no File.
func (d *Document) Places() []Place {
	_, places := d.write()
	return places
}

// Project is the name of the project, "" if the document does not say it.
func (d *Document) Project() string {
	if s := d.find(projectSection, ""); s != nil {
		return s.get("project")
	}
	return ""
}

// Programs is the number of its programs.
func (d *Document) Programs() int {
	n := 0
	for _, s := range d.Sections {
		if s.Kind == programSection {
			n++
		}
	}
	return n
}

func (d *Document) write() ([]byte, []Place) {
	var text bytes.Buffer
	var places []Place
	line := func(p Place, s string) {
		text.WriteString(s)
		text.WriteByte('\n')
		places = append(places, p)
	}
	comments := func(list []string) {
		for _, c := range list {
			mark := "# "
			if strings.HasPrefix(c, "#") {
				mark = "#" // a line of them
			}
			line(Place{}, strings.TrimRight(mark+printable(c), " "))
		}
	}
	comments(d.Comments)
	for _, s := range d.Sections {
		if text.Len() > 0 {
			line(Place{}, "")
		}
		comments(s.Comments)
		line(s.Place, "["+s.title()+"]")
		for _, k := range s.Keys {
			comments(k.Comments)
			l := k.Name + " = " + k.Value
			if k.Note != "" {
				l += "  # " + printable(k.Note)
			}
			line(k.Place, l)
		}
	}
	if len(d.Foot) > 0 {
		line(Place{}, "")
		comments(d.Foot)
	}
	return text.Bytes(), places
}

// commentText is what a line beginning with # says.
func commentText(line string) string {
	return strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "), " \t\r")
}

// withoutEmptyEnd leaves out empty lines at the end.
func withoutEmptyEnd(list []string) []string {
	for len(list) > 0 && list[len(list)-1] == "" {
		list = list[:len(list)-1]
	}
	return list
}

// printable is a comment without what would make it more than one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (!unicode.IsPrint(r) || r == utf8.RuneError) {
			return ' '
		}
		return r
	}, s)
}
