package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"msup/convert"

	"github.com/spf13/cobra"
)

func importCommand(a *app) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Turn the configuration of another tool into one of msup's",
		Long: `Read the configuration of another process manager and print the one of msup's that does the
same, with its comments and only what differs from msup's defaults. A summary goes to
standard error; --report prints instead what has become of each key:

  kept     it means the same
  changed  it means nearly the same; the report says what is different
  dropped  it has no effect; the report says why, and what to use instead

The format is told by the file's name and content: ` + formatNames() + `.
To run such a file as it is, name it with -c: msup up -c supervisord.conf. With -o, relative
paths are written so that they hold where the new file stands.

` + exitStatusHelp,
		Example: "  msup import /etc/supervisor/supervisord.conf\n  msup import supervisord.conf -o msup.conf && msup check\n  msup import --report supervisord.conf",
		Args:    someArgs("the file to import"),
		RunE: func(_ *cobra.Command, args []string) error {
			if o.from != "" && !slices.Contains(convert.Formats(), convert.Format(o.from)) {
				return usageError("--from takes %s, got %q", formatNames(), o.from)
			}
			if o.report && o.asJSON {
				return usageError("--json has the report too: leave --report away")
			}
			return a.importFiles(args, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "write the configuration to this `FILE`; - is standard output")
	f.BoolVar(&o.force, "force", false, "overwrite a FILE that exists")
	f.BoolVar(&o.report, "report", false, "print what has become of each key, and the configuration only with -o")
	f.BoolVar(&o.strict, "strict", false, "fail, and write nothing, if a key would have no effect")
	f.BoolVar(&o.asJSON, "json", false, "print the report and the configuration as JSON")
	f.StringVar(&o.formation, "formation", "", "how many of each program of a Procfile, `NAME=NUMBER,...`: web=2,worker=1,all=0")
	f.StringVar(&o.env, "env", "", "of pm2, the environment `NAME` whose env_NAME holds too")
	f.BoolVar(&o.allowExec, "allow-exec", false, "run a configuration that is a program, such as ecosystem.config.js, by node")
	f.StringVar(&o.from, "from", "", "the files are of this `FORMAT`, whatever they look like")
	return cmd
}

// formatNames lists the formats that are converted.
func formatNames() string {
	var names []string
	for _, f := range convert.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// folderOf is the folder a file will stand in, absolute and without symbolic links.
func folderOf(path string) (string, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", &exitError{code: exitUsage, msg: fmt.Sprintf("cannot write %s: %v", path, cause(err))}
	}
	return dir, nil
}

// cause is an I/O error without the operation and the path.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// writeNew writes a file as a whole, and over another one only with force.
func writeNew(path string, data []byte, force bool) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return &exitError{code: exitFailed, msg: path + " exists, and nothing was written", hint: "--force overwrites it"}
	}
	return writeOne(filepath.Dir(path), outFile{filepath.Base(path), string(data)}, force)
}
