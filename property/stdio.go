package property

import (
	"fmt"
	"slices"
	"strings"
)

// stdio is the codec of StandardInput= and the like: a word, or as properties of their own
// a file or the name of a descriptor.
type stdio struct {
	wordsAllowed []string
	files        []string // what may stand before the path of a file
}

// fileProperties are the ends of the names of the properties for files.
var fileProperties = map[string]string{"file": "File", "append": "FileToAppend", "truncate": "FileToTruncate"}

func (c stdio) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	s := lines[len(lines)-1]
	kind, rest, ok := strings.Cut(s, ":")
	switch {
	case slices.Contains(c.wordsAllowed, s):
		return []Property{{e.Name, s}}, nil
	case ok && slices.Contains(c.files, kind):
		p, err := absolutePath(rest)
		return []Property{{e.Name + fileProperties[kind], p}}, err
	case ok && kind == "fd" && rest != "":
		return []Property{{e.Name + "FileDescriptorName", rest}}, nil
	}
	return nil, fmt.Errorf("%s is not %s", quoted(s), c.allowed())
}

func (c stdio) format(e *Entry, props []Property) ([]string, error) {
	p := props[len(props)-1]
	s, err := value[string](p)
	if err != nil || p.Name == e.Name {
		return []string{s}, err
	}
	kind := "fd"
	for k, suffix := range fileProperties {
		if p.Name == e.Name+suffix {
			kind = k
		}
	}
	return []string{kind + ":" + escapeSpecifiers(s)}, nil
}

func (c stdio) sends(e *Entry) []Typed {
	sends := []Typed{{e.Name, "s"}}
	for _, f := range c.files {
		sends = append(sends, Typed{e.Name + fileProperties[f], "s"})
	}
	return append(sends, Typed{e.Name + "FileDescriptorName", "s"})
}

func (c stdio) allowed() string {
	words := slices.Clone(c.wordsAllowed)
	for _, f := range c.files {
		words = append(words, f+":PATH")
	}
	return either(append(words, "fd:NAME"))
}

func (c stdio) needs(v string) int {
	if strings.HasPrefix(v, "truncate:") {
		return 248
	}
	return Oldest
}
