package property

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// binds is the codec of BindPaths= and BindReadOnlyPaths=. The paths may be in quotes each.
type binds struct{}

func (binds) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	list := []Bind{}
	for _, line := range lines {
		words, err := splitFields(line)
		if err != nil {
			return nil, err
		}
		for _, fields := range words {
			b, err := parseBind(fields)
			if err != nil {
				return nil, err
			}
			list = append(list, b)
		}
	}
	return []Property{{e.Name, list}}, nil
}

func parseBind(fields []string) (b Bind, err error) {
	src, optional := strings.CutPrefix(fields[0], "-")
	dst, option := src, ""
	if len(fields) > 1 && fields[1] != "" {
		dst = fields[1]
	}
	if len(fields) > 2 {
		option = strings.Join(fields[2:], ":")
	}
	b = Bind{Optional: optional, Flags: unix.MS_REC}
	if b.Source, err = absolutePath(src); err != nil {
		return b, err
	}
	if b.Destination, err = absolutePath(dst); err != nil {
		return b, err
	}
	switch option {
	case "", "rbind":
	case "norbind":
		b.Flags = 0
	default:
		return b, fmt.Errorf("%s is not rbind or norbind", quoted(option))
	}
	return b, nil
}

func (binds) format(_ *Entry, props []Property) ([]string, error) {
	path := func(s string) string {
		if strings.Contains(s, ":") {
			return inQuotes(escapeSpecifiers(s))
		}
		return quoteWord(s)
	}
	var lines []string
	for _, p := range props {
		list, err := value[[]Bind](p)
		if err != nil {
			return nil, err
		}
		var words []string
		for _, b := range list {
			s := path(b.Source) + ":" + path(b.Destination)
			if b.Optional {
				s = "-" + s
			}
			if b.Flags == 0 {
				s += ":norbind"
			}
			words = append(words, s)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines, nil
}

func (binds) sends(e *Entry) []Typed { return []Typed{{e.Name, "a(ssbt)"}} }
func (binds) isList()                {}
func (binds) allowed() string {
	return "SOURCE:DESTINATION:OPTION, absolute paths and rbind or norbind, several separated by spaces; a - before one lets the source be missing"
}
