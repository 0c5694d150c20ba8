package property

import (
	"fmt"
	"slices"
	"strconv"
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

// exitStatuses is the codec of SuccessExitStatus= and the like: statuses and signals.
type exitStatuses struct{}

func (exitStatuses) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	set := ExitStatusSet{Codes: []int32{}, Signals: []int32{}}
	for _, line := range lines {
		for w := range strings.FieldsSeq(line) {
			if n, err := strconv.ParseUint(w, 10, 8); err == nil {
				set.Codes = append(set.Codes, int32(n))
			} else if n, err := signalNumber(w); err == nil {
				set.Signals = append(set.Signals, n)
			} else {
				return nil, fmt.Errorf("%s is neither an exit status nor a signal", quoted(w))
			}
		}
	}
	return []Property{{e.Name, set}}, nil
}

func (exitStatuses) format(_ *Entry, props []Property) ([]string, error) {
	lines := make([]string, len(props))
	for i, p := range props {
		set, err := value[ExitStatusSet](p)
		if err != nil {
			return nil, err
		}
		var words []string
		for _, c := range set.Codes {
			words = append(words, strconv.Itoa(int(c)))
		}
		for _, s := range set.Signals {
			words = append(words, signalName(s))
		}
		lines[i] = strings.Join(words, " ")
	}
	return lines, nil
}

func (exitStatuses) sends(e *Entry) []Typed { return []Typed{{e.Name, "(aiai)"}} }
func (exitStatuses) allowed() string        { return "exit statuses and signals, separated by spaces" }

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

// partitions reads the mount options of an image, PARTITION:OPTIONS:PARTITION:OPTIONS …, or
// only the options, which are those of the root partition.
func partitions(s string) ([]Pair, error) {
	options := []Pair{}
	if s == "" {
		return options, nil
	}
	parts := strings.Split(s, ":")
	if len(parts) == 1 {
		return append(options, Pair{"root", s}), nil
	}
	if len(parts)%2 != 0 {
		return nil, fmt.Errorf("%s is not PARTITION:OPTIONS", quoted(s))
	}
	for i := 0; i < len(parts); i += 2 {
		options = append(options, Pair{parts[i], parts[i+1]})
	}
	return options, nil
}

func formatPartitions(options []Pair) string {
	var b strings.Builder
	for _, o := range options {
		b.WriteString(":" + o.First + ":" + o.Second)
	}
	return b.String()
}

var mountImages = list[Image]{
	typ: "a(ssba(ss))", words: "SOURCE:DESTINATION, absolute paths, then :PARTITION:OPTIONS, several separated by spaces; a - before one lets it be missing",
	read: func(s string) (img Image, err error) {
		rest, optional := strings.CutPrefix(s, "-")
		img.Optional = optional
		src, rest, _ := strings.Cut(rest, ":")
		dst, rest, _ := strings.Cut(rest, ":")
		if img.Source, err = absolutePath(src); err != nil {
			return img, err
		}
		if img.Destination, err = absolutePath(dst); err != nil {
			return img, err
		}
		img.Options, err = partitions(rest)
		return img, err
	},
	write: func(i Image) string {
		s := i.Source + ":" + i.Destination + formatPartitions(i.Options)
		if i.Optional {
			return "-" + s
		}
		return s
	},
}

var extensionImages = list[Extension]{
	typ: "a(sba(ss))", words: "absolute paths, then :PARTITION:OPTIONS, several separated by spaces; a - before one lets it be missing",
	read: func(s string) (x Extension, err error) {
		rest, optional := strings.CutPrefix(s, "-")
		x.Optional = optional
		src, rest, _ := strings.Cut(rest, ":")
		if x.Source, err = absolutePath(src); err != nil {
			return x, err
		}
		x.Options, err = partitions(rest)
		return x, err
	},
	write: func(x Extension) string {
		s := x.Source + formatPartitions(x.Options)
		if x.Optional {
			return "-" + s
		}
		return s
	},
}

var rootImageOptions = pairs("PARTITION:OPTIONS, or the options of the root partition, several separated by spaces", false, ":", func(partition, options string, both bool) (Pair, error) {
	if !both {
		return Pair{"root", partition}, nil
	}
	return Pair{partition, options}, nil
})
