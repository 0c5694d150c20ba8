package convert

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"msup/config"
)

// This file reads the grammar of Python's RawConfigParser as supervisord uses it
// (UnhosedConfigParser, supervisor/options.py): keys in any case, = or :, values that go on on
// indented lines, ; and # behind white space begin a comment, sections that stand several times
// are one.

// iniSection is a section of all files together.
type iniSection struct {
	name     string // between the brackets: program:web
	place    Place  // of its first header
	comments []string
	keys     []*iniKey
}

// iniKey is a key as the last line that sets it has it.
type iniKey struct {
	section  string
	name     string // in small letters
	value    string // lines joined by newlines
	lines    []string
	length   int    // of the lines
	dir      string // of the file it stands in
	place    Place
	comments []string // whole lines above it
	note     string   // comment behind it
}

// add adds a line to the value, as long as that is not too long anyway.
func (k *iniKey) add(line string) {
	if k.length <= maxValue {
		k.lines = append(k.lines, line)
		k.length += len(line) + 1
	}
}

func (s *iniSection) key(name string) *iniKey {
	if s == nil {
		return nil
	}
	for _, k := range s.keys {
		if k.name == name {
			return k
		}
	}
	return nil
}

// iniFile is what was read.
type iniFile struct {
	sections []*iniSection // in order, without DEFAULT
	byName   map[string]*iniSection
	defaults *iniSection // [DEFAULT]
	replaced []*iniKey   // those that a later line sets again
	head     []string    // the comment above everything
}

const defaultSection = "DEFAULT"

// Bounds, far above what a person writes.
const (
	maxSections = 5000
	maxValue    = 64 << 10
)

// header is a section's, anywhere at the beginning of a line.
var iniHeader = regexp.MustCompile(`^\[([^\]]+)\]`)

// iniOption is a key and its value.
var iniOption = regexp.MustCompile(`(?s)^(.*?)\s*[=:]\s*(.*)$`)

// inlineComment finds where a comment begins in a line, -1 if there is none. Occurrences of
// both characters are looked at in turn, as Python does up to 3.13: in "a;b ;c #d" the comment
// is "#d".
func inlineComment(line string) int {
	at := map[byte]int{';': -1, '#': -1}
	for len(at) > 0 {
		start := -1
		for mark, from := range at {
			i := strings.IndexByte(line[from+1:], mark)
			if i < 0 {
				delete(at, mark)
				continue
			}
			i += from + 1
			at[mark] = i
			if (i == 0 || isSpace(line[i-1])) && (start < 0 || i < start) {
				start = i
			}
		}
		if start >= 0 {
			return start
		}
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// iniParser is what the parser knows between lines and files.
type iniParser struct {
	in   *input
	file *iniFile
}

// parse adds a file. What is no line of the grammar is reported.
func (p *iniParser) parse(path string, data []byte, dir string) {
	shown := p.in.shown(path)
	text := strings.TrimPrefix(string(data), "\xef\xbb\xbf") // byte order mark
	if line, why := binary(text); why != "" {
		p.in.fail(Place{shown, line}, config.Diagnostic{Message: why, Hint: "save the file as UTF-8"})
		return
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var (
		section  *iniSection
		key      *iniKey
		indent   int
		comments []string // since the last thing
		gap      bool     // an empty line since the last comment
	)
	endComments := func() (list []string) {
		switch {
		case !gap:
			list = comments
		case section == nil && p.file.head == nil:
			p.file.head = comments // it stands alone, above everything
		}
		comments, gap = nil, false
		return list
	}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		place := Place{shown, number}
		start := inlineComment(line)
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			start = 0
		}
		value, note := line, ""
		if start >= 0 {
			value, note = line[:start], strings.TrimSpace(strings.TrimLeft(line[start:], " \t#;"))
		}
		if value = strings.TrimSpace(value); value == "" {
			switch {
			case start >= 0:
				if gap {
					endComments()
				}
				comments = append(comments, note)
			case section != nil && key != nil:
				key.add("")
				gap = true
			default:
				gap = true
			}
			continue
		}
		current := len(line) - len(strings.TrimLeftFunc(line, unicode.IsSpace))
		if section != nil && key != nil && current > indent {
			key.add(value)
			comments, gap = nil, false
			continue
		}
		indent = current
		if m := iniHeader.FindStringSubmatch(value); m != nil {
			above := endComments()
			if section = p.section(m[1], place); section == nil {
				return
			}
			section.comments = append(section.comments, above...)
			key = nil
			continue
		}
		hint := func(otherwise string) string {
			if inTemplate.MatchString(value) {
				return ofTemplate
			}
			return otherwise
		}
		if section == nil {
			p.in.fail(place, config.Diagnostic{Message: quote(value) + " stands outside any section", Hint: hint("put a header such as [program:web] above it")})
			return
		}
		m := iniOption.FindStringSubmatch(value)
		if m == nil || m[1] == "" {
			p.in.fail(place, config.Diagnostic{Section: section.name, Message: quote(value) + " is neither a header nor key = value", Hint: hint("a value goes on on the next line where that is indented")})
			key = nil
			continue
		}
		key = &iniKey{
			section: section.name, name: strings.ToLower(strings.TrimSpace(m[1])),
			dir: dir, place: place, comments: endComments(), note: note,
		}
		key.add(strings.TrimSpace(m[2]))
		p.set(section, key)
	}
	for _, s := range append(p.file.sections, p.file.defaults) {
		for _, k := range s.keys {
			if k.place.File != shown {
				continue
			}
			k.value = strings.TrimRightFunc(strings.Join(k.lines, "\n"), unicode.IsSpace)
			if k.length > maxValue {
				p.in.fail(k.place, config.Diagnostic{Section: s.name, Key: k.name, Message: fmt.Sprintf("the value is longer than %d KiB", maxValue>>10)})
				k.value = ""
			}
		}
	}
}

// inTemplate is what Jinja, Go and the like replace before supervisord reads a file.
var inTemplate = regexp.MustCompile(`\{[{%#]`)

// ofTemplate is the hint where that is a mistake.
const ofTemplate = "the file is a template: take what is made of it"

// section is the section of that name, nil if there are too many.
func (p *iniParser) section(name string, place Place) *iniSection {
	if name == defaultSection {
		return p.file.defaults
	}
	if s := p.file.byName[name]; s != nil {
		return s
	}
	if len(p.file.sections) >= maxSections {
		p.in.fail(place, config.Diagnostic{Message: fmt.Sprintf("there are more than %d sections", maxSections)})
		return nil
	}
	s := &iniSection{name: name, place: place}
	p.file.sections = append(p.file.sections, s)
	p.file.byName[name] = s
	return s
}

// set sets a key, in the place where it stood first.
func (p *iniParser) set(s *iniSection, k *iniKey) {
	for i, old := range s.keys {
		if old.name == k.name {
			p.file.replaced = append(p.file.replaced, old)
			s.keys[i] = k
			return
		}
	}
	s.keys = append(s.keys, k)
}

// binary says what keeps a file from being text, and in which line.
func binary(text string) (line int, why string) {
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return 0, "the file is UTF-16"
	case strings.ContainsRune(text, 0):
		return 0, "the file holds NUL bytes: it is no text"
	}
	for one := range strings.Lines(text) {
		if line++; !utf8.ValidString(one) {
			return line, "the line is not valid UTF-8"
		}
	}
	return 0, ""
}

// quote is a text in a message.
func quote(s string) string { return `"` + oneLine(s) + `"` }
