// Package convert turns the configuration of another process manager into one of msup's and
// says of each key what has become of it. It is pure: files come through an [fs.FS], the
// environment through [Options], and nothing is started, written or asked of the machine.
//
// Each format is one entry of the table in formats.go and one function that fills in a
// [Document] and a [Report]. What a file says wrongly by the rules of its own format is a
// [config.Diagnostic] with the line of that file.
package convert

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"msup/config"
)

// Options are what a conversion depends on beside the files.
type Options struct {
	// Format is the format of the files; "" = as [Detect] says.
	Format Format
	// Cwd is the working directory, absolute: files are named relative to it.
	Cwd string
	// Out is the folder the configuration will stand in, absolute, where its relative paths
	// start; "" = that of the first file.
	Out string
	// Direct: the configuration is to be run here and now, so that variables of the environment
	// are replaced; else the configuration of msup's names them.
	Direct bool
	// Lookup is os.LookupEnv; nil = an empty environment.
	Lookup func(name string) (string, bool)
	// Hostname is the name of the machine.
	Hostname string
	// Formation says how many of a program shall run ("web=2", "all=1"), for formats that do
	// not say it themselves.
	Formation map[string]int
	// Env is the environment of pm2 whose env_NAME holds, "" = none.
	Env string
	// CPUs is how many the machine has, for instances = max of pm2.
	CPUs int
	// Exec runs a program and returns what it prints, for configurations that are programs; nil = none
	// is run.
	Exec func(name string, args ...string) ([]byte, error)
}

// Result is a configuration that was converted.
type Result struct {
	Format   Format
	Document *Document
	Report   *Report
	// Files are the files that were read, absolute, the main one first.
	Files []string
	// Environment are the names of the variables that were looked up, sorted.
	Environment []string
}

// Convert converts the files at paths, which together are one configuration. Paths are
// absolute or relative to [Options.Cwd]; fsys is the file system from "/".
//
// The error is a [*config.Error] with all that is wrong with the files, a [*RefusedError]
// where msup does not take the format, or that of reading a file. With a *config.Error there
// is a result too, of what could be understood.
func Convert(fsys fs.FS, paths []string, opts Options) (*Result, error) {
	if len(paths) == 0 {
		return nil, fmt.Errorf("no file to convert")
	}
	in := newInput(fsys, paths, opts)
	data, err := in.readMain(in.paths[0])
	if err != nil {
		return nil, err
	}
	name := opts.Format
	switch {
	case name != "":
	case opts.Direct:
		name = Detect(in.paths[0], data)
	default:
		name = detectToImport(in.paths[0], data)
	}
	f := lookupFormat(name)
	switch {
	case f == nil:
		return nil, &RefusedError{File: in.shown(in.paths[0]), Message: "this is no configuration that msup knows", Hint: "it knows " + known() + "; msup import --from says of which format a file is that does not look like it"}
	case f.instead != "":
		return nil, &RefusedError{File: in.shown(in.paths[0]), Message: f.title, Hint: f.instead}
	case len(paths) > 1 && !f.several:
		return nil, &RefusedError{File: in.shown(in.paths[1]), Message: f.title + " stands in one file", Hint: "import one file at a time"}
	}
	in.report.Format = f.Format
	f.convert(in)
	in.document.tidy()
	in.report.compare(in.document)
	slices.Sort(in.environment)
	r := &Result{
		Format: f.Format, Document: in.document, Report: in.report,
		Files: in.files.read, Environment: slices.Compact(in.environment),
	}
	r.Report.sort(in.shownFiles())
	if len(in.problems) > 0 {
		return r, &config.Error{Diagnostics: in.problems}
	}
	return r, nil
}

// RefusedError is a file that msup does not convert.
type RefusedError struct {
	File    string // as the user gave it
	Message string
	Hint    string // what to do instead
}

func (e *RefusedError) Error() string { return e.File + ": " + e.Message }

// input is one conversion: what the function of a format reads from and writes to.
type input struct {
	Options
	paths    []string // absolute, cleaned
	names    map[string]string
	files    *files
	document *Document
	report   *Report

	problems    []config.Diagnostic
	environment []string
}

func newInput(fsys fs.FS, paths []string, opts Options) *input {
	if opts.Cwd == "" {
		opts.Cwd = "/"
	}
	in := &input{Options: opts, names: map[string]string{}, files: &files{fsys: fsys}, document: &Document{}, report: &Report{}}
	for _, p := range paths {
		abs := p
		if !filepath.IsAbs(p) {
			abs = filepath.Join(opts.Cwd, p)
		}
		abs = filepath.Clean(abs)
		in.paths = append(in.paths, abs)
		in.names[abs] = p
	}
	if in.Out == "" {
		in.Out = filepath.Dir(in.paths[0])
	}
	return in
}

// readMain reads a file that the user has named.
func (in *input) readMain(path string) ([]byte, error) {
	data, err := in.files.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", in.shown(path), cause(err))
	}
	return data, nil
}

// shown is a path as messages name it: as the user gave it, else relative to the working
// directory when that is shorter.
func (in *input) shown(path string) string {
	if name, ok := in.names[path]; ok {
		return name
	}
	if in.Cwd == "/" {
		return path
	}
	if rel, err := filepath.Rel(in.Cwd, path); err == nil && len(rel) < len(path) && rel != "." {
		return rel
	}
	return path
}

func (in *input) shownFiles() []string {
	var names []string
	for _, f := range in.files.read {
		names = append(names, in.shown(f))
	}
	return names
}

// path is an absolute path as the configuration will name it: relative where it is below
// the folder that stands in. A ~ at its beginning would be read as a home.
func (in *input) path(abs string) string {
	abs = filepath.Clean(abs)
	rel, err := filepath.Rel(in.Out, abs)
	if err != nil || in.Out == "/" || !filepath.IsLocal(rel) {
		return abs
	}
	if strings.HasPrefix(rel, "~") {
		return "./" + rel
	}
	return rel
}

// env looks a variable up in the environment of who runs msup.
func (in *input) env(name string) (string, bool) {
	if !slices.Contains(in.environment, name) {
		in.environment = append(in.environment, name)
	}
	if in.Lookup == nil {
		return "", false
	}
	return in.Lookup(name)
}

// lookup is [input.env] for a value that is used now, and not when the configuration is read.
func (in *input) lookup(name string) (string, bool) {
	if in.Direct {
		return in.env(name) // each supervisor reads it anew
	}
	if in.Lookup == nil {
		return "", false
	}
	return in.Lookup(name)
}

// maxProblems bounds what is said of one conversion.
const maxProblems = 100

// fail adds an error about a place.
func (in *input) fail(p Place, d config.Diagnostic) {
	d.File, d.Line = p.File, p.Line
	if len(in.problems) < maxProblems && !slices.Contains(in.problems, d) {
		in.problems = append(in.problems, d)
	}
}
