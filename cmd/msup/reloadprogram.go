package main

import (
	"syscall"

	"msup/units"

	"github.com/spf13/cobra"
)

func reloadProgramCommand(a *app) *cobra.Command {
	return tellCommand(a, units.Command{Verb: units.ReloadProgram, By: "requested by msup reload-program"},
		"reload-program", "Have programs read their own configuration again",
		`Run the reload_command of programs that are RUNNING, as systemctl reload does, and wait until
it has ended. It fails when the command does; the program runs on.

This is about a program's own files: msup reload applies a changed configuration of msup.`)
}

func hupCommand(a *app) *cobra.Command {
	return tellCommand(a, units.Command{Verb: units.Signal, Signal: int32(syscall.SIGHUP), By: "requested by msup hup"},
		"hup", "Send SIGHUP to the main process of programs",
		`Send SIGHUP to the main process of programs that are RUNNING, at which many read their
configuration again. It is msup signal HUP; one that does not handle the signal dies of it.`)
}

// tellCommand has the supervisor do something about programs, and says nothing when it is done.
func tellCommand(a *app, c units.Command, verb, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME...|all", Short: short, Long: long + "\n\n" + exitStatusHelp, Example: "  msup " + verb + " web",
		Args:              someArgs("the names of programs, or all"),
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, names, err := a.chosen(args)
			if err != nil {
				return err
			}
			c.Programs = names
			return a.tell(cmd.Context(), t, c)
		},
	}
}
