package property

import (
	"fmt"
	"strings"
)

// condition is the codec of Condition…= and Assert…=. All of them are one property for
// D-Bus, so its reverse is in [Format].
type condition struct{ property string }

func (c condition) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	list := []Condition{}
	for _, line := range lines {
		if line == "" {
			continue
		}
		rest, trigger := strings.CutPrefix(strings.Trim(line, blank), "|")
		rest, negate := strings.CutPrefix(strings.TrimLeft(rest, blank), "!")
		rest = strings.TrimLeft(rest, blank)
		if rest == "" {
			return nil, fmt.Errorf("%s says nothing", quoted(line))
		}
		if strings.Contains(e.Name, "Path") || strings.Contains(e.Name, "File") || strings.HasSuffix(e.Name, "DirectoryNotEmpty") {
			if rest[0] != '/' {
				return nil, fmt.Errorf("%s is not an absolute path", quoted(rest))
			}
		}
		list = append(list, Condition{e.Name, trigger, negate, rest})
	}
	return []Property{{c.property, list}}, nil
}

func (condition) format(*Entry, []Property) ([]string, error) { panic("property: see Format") }
func (c condition) sends(*Entry) []Typed                      { return []Typed{{c.property, "a(sbbs)"}} }

func (condition) allowed() string {
	return "what systemd.unit(5) has for it; before it ! for the opposite, | where one of several is enough"
}

func formatCondition(c Condition) string {
	s := escapeSpecifiers(c.Parameter)
	if c.Negate {
		s = "!" + s
	}
	if c.Trigger {
		s = "|" + s
	}
	return s
}
