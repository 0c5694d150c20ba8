package property

import (
	"fmt"
	"path"
	"strings"
)

// directories are StateDirectory= and the like: paths below the folder that systemd has for
// them, which it makes. One with a colon is that and a symbolic link to it.
type directories struct{}

func (directories) link(e *Entry) string { return e.Name + "Symlink" }

func (c directories) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	dirs, links := []string{}, []Named{}
	for _, line := range lines {
		words, err := splitWords(line)
		if err != nil {
			return nil, err
		}
		for _, w := range words {
			dir, link, isLink := strings.Cut(w, ":")
			for _, p := range []string{dir, link} {
				if p == "" && !isLink {
					continue
				}
				if p == "" || path.IsAbs(p) || path.Clean(p) != p || strings.HasPrefix(p, "..") || p == "." {
					return nil, fmt.Errorf("%s is not a relative path", quoted(p))
				}
			}
			if isLink {
				links = append(links, Named{Path: dir, Name: link})
			} else {
				dirs = append(dirs, dir)
			}
		}
	}
	var props []Property
	if len(dirs) > 0 || len(links) == 0 {
		props = append(props, Property{e.Name, dirs})
	}
	if len(links) > 0 {
		props = append(props, Property{c.link(e), links})
	}
	return props, nil
}

func (c directories) format(e *Entry, props []Property) ([]string, error) {
	var lines []string
	for _, p := range props {
		var words []string
		if p.Name == c.link(e) {
			links, err := value[[]Named](p)
			if err != nil {
				return nil, err
			}
			for _, l := range links {
				words = append(words, l.Path+":"+l.Name)
			}
		} else {
			dirs, err := value[[]string](p)
			if err != nil {
				return nil, err
			}
			words = dirs
		}
		lines = append(lines, quoteWords(words))
	}
	return lines, nil
}

func (c directories) sends(e *Entry) []Typed {
	return []Typed{{e.Name, "as"}, {c.link(e), "a(sst)"}}
}
func (directories) allowed() string { return "relative paths, separated by spaces" }
func (directories) needs(v string) int {
	if strings.Contains(v, ":") {
		return 250
	}
	return Oldest
}
