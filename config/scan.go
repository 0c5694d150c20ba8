package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kinds of sections.
const (
	programSection  = "program"
	groupSection    = "group"
	projectSection  = "msup"
	defaultsSection = "defaults"
	includeSection  = "include"
	// unknownSection is one whose header is wrong. Its keys are not looked at, so that
	// one mistake is reported once.
	unknownSection = ""
)

// block is a section of a file: a header and the keys below it.
type block struct {
	line    int    // of the header
	kind    string // one of the constants above
	name    string // of a program or group
	entries []entry
}

// title is the section as messages show it.
func (b *block) title() string {
	if b.kind == programSection || b.kind == groupSection {
		return strings.TrimRight(b.kind+" "+b.name, " ")
	}
	return b.kind
}

// entry is a line key=value.
type entry struct {
	line int
	key  string
	raw  string // everything behind "=", white space and comment included
}

// scanned is what the scanner makes of a file. It knows lines and names; the values are
// read by ini.v1 from the normalised text.
type scanned struct {
	blocks   []block
	problems []Diagnostic // File is not filled in
	text     bytes.Buffer // see readValues
	origin   origin       // of its lines, nil = itself
}

// keyName is what a key may look like, so that ini.v1 sees nothing in it but a key: it
// takes quotes off keys and numbers a key "-" itself.
var keyName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)

// blank is the white space of the grammar. Unicode's other spaces are ordinary letters.
const blank = " \t"

// scan splits a file into sections and keys. It never fails: what it cannot read is in
// problems.
func scan(data []byte) *scanned {
	s := &scanned{}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		s.problem(1, "the file is UTF-16", "save it as UTF-8")
		return s
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		s.problem(1+bytes.Count(data[:i], []byte("\n")), "the line holds a NUL byte: this is no text file", "")
		return s
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // byte order mark
	afterEntry := false
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		text := strings.Trim(line, blank)
		if text == "" || isComment(text) {
			continue
		}
		indented := text[0] != line[0]
		if msg := unprintable(text); msg != "" {
			s.problem(i+1, "the line "+msg, "")
			continue
		}
		wasEntry := afterEntry
		afterEntry = false
		if head, isHead, ok := header(text); isHead {
			s.start(i+1, head, ok)
			continue
		}
		key, raw, found := strings.Cut(strings.TrimLeft(line, blank), "=")
		key = strings.TrimRight(key, blank)
		switch {
		case !found || !keyName.MatchString(key):
			s.problem(i+1, fmt.Sprintf("%s is neither a header such as [program web] nor key = value", quote(text)),
				lineHint(text, indented && wasEntry))
			afterEntry = wasEntry
		case len(s.blocks) == 0:
			s.problem(i+1, fmt.Sprintf("key %s is outside any section", key), "put a header such as [program web] above it")
		default:
			b := &s.blocks[len(s.blocks)-1]
			b.entries = append(b.entries, entry{i + 1, key, raw})
			afterEntry = true
		}
	}
	return s
}

func (s *scanned) problem(line int, message, hint string) {
	d := Diagnostic{Line: line, Message: message, Hint: hint}
	if len(s.blocks) > 0 {
		d.Section = s.blocks[len(s.blocks)-1].title()
	}
	s.problems = append(s.problems, d)
}

func isComment(text string) bool {
	return strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";")
}

// header recognises "[anything]", and bare "program NAME" and "group NAME". ok is false when the
// closing bracket is missing or is followed by something else than a comment.
func header(text string) (head string, isHead, ok bool) {
	if inner, found := strings.CutPrefix(text, "["); found {
		head, rest, closed := strings.Cut(inner, "]")
		rest = strings.Trim(rest, blank)
		return strings.Trim(head, blank), true, closed && (rest == "" || isComment(rest))
	}
	for _, kind := range []string{programSection, groupSection} {
		rest, found := strings.CutPrefix(text, kind)
		name := strings.TrimLeft(rest, blank)
		if !found || name == rest || name == "" || name[0] == '=' {
			continue
		}
		name, _ = cutComment(name)
		return kind + " " + name, true, true
	}
	return "", false, false
}

// start begins a section.
func (s *scanned) start(line int, head string, ok bool) {
	if !ok {
		s.blocks = append(s.blocks, block{line: line})
		s.problem(line, "a header ends with ], and nothing but a comment follows it", "write [program web]")
		return
	}
	b := block{line: line}
	word, name := head, ""
	if i := strings.IndexAny(head, blank+":"); i >= 0 {
		word, name = head[:i], strings.TrimLeft(head[i:], blank+":")
	}
	switch {
	case word == programSection || word == groupSection:
		b.kind, b.name = word, name
	case name == "" && (word == projectSection || word == defaultsSection || word == includeSection):
		b.kind = word
	}
	s.blocks = append(s.blocks, b)
	if b.kind != unknownSection {
		return
	}
	hint := "sections are [program NAME], [group NAME], [msup], [defaults] and [include]"
	near := Suggest(word, []string{programSection, groupSection, projectSection, defaultsSection, includeSection})
	if note, ok := notSections[word]; ok {
		hint = note
	} else if named := near == programSection || near == groupSection; named && name != "" {
		hint = fmt.Sprintf("did you mean [%s %s]?", near, name)
	} else if near != "" && !named {
		hint = fmt.Sprintf("did you mean [%s]?", near)
	} else if nameProblem(word) == "" && name == "" {
		hint += fmt.Sprintf("; for a program write [program %s]", word)
	}
	s.problem(line, fmt.Sprintf("unknown section [%s]", clip(head)), hint)
}

// lineHint explains a line that is nothing.
func lineHint(text string, continues bool) string {
	if continues {
		return "a value does not go on on the next line"
	}
	for _, kind := range []string{programSection, groupSection} {
		if rest, ok := strings.CutPrefix(text, kind+":"); ok {
			return fmt.Sprintf("write [%s %s]", kind, clip(rest))
		}
	}
	if text == projectSection || text == defaultsSection || text == includeSection {
		return fmt.Sprintf("write [%s]", text)
	}
	if key, value, ok := strings.Cut(text, ":"); ok && keyName.MatchString(key) {
		return fmt.Sprintf("write %s = %s", key, clip(strings.Trim(value, blank)))
	}
	return ""
}

// unprintable says what keeps something from being text: D-Bus takes only valid UTF-8
// without NUL, and control characters would add lines to the unit's text in systemd.
func unprintable(text string) string {
	if !utf8.ValidString(text) {
		return "is not valid UTF-8"
	}
	for _, r := range text {
		if r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') {
			return fmt.Sprintf("holds the control character %U", r)
		}
	}
	return ""
}

// quote is %q for people: clipped, and backslashes and quotes stay as they are.
func quote(s string) string {
	s = clip(s)
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Sprintf("%q", s)
	}
	return `"` + s + `"`
}

// clip shortens text for a message.
func clip(s string) string {
	const limit = 60
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}
