package property

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// command is the codec of ExecStartPre= and the like. A line is one command.
//
// "$NAME" and "${NAME}" are systemd's to expand, when it runs the command, and "$$" is a
// dollar. From 254 on commands are sent by the property whose name ends in Ex; before, a
// unit with those loses its commands at a daemon-reload, so there only what the plain
// property can say is possible.
type command struct{}

// exSince is the version from which the Ex properties survive a daemon-reload.
const exSince = 254

func (command) parse(e *Entry, lines []string, version int) ([]Property, error) {
	plain, ex := []ExecCommand{}, []ExecCommandEx{}
	for _, line := range lines {
		if line == "" {
			continue // it stands at the beginning
		}
		c, err := parseCommand(line)
		if err != nil {
			return nil, err
		}
		ex = append(ex, c)
		plain = append(plain, ExecCommand{c.Path, c.Argv, slices.Contains(c.Flags, "ignore-failure")})
	}
	if version >= exSince {
		return []Property{{e.Name + "Ex", ex}}, nil
	}
	return []Property{{e.Name, plain}}, nil
}

// prefixes of a command and their flags, in the order a unit file has them.
var prefixes = []struct{ text, flag string }{
	{"-", "ignore-failure"}, {":", "no-env-expand"}, {"+", "privileged"}, {"!!", "ambient"}, {"!", "no-setuid"},
}

func parseCommand(line string) (ExecCommandEx, error) {
	rest := line
	c := ExecCommandEx{Flags: []string{}}
	at, rights := false, false
prefix:
	for {
		if after, ok := strings.CutPrefix(rest, "@"); ok && !at {
			rest, at = after, true
			continue
		}
		for _, p := range prefixes {
			after, ok := strings.CutPrefix(rest, p.text)
			if !ok {
				continue
			}
			isRights := p.flag == "privileged" || p.flag == "ambient" || p.flag == "no-setuid"
			if slices.Contains(c.Flags, p.flag) || isRights && rights {
				return c, fmt.Errorf("the prefix %s is one too many in %s", p.text, quoted(line))
			}
			rights = rights || isRights
			c.Flags, rest = append(c.Flags, p.flag), after
			continue prefix
		}
		break
	}
	slices.Sort(c.Flags)
	words, err := splitCommand(rest)
	switch {
	case err != nil:
		return c, err
	case len(words) == 0 || at && len(words) < 2:
		return c, errors.New("there is no command behind the prefix")
	}
	c.Path, c.Argv = words[0], words
	if at {
		c.Argv = words[1:]
	}
	if strings.HasSuffix(c.Path, "/") || c.Path == "" || strings.Contains(c.Path, "/") && c.Path[0] != '/' {
		return c, fmt.Errorf("%s is neither an absolute path nor the name of a program", quoted(c.Path))
	}
	return c, nil
}

// splitCommand refuses the ; that separates commands.
func splitCommand(s string) ([]string, error) {
	for rest := strings.TrimLeft(s, blank); rest != ""; rest = strings.TrimLeft(rest, blank) {
		if rest == ";" || strings.HasPrefix(rest, "; ") || strings.HasPrefix(rest, ";\t") {
			return nil, errors.New("a ; separates commands: write one line for each")
		}
		_, left, err := firstWord(rest, blank)
		if err != nil {
			return nil, err
		}
		rest = left
	}
	return splitWords(s)
}

func (command) format(_ *Entry, props []Property) ([]string, error) {
	var lines []string
	for _, p := range props {
		var cmds []ExecCommandEx
		switch list := p.Value.(type) {
		case []ExecCommandEx:
			cmds = list
		case []ExecCommand:
			for _, c := range list {
				x := ExecCommandEx{Path: c.Path, Argv: c.Argv}
				if c.IgnoreFailure {
					x.Flags = []string{"ignore-failure"}
				}
				cmds = append(cmds, x)
			}
		default:
			return nil, fmt.Errorf("property %s has a value of type %T", p.Name, p.Value)
		}
		if len(cmds) == 0 {
			lines = append(lines, "")
		}
		for _, c := range cmds {
			lines = append(lines, formatCommand(c))
		}
	}
	return lines, nil
}

func formatCommand(c ExecCommandEx) string {
	var b strings.Builder
	for _, p := range prefixes {
		if slices.Contains(c.Flags, p.flag) {
			b.WriteString(p.text)
		}
	}
	if len(c.Argv) == 0 || c.Argv[0] != c.Path {
		b.WriteString("@" + quoteWord(c.Path) + " ")
	}
	b.WriteString(quoteWords(c.Argv))
	return b.String()
}

func (command) sends(e *Entry) []Typed {
	return []Typed{{e.Name, "a(sasb)"}, {e.Name + "Ex", "a(sasas)"}}
}

func (command) allowed() string {
	return "an absolute path and arguments, quoted as in unit files; before it may stand - @, and from systemd 254 on : + !"
}

func (command) needs(v string) int {
	c, err := parseCommand(v)
	if err == nil && len(c.Flags) > 0 && !slices.Equal(c.Flags, []string{"ignore-failure"}) {
		return exSince
	}
	return Oldest
}
