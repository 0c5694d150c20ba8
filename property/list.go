package property

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// list is the codec of settings that are a list T, an array for D-Bus. All lines together
// are one list, and an empty line stands for the empty one.
type list[T any] struct {
	typ   string
	words string
	read  func(word string) (T, error)
	write func(T) string // as a word, without quotes
	// split cuts a line into words; nil = [splitWords].
	split func(line string) ([]string, error)
	// oneEach says that a unit file has a line for each item.
	oneEach bool
}

func (c list[T]) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	items := []T{}
	for _, line := range lines {
		split := c.split
		if split == nil {
			split = splitWords
		}
		words, err := split(line)
		if err != nil {
			return nil, err
		}
		for _, w := range words {
			item, err := c.read(w)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
	}
	return []Property{{e.property(), items}}, nil
}

func (c list[T]) format(_ *Entry, props []Property) ([]string, error) {
	var lines []string
	for _, p := range props {
		items, err := value[[]T](p)
		if err != nil {
			return nil, err
		}
		var words []string
		for _, item := range items {
			words = append(words, c.write(item))
		}
		switch {
		case len(items) == 0:
			lines = append(lines, "")
		case c.oneEach:
			for _, w := range words {
				lines = append(lines, escapeSpecifiers(w))
			}
		default:
			lines = append(lines, quoteWords(words))
		}
	}
	return lines, nil
}

func (c list[T]) sends(e *Entry) []Typed { return []Typed{{e.property(), c.typ}} }
func (c list[T]) allowed() string        { return c.words }

// wholeLine is the split of lists of which a line is one item.
func wholeLine(line string) ([]string, error) {
	if line == "" {
		return nil, nil
	}
	return []string{line}, nil
}

func same(s string) string { return s }

// strings of a list, each checked by read.
func stringList(words string, read func(string) (string, error)) list[string] {
	return list[string]{typ: "as", words: words, read: read, write: same}
}

var (
	unitList = stringList("names of units, separated by spaces", readUnit)

	// pathList takes what systemd.exec(5) lets stand before a path: - for one that may be
	// missing, + for one below RootDirectory=.
	pathList = stringList("absolute paths, separated by spaces; a - before one lets it be missing", func(s string) (string, error) {
		prefix := s[:len(s)-len(strings.TrimLeft(s, "-+"))]
		p, err := absolutePath(s[len(prefix):])
		return prefix + p, err
	})

	plainPaths = stringList("absolute paths, separated by spaces", absolutePath)

	variableNames = stringList("names of environment variables, separated by spaces", func(s string) (string, error) {
		if !variable.MatchString(s) {
			return "", fmt.Errorf("%s is not the name of an environment variable", quoted(s))
		}
		return s, nil
	})

	assignments = stringList("KEY=value, several separated by spaces, quotes around those that hold spaces", func(s string) (string, error) {
		name, _, ok := strings.Cut(s, "=")
		if !ok || !variable.MatchString(name) {
			return "", fmt.Errorf("%s is not KEY=value", quoted(s))
		}
		return s, nil
	})

	urls = stringList("URIs that begin with http://, https://, file:, info: or man:, separated by spaces", func(s string) (string, error) {
		for _, p := range []string{"http://", "https://", "file:/", "info:", "man:"} {
			if rest, ok := strings.CutPrefix(s, p); ok && rest != "" {
				return s, nil
			}
		}
		return "", fmt.Errorf("%s is not a URI that systemd takes", quoted(s))
	})

	// searchPath is separated by colons instead of white space.
	searchPath = list[string]{
		typ: "as", words: "absolute paths, separated by colons", read: absolutePath, write: same, oneEach: true,
		split: func(line string) ([]string, error) {
			if line == "" {
				return nil, nil
			}
			return strings.Split(line, ":"), nil
		},
	}
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// wordList is a list of words of a set.
func wordList(words ...string) list[string] {
	return stringList(either(words)+"; several are separated by spaces", func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("%s is not %s", quoted(s), either(words))
		}
		return s, nil
	})
}

// pair reads items FIRST:SECOND. Without a colon, second is what the rest becomes.
func pairs(words string, oneEach bool, sep string, check func(first, second string, both bool) (Pair, error)) list[Pair] {
	c := list[Pair]{typ: "a(ss)", words: words, oneEach: oneEach}
	c.read = func(s string) (Pair, error) {
		a, b, both := strings.Cut(s, sep)
		return check(a, strings.TrimLeft(b, blank), both)
	}
	c.write = func(p Pair) string {
		if p.Second == "" {
			return p.First
		}
		return p.First + sep + p.Second
	}
	if oneEach {
		c.split = wholeLine
	}
	return c
}
