package property

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

var environmentFiles = list[EnvironmentFile]{
	typ: "a(sb)", words: "an absolute path; a - before it lets it be missing", oneEach: true, split: wholeLine,
	read: func(s string) (EnvironmentFile, error) {
		rest, optional := strings.CutPrefix(s, "-")
		p, err := absolutePath(rest)
		return EnvironmentFile{p, optional}, err
	},
	write: func(f EnvironmentFile) string {
		if f.Optional {
			return "-" + f.Path
		}
		return f.Path
	},
}

// directory is WorkingDirectory=: a path, ~ for the user's home; a - lets it be missing.
var directory = scalar[string]{typ: "s", words: "an absolute path or ~; a - before it lets it be missing", write: escapeSpecifiers, read: func(s string) (string, error) {
	rest, optional := strings.CutPrefix(s, "-")
	if rest != "~" {
		var err error
		if rest, err = absolutePath(rest); err != nil {
			return "", err
		}
	}
	if optional {
		rest = "-" + rest
	}
	return rest, nil
}}

var extraFields = list[[]byte]{
	typ: "aay", words: "FIELD=value, several separated by spaces, quotes around those that hold spaces",
	read: func(s string) ([]byte, error) {
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}=`).MatchString(s) {
			return nil, fmt.Errorf("%s is not FIELD=value with a field of capitals", quoted(s))
		}
		return []byte(s), nil
	},
	write: func(b []byte) string { return string(b) },
}

var filterPatterns = list[Mark]{
	typ: "a(bs)", words: "a regular expression for lines to keep, or, behind a ~, to leave out", oneEach: true, split: wholeLine,
	read: func(s string) (Mark, error) {
		rest, deny := strings.CutPrefix(s, "~")
		if rest == "" {
			return Mark{}, errors.New("there is no pattern behind the ~")
		}
		return Mark{!deny, rest}, nil
	},
	write: func(m Mark) string {
		if m.Set {
			return m.Text
		}
		return "~" + m.Text
	},
}

// label is AppArmorProfile= and SmackProcessLabel=: one struct, no list.
var label = scalar[Mark]{
	typ: "(bs)", words: "the name of a profile or label; a - before it lets it be missing",
	read: func(s string) (Mark, error) {
		rest, optional := strings.CutPrefix(s, "-")
		return Mark{optional, rest}, nil
	},
	write: func(m Mark) string {
		if m.Set {
			return "-" + escapeSpecifiers(m.Text)
		}
		return escapeSpecifiers(m.Text)
	},
}

var openFlags = []string{"read-only", "append", "truncate", "graceful"} // in the order of their bits

var openFiles = list[Named]{
	typ: "a(sst)", words: "PATH:NAME:OPTIONS, the options read-only, append, truncate and graceful", oneEach: true, split: wholeLine,
	read: func(s string) (Named, error) {
		parts := strings.SplitN(s, ":", 3)
		p, err := absolutePath(parts[0])
		if err != nil {
			return Named{}, err
		}
		f := Named{Path: p, Name: path.Base(p)}
		if len(parts) > 1 && parts[1] != "" {
			f.Name = parts[1]
		}
		if len(parts) > 2 && parts[2] != "" {
			for o := range strings.SplitSeq(parts[2], ",") {
				i := slices.Index(openFlags, o)
				if i < 0 {
					return f, fmt.Errorf("%s is not %s", quoted(o), either(openFlags))
				}
				f.Flags |= 1 << i
			}
		}
		return f, nil
	},
	write: func(f Named) string {
		var options []string
		for i, o := range openFlags {
			if f.Flags>>i&1 == 1 {
				options = append(options, o)
			}
		}
		return strings.TrimSuffix(f.Path+":"+f.Name+":"+strings.Join(options, ","), ":")
	},
}

var temporary = pairs("an absolute path, or PATH:OPTIONS with those of a tmpfs, several separated by spaces", false, ":", func(p, options string, _ bool) (Pair, error) {
	p, err := absolutePath(p)
	return Pair{p, options}, err
})
