package property

import (
	"fmt"
	"regexp"
	"strings"
)

// filter is the codec of settings that list what is allowed or, with a ~ before it, what
// is forbidden. Each line goes to systemd as it is, which combines them: the first one
// decides whether what is not listed is allowed.
type filter struct {
	words string
	read  func(string) (string, error)
	none  string // the word for an empty list of what is allowed; "" = there is none
}

func (c filter) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	var props []Property
	for _, line := range lines {
		f := Filter{Allow: true, Items: []string{}}
		if c.none != "" && line == c.none {
			props = append(props, Property{e.property(), f})
			continue
		}
		if rest, ok := strings.CutPrefix(line, "~"); ok {
			f.Allow, line = false, rest
		}
		words, err := splitWords(line)
		if err != nil {
			return nil, err
		}
		for _, w := range words {
			item, err := c.read(w)
			if err != nil {
				return nil, err
			}
			f.Items = append(f.Items, item)
		}
		if len(words) == 0 {
			f.Allow = false // takes back what stands before it
		}
		props = append(props, Property{e.property(), f})
	}
	return props, nil
}

func (c filter) format(_ *Entry, props []Property) ([]string, error) {
	lines := make([]string, len(props))
	for i, p := range props {
		f, err := value[Filter](p)
		if err != nil {
			return nil, err
		}
		switch {
		case len(f.Items) == 0 && f.Allow:
			lines[i] = c.none
		case f.Allow || len(f.Items) == 0:
			lines[i] = quoteWords(f.Items)
		default:
			lines[i] = "~" + quoteWords(f.Items)
		}
	}
	return lines, nil
}

func (c filter) sends(e *Entry) []Typed { return []Typed{{e.property(), "(bas)"}} }

func (c filter) allowed() string {
	if c.none != "" {
		return c.words + ", or " + c.none
	}
	return c.words
}

var syscall = regexp.MustCompile(`^(@[a-z-]+|[a-z_][a-z0-9_]*)(:([A-Z0-9]+|kill|[0-9]+))?$`)

var (
	syscalls = filter{words: "names of system calls and groups of them (@system-service), separated by spaces, :ERRNO behind one; a ~ before them forbids them", read: func(s string) (string, error) {
		if !syscall.MatchString(s) {
			return "", fmt.Errorf("%s is not the name of a system call", quoted(s))
		}
		return s, nil
	}}
	families = filter{words: "address families (AF_UNIX AF_INET), separated by spaces; a ~ before them forbids them", none: "none", read: func(s string) (string, error) {
		if !regexp.MustCompile(`^AF_[A-Z0-9]+$`).MatchString(s) {
			return "", fmt.Errorf("%s is not an address family", quoted(s))
		}
		return s, nil
	}}
	filesystems = filter{words: "types of file systems and groups of them (ext4 @basic-api), separated by spaces; a ~ before them forbids them", read: func(s string) (string, error) {
		if !regexp.MustCompile(`^@?[a-z0-9._-]+$`).MatchString(s) {
			return "", fmt.Errorf("%s is not a type of file system", quoted(s))
		}
		return s, nil
	}}
	interfaces = filter{words: "names of network interfaces, separated by spaces; a ~ before them forbids them", read: func(s string) (string, error) {
		if strings.Contains(s, "/") || len(s) > 127 {
			return "", fmt.Errorf("%s is not the name of a network interface", quoted(s))
		}
		return s, nil
	}}
)
