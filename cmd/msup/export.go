package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"msup/property"
	"msup/units"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
)

func exportCommand(a *app) *cobra.Command {
	var force bool
	var version int
	cmd := &cobra.Command{
		Use:   "export DIR [NAME...]",
		Short: "Write unit files that need no msup",
		Long: `Write programs (all without names; globs and GROUP:* work) into the folder DIR as unit files
with systemd's own Restart=: a service each, under the name that its unit has with msup, so
that systemctl and journalctl go on by the same names, and msup, which touches no unit that
is not its own, cannot run a second copy. A schedule gets a timer, listen a socket, a slice a
file if it has limits, and log files that msup rotates a configuration for logrotate.

What has no equivalent is named on standard error and in the file. No existing file is
overwritten without --force.

` + exitStatusHelp,
		Example:           "  msup export /etc/systemd/system\n  msup export --user ~/.config/systemd/user web",
		Args:              someArgs("the folder to write to"),
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("systemd-version") && (version < property.Oldest || version > 999) {
				return usageError("--systemd-version takes the number of a version from %d on, got %d", property.Oldest, version)
			}
			return a.export(args[0], args[1:], version, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite files that exist")
	cmd.Flags().IntVar(&version, "systemd-version", 0, "write for this major version `N` of systemd")
	return cmd
}

// outFile is a file to write.
type outFile struct{ name, text string }

func (a *app) export(dir string, patterns []string, version int, force bool) error {
	cfg, programs, version, err := a.written(patterns, version)
	if err != nil {
		return err
	}
	var files []outFile
	var folders []string // of log files, which systemd does not make
	needs := dependenciesOf(cfg.Programs)
	for _, p := range programs {
		x, err := exportUnit(p, *needs[p.Name], cfg.Name, version, a.user)
		if err != nil {
			return fmt.Errorf("cannot export program %s: %w", p.Name, err)
		}
		written := []exported{x}
		if !p.Schedule.IsZero() {
			written = append(written, exportTimer(p, cfg.Name))
		}
		if p.Listens() {
			files = append(files, exportSocket(p, cfg.Name))
		}
		for _, x := range written {
			files = append(files, outFile{x.name, x.file.String()})
			for _, m := range x.missing {
				fmt.Fprintf(a.stderr, "%s: %s\n", x.name, m)
			}
		}
		for _, log := range []string{p.Stdout, p.Stderr} {
			if folder := filepath.Dir(log); isFile(log) && !slices.Contains(folders, folder) {
				folders = append(folders, folder)
			}
		}
	}
	for _, s := range units.Slices(cfg.Project) {
		used := func(p units.Program) bool { return s.Group == "" || p.InGroup == s.Group }
		if !s.Limited() || !slices.ContainsFunc(programs, used) {
			continue
		}
		x, err := exportSlice(s)
		if err != nil {
			return fmt.Errorf("cannot export %s: %w", s.Unit, err)
		}
		files = append(files, outFile{x.name, x.file.String()})
	}
	if text := logrotateText(programs); text != "" {
		files = append(files, outFile{"msup-" + cfg.Name + ".logrotate", text})
	}
	if err := writeAll(dir, files, force); err != nil {
		return err
	}
	for _, f := range folders {
		if _, err := os.Stat(f); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(a.stderr, "systemd does not make the folder of a log file: mkdir -p %s\n", shellquote.Join(f))
		}
	}
	for _, f := range files {
		fmt.Fprintln(a.stdout, filepath.Join(dir, f.name))
	}
	return nil
}

// writeAll writes all files or, where one exists that may not be overwritten, none.
func writeAll(dir string, files []outFile, force bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if _, err := os.Lstat(path); err == nil && !force {
			return &exitError{code: exitFailed, msg: path + " exists, and nothing was written", hint: "--force overwrites it"}
		}
	}
	for _, f := range files {
		if err := writeOne(dir, f, force); err != nil {
			return err
		}
	}
	return nil
}

// writeOne gives a file its name when it is complete.
func writeOne(dir string, f outFile, force bool) (err error) {
	tmp, err := os.CreateTemp(dir, "."+f.name+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(f.text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	path := filepath.Join(dir, f.name)
	if force {
		return os.Rename(tmp.Name(), path)
	}
	return os.Link(tmp.Name(), path) // fails if it exists by now
}
