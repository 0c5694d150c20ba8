package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"msup/config"
	"msup/control"

	"github.com/spf13/cobra"
)

// Exit statuses of supervisorctl 4.2.5, which are those of LSB init scripts.
const (
	ctlFailed     = 1
	ctlInvalid    = 2
	ctlDead       = 3 // status: something does not run
	ctlUnknown    = 4 // status: no such process, or nobody to ask
	ctlNotRunning = 7
)

// supervisorctl is the name under which msup is msup ctl.
const supervisorctl = "supervisorctl"

func ctlCommand(a *app) *cobra.Command {
	var interactive bool
	var serverURL, configuration string
	cmd := &cobra.Command{
		Use:   "ctl [VERB [NAME...]]",
		Short: "Take the commands of supervisorctl",
		Long: `Take the verbs of supervisorctl, print what it prints and end with the exit status it ends
with, so that scripts and habits go on working. Under the name supervisorctl (a link to msup)
every command line is one of msup ctl.

  status start stop restart signal pid   NAME, GROUP:NAME, GROUP:* or all
  tail [-f] [-BYTES] NAME [stdout|stderr]
  reread update avail add remove         the configuration
  shutdown reload version maintail help  the supervisor
  fg clear open                          are refused, with the reason

Without a verb it reads verbs from standard input, after a prompt. A process of
supervisord's is a program here; SUPERVISOR_GROUP_NAME and SUPERVISOR_PROCESS_NAME in its
environment, as msup import writes them, are the names it goes by. Without -c and a
configuration here, that of supervisord is looked for where supervisorctl does.

Exit status: 0 done; 1 it failed; 2 usage, or no such group (start); 7 a program does not run, or the
supervisor; of status: 0 all run, 3 one does not, 4 no such process, or no supervisor.`,
		Example: "  msup ctl status\n  msup ctl -c /etc/supervisor/supervisord.conf restart web:*\n" +
			"  ln -s msup /usr/local/bin/supervisorctl && supervisorctl tail -f web",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeCtl,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case serverURL != "":
				return &exitError{code: exitUsage, msg: "msup ctl does not talk to a URL", hint: "-c FILE names the configuration, -p NAME the project that is meant"}
			case configuration != "":
				a.configPath = configuration
			}
			a.findSupervisord()
			c := &ctl{app: a, out: a.stdout, in: bufio.NewReader(a.stdin)}
			if len(args) > 0 {
				c.do(cmd.Context(), strings.Join(args, " "))
			}
			if len(args) == 0 || interactive {
				c.shell(cmd.Context())
				return nil
			}
			if c.status != 0 {
				return &exitError{code: c.status}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // tail -f and -100 are the verb's
	f.BoolVarP(&interactive, "interactive", "i", false, "go on reading verbs from standard input")
	f.StringVar(&configuration, "configuration", "", "the same as --config")
	f.StringVarP(&serverURL, "serverurl", "s", "", "refused: msup has no server `URL`")
	_ = f.MarkHidden("configuration") // the flags are there
	_ = f.MarkHidden("serverurl")
	return cmd
}

// supervisordPlaces are where supervisorctl looks for its configuration, as far as they do not
// depend on where it is installed (http://supervisord.org/configuration.html).
var supervisordPlaces = []string{"supervisord.conf", "etc/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"}

// findSupervisord chooses the configuration of supervisord where no other is to be found, and
// no project runs that would be meant.
func (a *app) findSupervisord() {
	if a.configPath != "" || a.projectName != "" {
		return
	}
	if _, err := a.findConfig(); err == nil || a.runs("default") {
		return
	}
	for _, path := range supervisordPlaces {
		if _, err := os.Stat(path); err == nil {
			a.configPath = path
			return
		}
	}
}

// ctl is one session of msup ctl.
type ctl struct {
	app         *app
	out         io.Writer
	in          *bufio.Reader
	interactive bool
	status      int // exit status
}

// ctlVerb is a verb of supervisorctl.
type ctlVerb struct {
	name string
	help []string // usage, a tab, what it does; a line each
	run  func(c *ctl, ctx context.Context, args []string) error
	// notUp is the exit status if there is no supervisor.
	notUp int
}

// ctlVerbs are all verbs. A function, because help names them.
func ctlVerbs() []ctlVerb {
	return []ctlVerb{
		{"add", []string{"add GROUP...\tStart what the configuration has of a group and what runs has not"}, (*ctl).add, ctlFailed},
		{"avail", []string{"avail\tList what the configuration has"}, (*ctl).avail, ctlFailed},
		{"clear", []string{"clear NAME...\tis refused: msup rotate NAME begins a new file"}, (*ctl).clear, ctlNotRunning},
		{"exit", []string{"exit\tLeave"}, nil, 0},
		{"fg", []string{"fg NAME\tis refused: programs have no standard input"}, (*ctl).foreground, ctlNotRunning},
		{"help", []string{"help [VERB]\tList the verbs, or show the usage of one"}, (*ctl).help, 0},
		{"maintail", []string{
			"maintail\tShow the last 1600 bytes of the supervisor's log",
			"maintail -100\tShow its last 100 bytes",
			"maintail -f\tFollow it, until Ctrl-C",
		}, (*ctl).maintail, ctlNotRunning},
		{"open", []string{"open URL\tis refused: msup has no server URL"}, (*ctl).open, ctlFailed},
		{"pid", []string{
			"pid\tShow the PID of the supervisor",
			"pid NAME...\tShow the PIDs of programs; 0 = it does not run",
			"pid all\tShow the PIDs of all programs",
		}, (*ctl).pid, ctlNotRunning},
		{"quit", []string{"quit\tLeave"}, nil, 0},
		{"reload", []string{"reload\tRead the configuration and restart everything"}, (*ctl).reload, ctlFailed},
		{"remove", []string{"remove GROUP...\tForget a stopped group that the configuration no longer has"}, (*ctl).remove, ctlFailed},
		{"reread", []string{"reread\tShow which groups the configuration would change"}, (*ctl).reread, ctlFailed},
		{"restart", []string{"restart NAME...\tStop programs and start them", "restart GROUP:*\tThe same of a group", "restart all\tThe same of all"}, (*ctl).restart, ctlNotRunning},
		{"shutdown", []string{"shutdown\tStop all programs and the supervisor"}, (*ctl).shutdown, ctlFailed},
		{"signal", []string{"signal SIGNAL NAME...\tSend a signal", "signal SIGNAL GROUP:*\tThe same to a group", "signal SIGNAL all\tThe same to all"}, (*ctl).signal, ctlNotRunning},
		{"start", []string{"start NAME...\tStart programs", "start GROUP:*\tStart a group", "start all\tStart all"}, (*ctl).start, ctlNotRunning},
		{"status", []string{"status\tShow the states of all programs", "status NAME...\tThe same of some", "status GROUP:*\tThe same of a group"}, (*ctl).show, ctlUnknown},
		{"stop", []string{"stop NAME...\tStop programs", "stop GROUP:*\tStop a group", "stop all\tStop all"}, (*ctl).stop, ctlNotRunning},
		{"tail", []string{
			"tail NAME [stdout|stderr]\tShow the last 1600 bytes of its output (default: stdout)",
			"tail -100 NAME\tShow the last 100 bytes",
			"tail -f NAME\tFollow it, until Ctrl-C",
		}, (*ctl).tail, ctlNotRunning},
		{"update", []string{"update\tApply the configuration", "update GROUP...\tApply it, if it changes these groups only"}, (*ctl).update, ctlFailed},
		{"version", []string{"version\tShow the version of msup that the supervisor is"}, (*ctl).version, ctlNotRunning},
	}
}

func ctlVerbNamed(name string) *ctlVerb {
	for _, v := range ctlVerbs() {
		if v.name == name {
			return &v
		}
	}
	return nil
}

// say prints a line.
func (c *ctl) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// fail prints a line and remembers the exit status.
func (c *ctl) fail(status int, format string, args ...any) {
	c.say(format, args...)
	c.status = status
}

// misuse is fail, and the usage.
func (c *ctl) misuse(status int, verb, format string, args ...any) {
	c.fail(status, format, args...)
	c.usage(ctlVerbNamed(verb))
}

// do carries out one line.
func (c *ctl) do(ctx context.Context, line string) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	verb := ctlVerbNamed(words[0])
	switch {
	case verb == nil:
		c.fail(ctlFailed, "*** Unknown syntax: %s", strings.Join(words, " "))
		return
	case verb.run == nil: // exit
		c.say("")
		return
	}
	err := verb.run(c, ctx, words[1:])
	var invalid *config.Error
	var up *notUpError
	switch {
	case err == nil:
	case errors.As(err, &up):
		c.fail(verb.notUp, "%s", up)
	case errors.As(err, &invalid):
		c.status = c.app.report("ctl", err)
	case verb.name == "status":
		c.fail(ctlUnknown, "error: %s", ctlError(err))
	default:
		c.fail(ctlFailed, "error: %s", ctlError(err))
	}
}

// ctlError is an error with its hint on one line.
func ctlError(err error) string {
	text := oneLine(err)
	if e, ok := errors.AsType[*exitError](err); ok && e.hint != "" {
		text += " (" + e.hint + ")"
	}
	return text
}

// notUpError says that there is no supervisor, in supervisorctl's words.
type notUpError struct{ socket string }

func (e *notUpError) Error() string { return "unix://" + e.socket + " no such file" }

func (e *notUpError) Is(target error) bool { return target == control.ErrNoSupervisor }

// ctlPrompt is supervisorctl's, for what drives it through a pipe.
const ctlPrompt = "supervisor> "

// shell reads verbs from standard input.
func (c *ctl) shell(ctx context.Context) {
	c.interactive = true
	c.do(ctx, "status")
	for {
		fmt.Fprint(c.out, ctlPrompt)
		line, err := c.in.ReadString('\n')
		word := strings.TrimSpace(line)
		if word == "exit" || word == "quit" || word == "" && err != nil {
			c.say("")
			return
		}
		c.do(ctx, word)
	}
}

// really asks, where somebody is to be asked.
func (c *ctl) really(question string) bool {
	if !c.interactive {
		return true
	}
	fmt.Fprintf(c.out, "%s y/N? ", question)
	line, _ := c.in.ReadString('\n') // no answer is no
	return strings.HasPrefix(strings.ToLower(line), "y")
}

func (c *ctl) help(_ context.Context, args []string) error {
	if len(args) > 0 {
		if v := ctlVerbNamed(args[0]); v != nil {
			c.usage(v)
			return nil
		}
		c.say("*** No help on %s", args[0])
		return nil
	}
	for _, v := range ctlVerbs() {
		c.usage(&v)
	}
	return nil
}

func (c *ctl) usage(v *ctlVerb) {
	for _, line := range v.help {
		usage, what, _ := strings.Cut(line, "\t")
		c.say("%-26s %s", usage, what)
	}
}

// noCtlArgs reports whether there are no arguments, and says so of those there are.
func (c *ctl) noCtlArgs(verb string, args []string) bool {
	if len(args) > 0 {
		c.misuse(ctlFailed, verb, "Error: %s accepts no arguments", verb)
	}
	return len(args) == 0
}

func (c *ctl) open(context.Context, []string) error {
	c.fail(ctlFailed, "ERROR: msup ctl does not talk to a URL: -c FILE names the configuration that is meant, -p NAME the project")
	return nil
}

// completeCtl completes verbs, then names as supervisorctl has them.
func (a *app) completeCtl(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var words []string
	if len(args) == 0 {
		for _, v := range ctlVerbs() {
			words = append(words, v.name)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	if a.choose() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.findSupervisord()
	t, err := a.target()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, p := range processesOf(t.project, nil) {
		words = append(words, p.String())
		if all := p.group + ":*"; p.group != p.name && !slices.Contains(words, all) {
			words = append(words, all)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
