package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"msup/config"
	"msup/control"
	"msup/logview"
	"msup/policy"
	"msup/units"

	"github.com/spf13/cobra"
)

func upCommand(a *app) *cobra.Command {
	var o upOptions
	var timeout string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the project, follow its output; -d returns when all is up",
		Long: `Start the programs of the configuration and follow their output. Ctrl-C stops them in
order, a second Ctrl-C at once. The terminal may go away, msup up may be killed: the
programs run on, and msup down stops them.

With -d, return when every program that starts by itself, and what these depend on, is up
(exit status 0) or has given up (3), which includes one that is tried again after its
restart_cooldown. Up means RUNNING: executed, ready, and alive for start_seconds. A
oneshot is up when it has ended, a program with a schedule when its times are waited for, one
with on_demand when systemd listens. One whose
restarts have no limit is waited for until it has failed ten times (1). If the project runs
already, msup up starts what is not up and follows it; Ctrl-C then only ends the following.

The supervisor that msup up starts is itself a systemd service: msup.service, or
msup@PROJECT.service for a project with a name.

` + exitStatusHelp,
		Example: `  msup up
  msup up -d && msup status
  msup up -c /etc/shop/msup.conf -d --timeout 30s`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.projectName != "" {
				return usageError("msup up takes the project's name from its configuration: leave out -p")
			}
			if timeout != "" {
				if !o.detach {
					return usageError("--timeout goes with -d")
				}
				var err error
				if o.timeout, err = config.ParseDuration(timeout); err != nil {
					return usageError("bad --timeout: %v; use seconds or a number with ms, s, m, h or d", err)
				}
			}
			return a.up(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "return when every program is up or has given up")
	cmd.Flags().StringVar(&timeout, "timeout", "", "with -d: fail when it takes longer than this `TIME`, as 30 or 2m (default: wait for ever)")
	return cmd
}

// warnOfLogout tells an ordinary user that the user manager ends with the last login,
// unless lingering is on (loginctl(1), enable-linger).
func (a *app) warnOfLogout() {
	if !a.user || os.Getuid() == 0 {
		return
	}
	me, err := user.Current()
	if err != nil {
		return
	}
	if _, err := os.Stat(filepath.Join("/var/lib/systemd/linger", me.Username)); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(a.stderr, "warning: these programs end with your last login; sudo loginctl enable-linger %s keeps them\n", me.Username)
	}
}

type upOptions struct {
	detach  bool
	timeout time.Duration
}

func (a *app) up(ctx context.Context, o upOptions) error {
	cfg, err := a.loadConfig()
	if err != nil {
		return err
	}
	a.printDiagnostics("warning: ", cfg.Warnings)
	t := &target{project: cfg.Project, dir: a.runtimeDir(cfg.Name), environment: environ(cfg.Environment)}
	t.client = control.NewClient(filepath.Join(t.dir, control.SocketName))
	signals := make(chan os.Signal, 4)
	if !o.detach {
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(signals)
	}
	a.warnOfLogout()
	from := logview.Mark(sources(t.project.Programs, a.user))

	started, err := a.bringUp(ctx, t, cfg.StrictLimits)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.running = true
	v, _, err := a.watch(ctx, t)
	if err != nil {
		return err
	}
	if v.down {
		return &exitError{code: exitFailed, msg: fmt.Sprintf("project %s is going down", t.project.Name), hint: "try again when msup down is done"}
	}
	if !started {
		if v, err = a.startMissing(ctx, t, v); err != nil {
			return err
		}
	}
	if o.detach {
		return a.settle(ctx, t, v, o.timeout)
	}
	return a.attach(ctx, t, v, from, signals, started)
}

// ofSystemd are variables that systemd sets for each unit, systemd.exec(5): ours are not those of
// the supervisor.
var ofSystemd = []string{"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "MAINPID"}

// environ are the variables of these names that are set and can be handed on: systemd takes
// no line breaks, and a program could not have them either.
func environ(names []string) []string {
	var list []string
	for _, name := range names {
		value, ok := os.LookupEnv(name)
		if ok && !slices.Contains(ofSystemd, name) && utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl) {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// startMissing starts what should be up and is not.
func (a *app) startMissing(ctx context.Context, t *target, v *view) (*view, error) {
	for verb, names := range t.missing(v) {
		next, _, err := a.request(ctx, t, units.Command{Verb: verb, Programs: names, By: "started by msup up"})
		if err != nil {
			return nil, err
		}
		v = next
	}
	return v, nil
}

// missing are the programs that should be up and are not, by what is to be done about them. One
// that nothing starts any more, because somebody has stopped its timer, may run, or have run.
func (t *target) missing(v *view) map[units.Verb][]string {
	missing := map[units.Verb][]string{}
	for _, p := range t.project.Programs {
		phase := v.programs[p.Name]
		down := phase.GaveUp() || phase == policy.Stopped || v.stuck[p.Name]
		switch {
		case !p.Autostart || v.armed[p.Name]:
		case p.Rules.Awaits != "" && phase != policy.Stopping:
			missing[units.Arm] = append(missing[units.Arm], p.Name)
		case p.Rules.Awaits == "" && down:
			missing[units.Start] = append(missing[units.Start], p.Name)
		}
	}
	return missing
}

// autostarts are the programs that start by themselves.
func (t *target) autostarts() []string {
	var names []string
	for _, p := range t.project.Programs {
		if p.Autostart {
			names = append(names, p.Name)
		}
	}
	return names
}

// settle waits until every program that starts by itself, and what these depend on, is up or
// has given up.
func (a *app) settle(ctx context.Context, t *target, v *view, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	names := units.WithNeeds(t.project.Programs, t.autostarts())
	if err := a.awaitThrough(ctx, t, v, "up", names, v.isUp); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			v.retell()
			return fmt.Errorf("not everything was up after %s: %s", timeout, v.describe(names, v.isUp))
		}
		return err
	}
	return a.verdict(v, names)
}

// verdict sums up what became of the programs; those that gave up make exit status 3.
func (a *app) verdict(v *view, names []string) error {
	var running, waiting, ended, gaveUp, stopped, stuck, restarting int
	for _, name := range names {
		switch phase := v.programs[name]; {
		case phase.GaveUp():
			gaveUp++
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		case phase == policy.Exited:
			ended++
		case phase == policy.Running:
			running++
		case phase == policy.Stopped && v.armed[name]:
			waiting++
		case phase == policy.Stopped:
			stopped++
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		case v.stuck[name] || v.inVain(name):
			stuck++
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		default:
			restarting++
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		}
	}
	fmt.Fprintf(a.stdout, "%s: %d running", plural(len(names), "program", "programs"), running)
	if waiting > 0 {
		fmt.Fprintf(a.stdout, ", %d waiting", waiting)
	}
	if ended > 0 {
		fmt.Fprintf(a.stdout, ", %d ended well", ended)
	}
	if stopped > 0 {
		fmt.Fprintf(a.stdout, ", %d stopped meanwhile", stopped)
	}
	if stuck > 0 {
		fmt.Fprintf(a.stdout, ", %d waiting for what is down", stuck)
	}
	if restarting > 0 {
		fmt.Fprintf(a.stdout, ", %d restarted again and again", restarting)
	}
	if gaveUp > 0 {
		fmt.Fprintf(a.stdout, ", %d gave up", gaveUp)
	}
	fmt.Fprintln(a.stdout)
	switch {
	case gaveUp > 0:
		return &exitError{code: exitGaveUp}
	case stopped > 0 || stuck > 0 || restarting > 0:
		return &exitError{code: exitFailed}
	}
	return nil
}
