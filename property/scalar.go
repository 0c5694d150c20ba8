package property

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scalar is the codec of settings with one value: of several lines the last one holds.
type scalar[T any] struct {
	typ   string // D-Bus
	words string
	read  func(string) (T, error)
	write func(T) string
	since func(string) int // for values that came later than the setting; may be nil
}

// property is the D-Bus name of the setting, which differs by a suffix for times.
func (e *Entry) property() string {
	if len(e.names) > 0 {
		return e.names[0]
	}
	return e.Name
}

func (c scalar[T]) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	v, err := c.read(lines[len(lines)-1])
	if err != nil {
		return nil, err
	}
	return []Property{{e.property(), v}}, nil
}

func (c scalar[T]) format(_ *Entry, props []Property) ([]string, error) {
	v, err := value[T](props[len(props)-1])
	if err != nil {
		return nil, err
	}
	return []string{c.write(v)}, nil
}

func (c scalar[T]) sends(e *Entry) []Typed { return []Typed{{e.property(), c.typ}} }
func (c scalar[T]) allowed() string        { return c.words }
func (c scalar[T]) needs(value string) int {
	if c.since == nil {
		return Oldest
	}
	return c.since(value)
}

// value takes a property's value, which is of another type only if nobody made it here.
func value[T any](p Property) (T, error) {
	v, ok := p.Value.(T)
	if !ok {
		return v, fmt.Errorf("property %s has a value of type %T, not %T", p.Name, p.Value, v)
	}
	return v, nil
}

// later makes since of a scalar: the value that came with a version.
func later(version int, values ...string) func(string) int {
	return func(v string) int {
		if slices.Contains(values, v) {
			return version
		}
		return Oldest
	}
}

var boolean = scalar[bool]{typ: "b", words: "yes or no", read: parseBool, write: formatBool}

var text = scalar[string]{typ: "s", words: "text", read: readText, write: escapeSpecifiers}

func readText(s string) (string, error) { return s, nil }

// absolute is a path.
var absolute = scalar[string]{typ: "s", words: "an absolute path", read: absolutePath, write: escapeSpecifiers}

func absolutePath(s string) (string, error) {
	if !path.IsAbs(s) {
		return "", fmt.Errorf("%s is not an absolute path", quoted(s))
	}
	if slices.Contains(strings.Split(s, "/"), "..") {
		return "", fmt.Errorf("%s has a folder .. in it", quoted(s))
	}
	return path.Clean(s), nil
}

// word is one of a set of words.
func word(words ...string) scalar[string] {
	return scalar[string]{typ: "s", words: either(words), write: escapeSpecifiers, read: func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("%s is not %s", quoted(s), either(words))
		}
		return s, nil
	}}
}

// boolOr is yes, no or one of a set of words, a string for D-Bus.
func boolOr(words ...string) scalar[string] {
	all := append([]string{"yes", "no"}, words...)
	c := word(all...)
	read := c.read
	c.read = func(s string) (string, error) {
		if b, err := parseBool(s); err == nil {
			return formatBool(b), nil
		}
		return read(s)
	}
	return c
}

// named is a word that stands for a number.
func named(words ...string) scalar[int32] {
	var known []string
	for _, w := range words {
		if w != "" {
			known = append(known, w)
		}
	}
	return scalar[int32]{
		typ: "i", words: either(known),
		read: func(s string) (int32, error) {
			if i := slices.Index(words, s); i >= 0 && s != "" {
				return int32(i), nil
			}
			if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(words) && words[n] != "" {
				return int32(n), nil
			}
			return 0, fmt.Errorf("%s is not %s", quoted(s), either(known))
		},
		write: func(n int32) string {
			if n >= 0 && int(n) < len(words) && words[n] != "" {
				return words[n]
			}
			return strconv.Itoa(int(n))
		},
	}
}

func integer(low, high int64) scalar[int32] {
	return scalar[int32]{
		typ: "i", words: fmt.Sprintf("a whole number from %d to %d", low, high),
		read:  func(s string) (int32, error) { return parseSigned(s, low, high) },
		write: func(n int32) string { return strconv.Itoa(int(n)) },
	}
}

func unsigned(high uint64) scalar[uint32] {
	return scalar[uint32]{
		typ: "u", words: fmt.Sprintf("a whole number from 0 to %d", high),
		read: func(s string) (uint32, error) {
			n, err := parseUint(s, 0, high)
			return uint32(n), err
		},
		write: func(n uint32) string { return strconv.FormatUint(uint64(n), 10) },
	}
}

// octal is a file mode.
var octal = scalar[uint32]{
	typ: "u", words: "octal digits from 0 to 7777",
	read: func(s string) (uint32, error) {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o7777 {
			return 0, fmt.Errorf("%s is not an octal file mode", quoted(s))
		}
		return uint32(n), nil
	},
	write: func(n uint32) string { return fmt.Sprintf("%04o", n) },
}

const spanWords = "a time span: seconds, or numbers with us, ms, s, min, h, d, w, or infinity"

// span is a time span; the D-Bus name ends in USec where the setting's ends in Sec.
var span = scalar[uint64]{
	typ: "t", words: spanWords,
	read:  func(s string) (uint64, error) { return parseSpan(s, microseconds) },
	write: formatSpan,
}

var nanoseconds64 = scalar[uint64]{
	typ: "t", words: "a time span: nanoseconds, or numbers with ns, us, ms, s, min, h, d, or infinity",
	read: func(s string) (uint64, error) { return parseSpan(s, nanoseconds) },
	write: func(n uint64) string {
		if n == Infinity {
			return infinity
		}
		return strconv.FormatUint(n, 10)
	},
}

// usec is the D-Bus name of a setting that ends in Sec.
func usec(name string) []string { return []string{strings.TrimSuffix(name, "Sec") + "USec"} }

// weight is a share of the CPU or of the disks.
func weight(words ...string) scalar[uint64] {
	allowed := "a whole number from 1 to 10000"
	if len(words) > 0 {
		allowed += " or " + either(words)
	}
	return scalar[uint64]{
		typ: "t", words: allowed, since: later(252, words...),
		read: func(s string) (uint64, error) {
			if i := slices.Index(words, s); i >= 0 {
				return 0, nil // idle
			}
			return parseUint(s, 1, 10000)
		},
		write: func(n uint64) string {
			if n == 0 && len(words) > 0 {
				return words[0]
			}
			return strconv.FormatUint(n, 10)
		},
	}
}

var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]{1,246}\.(service|socket|target|device|mount|automount|swap|timer|path|slice|scope)$`)

func readUnit(s string) (string, error) {
	if !unitName.MatchString(s) {
		return "", fmt.Errorf("%s is not the name of a unit", quoted(s))
	}
	return s, nil
}

// name is a name for something that systemd makes a file or folder of.
var name = scalar[string]{typ: "s", words: "a name without slashes", write: escapeSpecifiers, read: func(s string) (string, error) {
	if strings.Contains(s, "/") || s == "." || s == ".." {
		return "", fmt.Errorf("%s is not a name", quoted(s))
	}
	return s, nil
}}
