// Package config reads the configuration file, checks all of it and turns it into a
// [units.Project]. It reports every problem of one run with its file and line, and
// starts nothing.
//
// The way of a file through the package: a line scanner (scan.go) finds headers, keys
// and line numbers; ini.v1 (ini.go) reads the values; value.go takes comments and quotes
// off them; the table in keys.go says what each key accepts; program.go puts a program
// together, template.go its instances; exec.go and files.go ask the machine about it through [host].
package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	"msup/units"
)

// Config is a configuration that can be run.
type Config struct {
	units.Project

	// StrictLimits: a program whose limits this machine cannot enforce is not started.
	StrictLimits bool `json:"strict_limits"`

	// Files are the files that were read, absolute, the main one first.
	Files []string `json:"files"`

	// Warnings do not keep the configuration from being run. They are in the order of
	// the files and their lines.
	Warnings []Diagnostic `json:"warnings,omitempty"`

	// Environment are the names of the variables of msup's own environment that it is made
	// with, sorted: a supervisor needs them too.
	Environment []string `json:"-"`

	newer []newer // settings that not every systemd has
}

// Load reads the configuration file at path and the files it includes, and checks that
// this machine can run it: that programs, users, directories and environment files
// exist and log files can be written.
//
// The error is an [*Error] with all problems found, or, when the file at path cannot be
// read at all, the error of reading it.
func Load(path string) (*Config, error) {
	return load(path, newHost(), true)
}

// Read is [Load] without the questions to the machine, for commands that start nothing:
// looking at programs and stopping them must work for a user who may not write their
// log files, and while an executable is being replaced. [units.Program.Path] is "" where
// the executable cannot be found.
func Read(path string) (*Config, error) {
	return load(path, newHost(), false)
}

// Name reads the project's name, and looks at nothing else: it takes a small part of the
// time of [Read]. The error is one of Read's.
func Name(path string) (string, error) {
	h := newHost()
	abs := absolute(path, h)
	data, err := h.readFile(abs)
	if err != nil {
		return "", fmt.Errorf("cannot read configuration %s: %w", path, cause(err))
	}
	s := scan(data)
	s.blocks = slices.DeleteFunc(s.blocks, func(b block) bool { return b.kind != projectSection })
	s.problems = nil
	l := newLoader(abs, h, false)
	l.project(l.takeSource(abs, path, s))
	cfg, err := l.result()
	if err != nil {
		return "", err
	}
	return cfg.Name, nil
}

func absolute(path string, h *host) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(h.cwd, path)
	}
	return filepath.Clean(path)
}

// loader is one run of [Load].
type loader struct {
	host  *host
	check bool // ask the machine

	cfg      *Config
	sources  []*source
	base     units.Program // a program for which nothing is configured
	defaults []setting     // of [defaults]
	programs []*draft

	errors, warnings []problem
}

// source is one configuration file.
type source struct {
	index  int    // position in loader.sources
	path   string // absolute
	shown  string // as messages name it
	dir    string // where its relative paths start
	blocks []block
	origin origin // of its lines, nil = itself
}

// problem is a diagnostic and the position of its file, by which problems are sorted.
type problem struct {
	source int
	Diagnostic
}

func load(path string, h *host, check bool) (*Config, error) {
	abs := absolute(path, h)
	data, err := h.readFile(abs)
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration %s: %w", path, cause(err))
	}
	l := newLoader(abs, h, check)
	return l.load(l.addSource(abs, path, data))
}

func newLoader(abs string, h *host, check bool) *loader {
	l := &loader{host: h, check: check, cfg: &Config{}}
	l.cfg.Name = units.DefaultProject
	l.cfg.File, l.cfg.Dir = abs, filepath.Dir(abs)
	return l
}

// load makes a configuration of the main file and those it includes.
func (l *loader) load(main *source) (*Config, error) {
	l.include(main, []*source{main})
	l.project(main)
	l.findPrograms()
	l.findGroups()
	l.split()
	l.fillAll()
	l.crossCheck()
	l.loadedNeeds()
	l.checkSockets()
	return l.result()
}

// addSource scans a file and remembers it.
func (l *loader) addSource(abs, shown string, data []byte) *source {
	return l.takeSource(abs, shown, scan(data))
}

func (l *loader) takeSource(abs, shown string, s *scanned) *source {
	src := &source{index: len(l.sources), path: abs, shown: shown, dir: filepath.Dir(abs), origin: s.origin}
	l.sources = append(l.sources, src)
	l.cfg.Files = append(l.cfg.Files, abs)
	if err := s.readValues(); err != nil {
		// The scanner hands ini.v1 only lines it can take: this is a bug of ours.
		l.report(src, Diagnostic{Message: "internal error: " + err.Error()})
	}
	for _, d := range s.problems {
		l.report(src, d)
	}
	src.blocks = s.blocks
	return src
}

// report adds an error found in src.
func (l *loader) report(src *source, d Diagnostic) {
	d.File = src.shown
	l.errors = append(l.errors, problem{src.index, src.original(d)})
}

// warn adds a warning about src.
func (l *loader) warn(src *source, d Diagnostic) {
	d.File = src.shown
	l.warnings = append(l.warnings, problem{src.index, src.original(d)})
}

// absent reports what a program needs to be started and the machine does not have. In a
// configuration of another format that is a warning: there it is one program that cannot be
// started, and not a mistake that holds up all the others.
func (l *loader) absent(d *draft, src *source, diagnostic Diagnostic) {
	if src.origin == nil {
		l.report(src, diagnostic)
		return
	}
	diagnostic.Message += ": " + d.Name + " cannot be started"
	l.warn(src, diagnostic)
}

func (l *loader) result() (*Config, error) {
	l.cfg.Warnings = sorted(l.warnings)
	slices.Sort(l.cfg.Environment)
	if len(l.errors) > 0 {
		return nil, &Error{Diagnostics: sorted(l.errors), Warnings: l.cfg.Warnings}
	}
	for _, d := range l.programs {
		l.cfg.Programs = append(l.cfg.Programs, d.Program)
	}
	return l.cfg, nil
}

// sorted puts problems in the order of files and lines and drops repetitions: a bad
// value of [defaults] is found again in every program.
func sorted(ps []problem) []Diagnostic {
	slices.SortStableFunc(ps, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.Line, b.Line))
	})
	var ds []Diagnostic
	seen := map[Diagnostic]bool{}
	for _, p := range ps {
		if !seen[p.Diagnostic] {
			seen[p.Diagnostic] = true
			ds = append(ds, p.Diagnostic)
		}
	}
	return ds
}
