package convert

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"msup/config"
)

// supervisord is the conversion of one configuration of supervisord's.
type supervisord struct {
	*input
	file     *iniFile
	global   expansions
	entries  map[*iniKey]*Entry
	lost     map[*iniKey]bool // their value is wrong, or not known
	programs []*program
	shared   []pair   // of [supervisord] environment
	startup  bool     // dependentStartup starts programs
	missed   []string // patterns of [include] that no file matches
	logfile  string   // of [supervisord], as that of a program would be written
	size     int      // of all values that were expanded
}

// program is a program of supervisord's that becomes one of msup's.
type program struct {
	*supervisord
	section *iniSection
	name    string // %(program_name)s
	group   string // %(group_name)s
	process string // the name of its process, with marks
	x       expansions
	env     []pair
	out     *Section
	done    map[string]bool

	numprocs      int
	groupPriority int
	priority      int
	place         int        // in the order of the file
	before        []*program // those of the next lower priority, in another group
}

func convertSupervisord(in *input) {
	c := &supervisord{input: in, entries: map[*iniKey]*Entry{}, lost: map[*iniKey]bool{}}
	c.file = &iniFile{byName: map[string]*iniSection{}, defaults: &iniSection{name: defaultSection}}
	c.read()
	c.global = expansions{
		texts:   map[string]string{"here": filepath.Dir(c.paths[0]), "host_node_name": c.Hostname},
		numbers: map[string]int{}, env: c.lookup,
	}
	c.document.section(projectSection, "", Place{})
	defaults := c.document.section(defaultsSection, "", Place{})
	if len(c.problems) > 0 {
		// What could not be read would be missed again and again; whose project it is must be known
		// to stop it.
		if s := c.file.byName["supervisord"]; s != nil {
			if k := c.keyOf(s, "identifier"); k != nil {
				c.daemonKey(defaults, k)
			}
		}
		return
	}
	if !slices.ContainsFunc(c.file.head, sampleHead.MatchString) {
		c.document.Comments = meaningful(c.file.head)
	}
	c.startup = slices.ContainsFunc(c.file.sections, func(s *iniSection) bool {
		k := s.key("command")
		return k != nil && strings.HasPrefix(s.name, "eventlistener:") && dependentStartup.MatchString(k.value)
	})
	c.daemon()
	c.findPrograms()
	c.order()
	for _, p := range c.programs {
		if p.convert(); c.size > maxExpanded {
			return
		}
	}
	c.waits()
	c.groups()
	c.others()
	c.shareLogs()
	c.hoist()
	for _, k := range c.file.replaced {
		c.note(k, Dropped, nil, "a later line sets it again", "")
	}
	for _, e := range c.entries {
		c.report.add(*e)
	}
	if len(c.programs) == 0 && len(c.problems) == 0 && c.Direct {
		d := config.Diagnostic{Message: "there is no program in it that msup can run", Hint: "a program is [program:NAME] with a command"}
		if c.missed != nil {
			d.Hint = "[include] files has " + strings.Join(c.missed, " ") + ", which no file matches"
		}
		c.fail(Place{File: c.shown(c.paths[0])}, d)
	}
}

// read reads the main file and those that it includes; these include no others.
func (c *supervisord) read() {
	p := &iniParser{in: c.input, file: c.file}
	main := c.paths[0]
	data, err := c.files.readFile(main)
	if err != nil {
		return // it was read a moment ago
	}
	p.parse(main, data, filepath.Dir(main))
	include := c.file.byName["include"]
	if include == nil || len(c.problems) > 0 {
		return
	}
	include = &iniSection{name: include.name, place: include.place, keys: slices.Clone(include.keys)}
	files := include.key("files")
	if files == nil {
		c.fail(include.place, config.Diagnostic{Section: "include", Message: "the section has no files", Hint: "add files = conf.d/*.conf, or remove the section"})
		return
	}
	// Which files there are must be known now.
	x := expansions{texts: map[string]string{"here": filepath.Dir(main), "host_node_name": c.Hostname}, env: c.env}
	patterns, err := x.expand(files.value)
	if err != nil {
		c.wrong(files, err)
		return
	}
	for pattern := range strings.FieldsSeq(patterns) {
		abs := pattern
		if !filepath.IsAbs(abs) {
			abs = globEscaper.Replace(filepath.Dir(main)) + "/" + pattern
		}
		paths, err := c.files.glob(strings.ReplaceAll(abs, "[!", "[^"))
		if err != nil {
			c.fail(files.place, config.Diagnostic{Section: "include", Key: "files", Message: quote(pattern) + " is not a pattern"})
			return
		}
		paths = slices.DeleteFunc(paths, func(p string) bool {
			return strings.HasPrefix(filepath.Base(p), ".") && !strings.HasPrefix(filepath.Base(pattern), ".")
		})
		if len(paths) == 0 {
			c.missed = append(c.missed, pattern)
		}
		for _, path := range paths {
			if slices.Contains(c.files.read, path) {
				continue // to read it again would change nothing
			}
			data, err := c.files.readFile(path)
			if err != nil {
				c.fail(files.place, config.Diagnostic{Section: "include", Key: "files", Message: fmt.Sprintf("cannot read %s: %v", c.shown(path), cause(err))})
				return
			}
			p.parse(path, data, filepath.Dir(path))
		}
	}
	// An included file may have another one, which would take the place of this.
	c.file.replaced = slices.DeleteFunc(c.file.replaced, func(k *iniKey) bool { return k == files })
	if c.missed != nil {
		c.note(files, Changed, nil, "no file matches "+strings.Join(c.missed, " ")+"; what the others have stands here", "")
	} else {
		c.note(files, Kept, nil, "what the files have stands here", "")
	}
	for _, k := range c.file.byName["include"].keys {
		if k != files {
			c.note(k, Dropped, nil, "supervisord itself ignores it", "")
		}
	}
}

// globEscaper makes a folder's name literal in a pattern.
var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
