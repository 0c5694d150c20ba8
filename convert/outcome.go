package convert

import (
	"fmt"
	"strings"

	"msup/config"
)

// outcome is what becomes of one key, while it is found out. It begins as kept.
type outcome struct {
	Entry
	in       *input
	place    Place
	comments []string // for the first key that is set
	note     string
}

// outcome begins the entry of a key.
func (in *input) outcome(p Place, section, key, value string) *outcome {
	value = envMark.ReplaceAllString(value, "$${${1}}") // as it stood in the file
	return &outcome{in: in, place: p, Entry: Entry{File: p.File, Line: p.Line, Section: section, Key: key, Value: value, Verdict: Kept}}
}

// set sets a key of msup's. One whose value cannot be written is not, and the report says why.
func (o *outcome) set(s *Section, name, value string) {
	if err := s.set(o.place, name, value); err != nil {
		o.drop(name+" cannot have the value: "+err.Error(), "")
		return
	}
	o.became(s, name)
}

// became adds the last line of a section's key to what became of this one, and gives it the
// comments.
func (o *outcome) became(s *Section, name string) {
	for i := len(s.Keys) - 1; i >= 0; i-- {
		k := &s.Keys[i]
		if k.Name != name {
			continue
		}
		o.Became = append(o.Became, name+" = "+k.Value)
		k.Comments, k.Note = append(k.Comments, o.comments...), o.note
		o.comments, o.note = nil, ""
		return
	}
}

// change says what is different.
func (o *outcome) change(format string, args ...any) {
	if o.Verdict == Kept {
		o.Verdict = Changed
	}
	o.why(fmt.Sprintf(format, args...))
}

// drop says that the key has no effect, why, and what to use instead.
func (o *outcome) drop(why, instead string) {
	o.Verdict = Dropped
	o.why(why)
	if instead != "" {
		o.Instead = instead
	}
}

func (o *outcome) why(text string) {
	switch {
	case text == "":
	case o.Why == "":
		o.Why = text
	default:
		o.Why += "; " + text
	}
}

// fail says that the key is wrong by the rules of its own format.
func (o *outcome) fail(hint, format string, args ...any) {
	o.in.fail(o.place, config.Diagnostic{Section: o.Section, Key: o.Key, Value: o.Value, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// done adds the entry to the report.
func (o *outcome) done() { o.in.report.add(o.Entry) }

// inherited are variables that programs of a user's own find in the shell they are started from, and
// hardly any can do without: tools are looked for in PATH and keep their caches in HOME.
var inherited = []string{"PATH", "HOME", "USER", "LANG"}

// inherit gives programs variables of the environment of msup up.
func (o *outcome) inherit(s *Section, names ...string) {
	o.set(s, "pass_environment", strings.Join(names, " "))
	for _, name := range names {
		o.in.env(name) // it is asked for
	}
	o.change("programs get these variables of the environment of msup up, and no others that are not named")
}
