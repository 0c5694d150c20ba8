package main

import (
	"syscall"

	"msup/units"

	"github.com/spf13/cobra"
)

func reloadProgramCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "reload-program NAME...|all",
		Short: "Have programs read their own configuration again",
		Long: `Run the reload_command of programs that are RUNNING, as systemctl reload does, and wait until
it has ended. It fails when the command does; the program runs on.

This is about a program's own files: msup reload applies a changed configuration of msup.

` + exitStatusHelp,
		Example:           "  msup reload-program web",
		Args:              someArgs("the names of programs, or all"),
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, names, err := a.chosen(args)
			if err != nil {
				return err
			}
			return a.tell(cmd.Context(), t, units.Command{Verb: units.ReloadProgram, Programs: names, By: "requested by msup reload-program"})
		},
	}
}

func hupCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "hup NAME...|all",
		Short: "Send SIGHUP to the main process of programs",
		Long: `Send SIGHUP to the main process of programs that are RUNNING, at which many read their
configuration again. It is msup signal HUP; one that does not handle the signal dies of it.

` + exitStatusHelp,
		Example:           "  msup hup web",
		Args:              someArgs("the names of programs, or all"),
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, names, err := a.chosen(args)
			if err != nil {
				return err
			}
			return a.tell(cmd.Context(), t, units.Command{Verb: units.Signal, Programs: names, Signal: int32(syscall.SIGHUP), By: "requested by msup hup"})
		},
	}
}
