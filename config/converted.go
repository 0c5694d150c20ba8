package config

import "slices"

// Converted is a configuration that was made from files of another format and stands for them:
// relative paths start at the folder of the first file, and messages name its lines.
type Converted struct {
	Path  string   // the first file, as the user gave it
	Data  []byte   // the configuration
	Files []string // what it was made from, absolute
	// Place is where a line of Data comes from; no file = from nowhere.
	Place func(line int) (file string, original int)
	// Environment are the names of the variables that it was made with.
	Environment []string
	// Warnings are what there is to say of the files; it comes first.
	Warnings []Diagnostic
}

// Load is [Load] of it.
func (c Converted) Load() (*Config, error) { return c.load(newHost(), true) }

// Read is [Read] of it.
func (c Converted) Read() (*Config, error) { return c.load(newHost(), false) }

func (c Converted) load(h *host, check bool) (*Config, error) {
	abs := absolute(c.Path, h)
	l := newLoader(abs, h, check)
	text := scan(c.Data)
	text.origin = c.Place
	cfg, err := l.load(l.takeSource(abs, c.Path, text))
	if cfg != nil {
		cfg.Environment = slices.Compact(slices.Sorted(slices.Values(slices.Concat(cfg.Environment, c.Environment))))
		cfg.Files, cfg.Warnings = c.Files, append(c.Warnings, cfg.Warnings...)
	}
	return cfg, err
}

// origin is where a line comes from, see [Converted.Place].
type origin func(line int) (file string, original int)

// original makes a diagnostic about a line one about that which it was made from.
func (s *source) original(d Diagnostic) Diagnostic {
	if s.origin == nil {
		return d
	}
	// What comes from nowhere is said of the file as a whole.
	file, line := s.origin(d.Line)
	if d.Line = line; file != "" {
		d.File = file
	}
	return d
}
