package property

import (
	"fmt"
	"slices"
)

// delegate is Delegate=: whether the control group is the program's to divide, or the
// controllers it gets for that.
type delegate struct{}

func (delegate) parse(e *Entry, lines []string, version int) ([]Property, error) {
	last := lines[len(lines)-1]
	if b, err := parseBool(last); err == nil {
		return []Property{{e.Name, b}}, nil
	}
	list := controllers
	props, err := list.parse(e, lines, version)
	for i := range props {
		props[i].Name = "DelegateControllers"
	}
	return props, err
}

func (delegate) format(e *Entry, props []Property) ([]string, error) {
	if p := props[len(props)-1]; p.Name == e.Name {
		b, err := value[bool](p)
		return []string{formatBool(b)}, err
	}
	return controllers.format(e, props)
}

func (delegate) sends(e *Entry) []Typed {
	return []Typed{{e.Name, "b"}, {"DelegateControllers", "as"}}
}
func (delegate) allowed() string { return "yes, no, or controllers: " + controllers.words }

var controllers = wordList("cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "devices", "pids", "bpf-firewall", "bpf-devices", "bpf-foreign", "bpf-socket-bind", "bpf-restrict-network-interfaces")

// extended is the codec of a boolean that became one of several words: those need the
// property whose name ends in Ex.
type extended struct {
	words []string
	since int
}

func (c extended) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	s := lines[len(lines)-1]
	if b, err := parseBool(s); err == nil {
		return []Property{{e.Name, b}}, nil
	}
	if !slices.Contains(c.words, s) {
		return nil, fmt.Errorf("%s is not %s", quoted(s), c.allowed())
	}
	return []Property{{e.Name + "Ex", s}}, nil
}

func (c extended) format(e *Entry, props []Property) ([]string, error) {
	p := props[len(props)-1]
	if p.Name == e.Name {
		b, err := value[bool](p)
		return []string{formatBool(b)}, err
	}
	s, err := value[string](p)
	return []string{s}, err
}

func (c extended) sends(e *Entry) []Typed { return []Typed{{e.Name, "b"}, {e.Name + "Ex", "s"}} }
func (c extended) allowed() string        { return either(append([]string{"yes", "no"}, c.words...)) }

func (c extended) needs(v string) int {
	if slices.Contains(c.words, v) {
		return c.since
	}
	return Oldest
}
