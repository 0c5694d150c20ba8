package main

import (
	"context"
	"fmt"

	"msup/capture"
	"msup/control"

	"github.com/spf13/cobra"
)

func rotateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate [NAME...]",
		Short: "Rotate log files",
		Long: `Rotate the files that the output of all programs, or of those named (globs and GROUP:* work), goes
to: FILE becomes FILE.1, FILE.1 becomes FILE.2 and so on, as log_max_size does when a
file has that size. A file of several programs is rotated once. Each file is printed that
was rotated; if one could not be, the exit status is 1.

` + exitStatusHelp,
		Example:           "  msup rotate\n  msup rotate 'web*'",
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rotate(cmd.Context(), args)
		},
	}
}

func (a *app) rotate(ctx context.Context, patterns []string) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	names, err := match(t.members(), patterns, true)
	if err != nil {
		return err
	}
	var files []control.Rotated
	if err := a.outlive(ctx, t, func() (err error) {
		files, err = t.client.Rotate(ctx, names)
		return err
	}); err != nil {
		return err
	}
	if len(files) == 0 {
		fmt.Fprintf(a.stderr, "msup: %s: the output goes to no file\n", listed(names))
	}
	failed := false
	for _, f := range files {
		if f.Error != "" {
			failed = true
			fmt.Fprintf(a.stderr, "msup: error: %s\n", f.Error)
			continue
		}
		fmt.Fprintln(a.stdout, f.File)
	}
	if failed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// rotate rotates the files of programs, each file once.
func (o *outputs) rotate(ctx context.Context, programs []string) []control.Rotated {
	writers := o.writers()
	files := []control.Rotated{}
	seen := map[string]bool{}
	for _, name := range programs {
		o.of(name).each(func(s *capture.Stream) {
			if file := s.Config().File; isFile(file) && !seen[file] {
				seen[file] = true
				files = append(files, control.Rotated{File: file})
			}
		})
	}
	together(files, func(i int, f control.Rotated) {
		streams := writers[f.File]
		// What others have written until now belongs into the rotated file too.
		together(streams[1:], func(_ int, s *capture.Stream) { _ = s.Drain(ctx) })
		if err := streams[0].Rotate(ctx); err != nil {
			files[i].Error = err.Error()
		}
	})
	return files
}

// writers returns the streams that go to each file.
func (o *outputs) writers() map[string][]*capture.Stream {
	writers := map[string][]*capture.Stream{}
	for _, s := range o.all() {
		writers[s.Config().File] = append(writers[s.Config().File], s)
	}
	return writers
}
