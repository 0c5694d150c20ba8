package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"msup/config"
	"msup/doctor"

	"github.com/spf13/cobra"
)

func doctorCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what on this machine does not do for the configuration",
		Long: `Look at systemd, control groups, the journal, permissions, limits and the running project,
and list what was found, each with what helps. Nothing is changed, and nothing is started.

ok is as it should be; info is worth knowing; warning may do harm, or could not be found
out; problem is something configured that cannot hold here: the exit status is 1 then. With
mistakes in the configuration it is 2, without a systemd 5; the rest is looked at all the
same.

` + exitStatusHelp,
		Example: `  msup doctor
  msup doctor --json | jq '.findings[] | select(.severity != "ok")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// doctorReport is what msup doctor --json prints.
type doctorReport struct {
	Project  string           `json:"project"`
	File     string           `json:"file"`
	Findings []doctor.Finding `json:"findings"`
	// Errors are mistakes in the configuration.
	Errors   []config.Diagnostic `json:"errors"`
	Warnings []config.Diagnostic `json:"warnings"`
}

func (a *app) doctor(ctx context.Context, asJSON bool) error {
	p := &probe{app: a}
	rep := doctorReport{Errors: []config.Diagnostic{}, Warnings: []config.Diagnostic{}}
	err := p.configuration()
	var invalid *config.Error
	switch {
	case errors.As(err, &invalid):
		rep.Errors, rep.Warnings = invalid.Diagnostics, append(rep.Warnings, invalid.Warnings...)
	case err != nil:
		return err
	}
	rep.Warnings = append(rep.Warnings, p.warnings...)
	f := p.facts(ctx)
	rep.Findings = doctor.Examine(f)
	if f.Config != nil {
		rep.Project, rep.File = f.Config.Project.Name, f.Config.Project.File
	}
	if asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(rep); err != nil {
			return err
		}
	} else {
		a.printDiagnostics("warning: ", rep.Warnings)
		a.printDiagnostics("", rep.Errors)
		a.printFindings(rep.Findings)
	}
	switch {
	case invalid != nil:
		return &exitError{code: exitUsage}
	case f.Systemd.Err != nil:
		return &exitError{code: exitNoSystemd}
	case doctor.Worst(rep.Findings) == doctor.Problem:
		return &exitError{code: exitFailed}
	}
	return nil
}

func (a *app) printFindings(findings []doctor.Finding) {
	paint := func(_ colour, s string) string { return s }
	if coloured(a.stdout) {
		paint = colour.paint
	}
	count := map[doctor.Severity]int{}
	for _, f := range findings {
		count[f.Severity]++
		c := map[doctor.Severity]colour{doctor.OK: green, doctor.Info: cyan, doctor.Warning: yellow, doctor.Problem: red}[f.Severity]
		fmt.Fprintf(a.stdout, "%s %s: %s\n", paint(c, fmt.Sprintf("%-8s", f.Severity)), paint(bold, f.Subject), f.Text)
		if f.Fix != "" {
			fmt.Fprintf(a.stdout, "%s fix: %s\n", strings.Repeat(" ", 8), f.Fix)
		}
	}
	fmt.Fprintf(a.stdout, "%s, %s\n", plural(count[doctor.Problem], "problem", "problems"), plural(count[doctor.Warning], "warning", "warnings"))
}
