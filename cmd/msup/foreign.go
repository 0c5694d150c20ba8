package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"msup/config"
	"msup/convert"
	"msup/units"

	"github.com/kballard/go-shellquote"
)

// Configurations of other process managers are converted whenever they are read, by commands
// and by each supervisor, so that the file stays the only truth.

// loadFile is [config.Load] of a file of any format.
func loadFile(path string) (*config.Config, error) {
	made, err := converted(path)
	if made == nil || err != nil {
		return orNative(config.Load, path, err)
	}
	return made.Load()
}

// readFile is [config.Read] of a file of any format.
func readFile(path string) (*config.Config, error) {
	made, err := converted(path)
	if made == nil || err != nil {
		return orNative(config.Read, path, err)
	}
	return made.Read()
}

func orNative(read func(string) (*config.Config, error), path string, err error) (*config.Config, error) {
	if err != nil {
		return nil, err
	}
	return read(path)
}

// nameIn is [config.Name] of a file of any format; a mistake elsewhere in it does no harm.
func nameIn(path string) (string, error) {
	if !isForeign(path) {
		return config.Name(path)
	}
	res, err := convertFiles([]string{path}, convert.Options{})
	if res == nil {
		return "", err
	}
	return cmp.Or(res.Document.Project(), units.DefaultProject), nil
}

// foreignNames are what configurations of other process managers are called.
var foreignNames = []string{
	"supervisord.conf", "Procfile", "process-compose.yaml", "process-compose.yml", "compose.yaml", "compose.yml",
	"ecosystem.config.json", "ecosystem.config.yaml", "ecosystem.config.yml",
}

// isForeign reports whether the file is of another format than msup's.
func isForeign(path string) bool { return foreignFormat(path) != convert.Unknown }

// foreignFormat is the format of a file. One that cannot be read has none: who reads it then
// says why.
func foreignFormat(path string) convert.Format {
	path, data := beginning(path)
	if path == "" {
		return convert.Unknown
	}
	return convert.Detect(path, data)
}

// beginning is that of a regular file, and its whole path, because the folder tells too; "" if it cannot be
// read.
func beginning(path string) (whole string, data []byte) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return "", nil
	}
	f, err := os.Open(whole)
	if err != nil {
		return "", nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", nil
	}
	if data, err = io.ReadAll(io.LimitReader(f, detectSize)); err != nil {
		return "", nil
	}
	return whole, data
}

// meantForSupervisord is the path of the configuration if msup reads it as its own, for its name,
// and supervisord would too.
func (a *app) meantForSupervisord() string {
	path, err := a.findConfig()
	if err != nil || isForeign(path) {
		return ""
	}
	if data, err := os.ReadFile(path); err != nil || !convert.MeantForSupervisord(data) {
		return ""
	}
	return path
}

// detectSize is as much of a file as its format is told by.
const detectSize = 1 << 20

// converted converts the file at path; nil if it is msup's own. What cannot be that is refused, so that
// nobody reads of each of its lines that it is no key.
func converted(path string) (*config.Converted, error) {
	if whole, data := beginning(path); whole == "" || convert.Detect(whole, data) == convert.Unknown && !convert.Foreign(whole, data) {
		return nil, nil
	}
	res, err := convertFiles([]string{path}, convert.Options{Direct: true})
	if err != nil {
		return nil, err
	}
	made := &config.Converted{Path: path, Data: res.Document.Text(), Files: res.Files, Environment: res.Environment}
	places := res.Document.Places()
	made.Place = func(line int) (string, int) {
		if line < 1 || line > len(places) {
			return "", 0
		}
		return places[line-1].File, places[line-1].Line
	}
	if n := res.Report.Count(convert.Dropped); n > 0 {
		made.Warnings = append(made.Warnings, config.Diagnostic{
			File:    path,
			Message: plural(n, "key has no effect", "keys have no effect") + ": msup import --report " + shellquote.Join(path),
		})
	}
	return made, nil
}

// convertFiles is [convert.Convert] on this machine.
func convertFiles(paths []string, opts convert.Options) (*convert.Result, error) {
	var err error
	if opts.Cwd, err = os.Getwd(); err != nil {
		return nil, err
	}
	opts.Lookup, opts.CPUs = os.LookupEnv, runtime.NumCPU()
	opts.Hostname, _ = os.Hostname() // without one, who needs it is told
	res, err := convert.Convert(os.DirFS("/"), paths, opts)
	if refused, ok := errors.AsType[*convert.RefusedError](err); ok {
		return nil, &exitError{code: exitUsage, msg: refused.Error(), hint: refused.Hint}
	}
	return res, err
}

// execTime bounds a program that is a configuration.
const execTime = 30 * time.Second

// printed runs a program and returns what it prints.
func printed(name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), execTime, fmt.Errorf("it did not end within %v", execTime))
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}

// importOptions are the flags of msup import.
type importOptions struct {
	out                    string
	report, strict, asJSON bool
	force                  bool
	from                   string
	formation, env         string
	allowExec              bool
}

func (a *app) importFiles(paths []string, o importOptions) error {
	opts := convert.Options{Format: convert.Format(o.from), Env: o.env}
	if o.allowExec {
		opts.Exec = printed
	}
	if o.formation != "" {
		formation, err := convert.ParseFormation(o.formation)
		if err != nil {
			return usageError("--formation: %v", err)
		}
		opts.Formation = formation
	}
	toFile := o.out != "" && o.out != "-"
	if toFile {
		dir, err := folderOf(o.out)
		if err != nil {
			return err
		}
		opts.Out = dir
	}
	res, err := convertFiles(paths, opts)
	var invalid *config.Error
	if err != nil && !errors.As(err, &invalid) {
		return asUsage(err)
	}
	if err != nil {
		return err
	}
	if res.Document.Programs() == 0 {
		fmt.Fprintf(a.stderr, "warning: %s: there is no program in it, and what comes of it is no configuration yet\n", paths[0])
	}
	dropped := res.Report.Count(convert.Dropped)
	if o.strict && dropped > 0 && !o.report {
		for _, e := range res.Report.Entries {
			if e.Verdict == convert.Dropped {
				fmt.Fprintln(a.stderr, e)
			}
		}
	}
	switch {
	case o.strict && dropped > 0: // nothing is written
	case toFile:
		if err := writeNew(o.out, res.Document.Text(), o.force); err != nil {
			return err
		}
	case !o.report && !o.asJSON:
		if _, err := a.stdout.Write(res.Document.Text()); err != nil {
			return err
		}
	}
	switch {
	case o.asJSON:
		err = a.printImport(res)
	case o.report:
		err = res.Report.Write(a.stdout)
	default:
		fmt.Fprintf(a.stderr, "msup: %s (%s): %s", paths[0], res.Format, res.Report.Summary())
		if dropped+res.Report.Count(convert.Changed) > 0 {
			fmt.Fprintf(a.stderr, "; msup import --report %s tells of each", shellquote.Join(paths...))
		}
		fmt.Fprintln(a.stderr)
	}
	if err == nil && o.strict && dropped > 0 {
		return &exitError{code: exitFailed, msg: plural(dropped, "key", "keys") + " would have no effect, and --strict allows none; nothing was written"}
	}
	return err
}

// asUsage gives an error of the files that are named its exit status.
func asUsage(err error) error {
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	return &exitError{code: exitUsage, msg: err.Error()}
}

// importJSON is what msup import --json prints.
type importJSON struct {
	Files   []string `json:"files"` // that were read, absolute
	Config  string   `json:"config"`
	Kept    int      `json:"kept"`
	Changed int      `json:"changed"`
	Dropped int      `json:"dropped"`
	*convert.Report
}

func (a *app) printImport(res *convert.Result) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(importJSON{
		Files: res.Files, Config: string(res.Document.Text()),
		Kept: res.Report.Count(convert.Kept), Changed: res.Report.Count(convert.Changed), Dropped: res.Report.Count(convert.Dropped),
		Report: res.Report,
	})
}
