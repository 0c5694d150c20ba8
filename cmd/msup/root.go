package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"msup/config"
	"msup/control"
	"msup/dbus"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
)

// Exit statuses of every command.
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitGaveUp    = 3
	exitNoProgram = 4
	exitNoSystemd = 5
)

const exitStatusHelp = `Exit status: 0 done; 1 it failed; 2 usage or configuration; 3 a program asked about is
FAILED or KILLED (status, why, up), or will not be what is waited for (wait); 4 no such
program; 5 no systemd, or no right to it.`

// exitError is an error with an exit status of its own. Without a message the command has
// said all there is to say.
type exitError struct {
	code int
	msg  string
	hint string
}

func (e *exitError) Error() string { return e.msg }

func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, msg: fmt.Sprintf(format, args...)}
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string) int {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	root := rootCommand(a)
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	return a.report(cmd.Name(), err)
}

// undone is what commands have not done because of a mistake in the configuration.
var undone = map[string]string{
	"up": "; nothing was started", "supervise": "; nothing was started", "check": "; nothing was started",
	"reload": "; nothing was changed", "set": "; nothing was changed", "export": "; nothing was written", "import": "; nothing was written",
}

// report prints the error of a command and returns its exit status.
func (a *app) report(command string, err error) int {
	code, hint := exitFailed, ""
	var exit *exitError
	var invalid *config.Error
	var noProgram *control.NoSuchProgramError
	var wrong *control.InvalidError
	switch {
	case errors.As(err, &exit):
		code, hint = exit.code, exit.hint
	case errors.As(err, &invalid):
		a.printDiagnostics("warning: ", invalid.Warnings)
		a.printDiagnostics("", invalid.Diagnostics)
		n := len(invalid.Diagnostics)
		fmt.Fprintf(a.stderr, "msup: error: %s in the configuration%s\n", plural(n, "problem", "problems"), undone[command])
		if path := a.meantForSupervisord(); path != "" && command != "import" {
			fmt.Fprintf(a.stderr, "msup: hint: it looks like one of supervisord's: msup import %s -o msup.conf makes it one of msup's\n", shellquote.Join(path))
		}
		return exitUsage
	case errors.As(err, &noProgram):
		code = exitNoProgram
	case errors.As(err, &wrong):
		code = exitUsage
	case errors.Is(err, control.ErrDenied):
		code, hint = exitNoSystemd, "run it as the user who started the project"
	case dbus.Unavailable(err):
		code, hint = exitNoSystemd, dbus.Hint(err)
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintf(a.stderr, "msup: error: %s\n", msg)
	}
	if hint != "" {
		fmt.Fprintf(a.stderr, "msup: hint: %s\n", hint)
	}
	return code
}

func (a *app) printDiagnostics(prefix string, ds []config.Diagnostic) {
	for _, d := range ds {
		fmt.Fprintf(a.stderr, "%s%s\n", prefix, d)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func rootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "msup",
		Short: "Run the programs of an ini file as systemd units",
		Long: `msup runs the programs of an ini file as transient systemd units with limits that the
kernel enforces, restarts them by their policy, and writes their output to files beside
the journal. Killing or upgrading msup stops nothing.

The configuration is the file given with -c, else $MSUP_CONFIG, else the first of
` + strings.Join(configNames, ", ") + ` in the working directory.

` + exitStatusHelp,
		Example: `  msup up                 # start, and follow the output; Ctrl-C stops them
  msup up -d              # start in the background
  msup status             # what runs, since when, and why
  msup why web            # why it died, its last words, what comes next
  msup down               # stop everything
  systemctl status msup-web.service   # a program is a unit like any other`,
		SilenceUsage:  true,
		SilenceErrors: true,
		// Without a command: help, and an exit status that tells a script of the mistake.
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			_ = cmd.Help()
			return &exitError{code: exitUsage}
		},
		Args:              cobra.ArbitraryArgs,
		Version:           buildVersion(),
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.choose() },
	}
	root.SetVersionTemplate("msup {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &exitError{code: exitUsage, msg: err.Error(), hint: cmd.CommandPath() + " --help shows the flags"}
	})
	f := root.PersistentFlags()
	f.StringVarP(&a.configPath, "config", "c", "", "configuration `FILE`")
	f.StringVarP(&a.projectName, "project", "p", "", "talk to the running project `NAME`, whatever its configuration")
	f.BoolVar(&a.wantSystem, "system", false, "use the system manager (default for root)")
	f.BoolVar(&a.wantUser, "user", false, "use the user manager (default for everybody else)")
	root.AddCommand(
		upCommand(a), downCommand(a), statusCommand(a), graphCommand(a),
		startCommand(a), stopCommand(a), restartCommand(a), signalCommand(a), hupCommand(a), reloadProgramCommand(a), waitCommand(a),
		diffCommand(a), reloadCommand(a), setCommand(a), scaleCommand(a),
		importCommand(a), whyCommand(a), logsCommand(a), rotateCommand(a), checkCommand(a), doctorCommand(a), renderCommand(a), exportCommand(a), ctlCommand(a), superviseCommand(a), versionCommand(a),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultVersionFlag()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			describeCompletion(c)
		case "help":
			c.Run, c.RunE = nil, helpFor
		}
	}
	wrapHelp(root)
	root.SetUsageTemplate(wrappedFlags(root.UsageTemplate()))
	return root
}

// unknownCommand is the error of a command that cmd does not have.
func unknownCommand(cmd *cobra.Command, name string) error {
	e := &exitError{code: exitUsage, msg: fmt.Sprintf("unknown command %q", name), hint: "msup --help lists the commands"}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if s := config.Suggest(name, names); s != "" {
		e.hint = fmt.Sprintf("did you mean %q?", s)
	}
	return e
}

// helpFor is what cobra's own help does, but for a command that is not there: that is an error.
func helpFor(cmd *cobra.Command, args []string) error {
	of, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return unknownCommand(of, append(rest, args...)[0])
	}
	of.InitDefaultHelpFlag()
	return of.Help()
}

// describeCompletion gives cobra's own command what all others have.
func describeCompletion(cmd *cobra.Command) {
	cmd.Long = strings.TrimSpace(cmd.Long) + "\n\n" + exitStatusHelp
	cmd.Example = "  msup completion bash > /etc/bash_completion.d/msup"
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError("unknown shell %q: use bash, zsh, fish or powershell", args[0])
		}
		return usageError("msup completion needs the name of a shell: bash, zsh, fish or powershell")
	}
	for _, shell := range cmd.Commands() {
		shell.Long = strings.TrimSpace(shell.Long) + "\n\n" + exitStatusHelp
		shell.Example = "  msup completion " + shell.Name()
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &exitError{code: exitUsage, msg: fmt.Sprintf("%s takes no arguments, got %q", cmd.CommandPath(), args[0]), hint: cmd.CommandPath() + " --help shows the usage"}
	}
	return nil
}

func someArgs(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &exitError{code: exitUsage, msg: fmt.Sprintf("%s needs %s", cmd.CommandPath(), what), hint: cmd.CommandPath() + " --help shows the usage"}
		}
		return nil
	}
}
