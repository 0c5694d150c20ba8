package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"msup/control"
	"msup/logview"
	"msup/policy"
	"msup/units"

	"github.com/spf13/cobra"
)

func upCommand(a *app) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the project and follow its output; -d returns when all is up",
		Long: `Start the programs of the configuration and follow their output. Ctrl-C stops them in
order, a second Ctrl-C at once. The terminal may go away, msup up may be killed: the
programs run on, and msup down stops them.

With -d, return when every program that starts by itself is up (exit status 0) or has
given up (3). If the project runs already, msup up starts what is not up and follows
it; Ctrl-C then only ends the following.

The supervisor that msup up starts is itself a systemd service: msup.service, or
msup@PROJECT.service for a project with a name.

` + exitStatusHelp,
		Example: `  msup up
  msup up -d && msup status
  msup up -c /etc/shop/msup.conf -d --timeout 30s`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.up(cmd.Context(), o) },
	}
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "return when every program is up or has given up")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "with -d: fail when that takes longer (0 = wait for ever)")
	return cmd
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
	t := &target{project: cfg.Project, dir: a.runtimeDir(cfg.Name)}
	t.client = control.NewClient(filepath.Join(t.dir, control.SocketName))
	signals := make(chan os.Signal, 4)
	if !o.detach {
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(signals)
	}
	from := logview.Mark(sources(t.project.Programs, a.user))

	started, err := a.bringUp(ctx, t, cfg.StrictLimits)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	snap, records, err := t.client.Watch(ctx)
	if err != nil {
		return err
	}
	v := newView(snap, records)
	if !started {
		if err := startMissing(ctx, t, v); err != nil {
			return err
		}
	}
	if o.detach {
		return a.settle(ctx, t, v, o.timeout)
	}
	return a.attach(ctx, t, v, from, signals, started)
}

// bringUp starts the supervisor, unless one runs already; started tells which.
func (a *app) bringUp(ctx context.Context, t *target, strict bool) (started bool, err error) {
	if rep, err := t.client.Status(ctx); err == nil {
		return false, a.alreadyUp(t, rep)
	} else if !errors.Is(err, control.ErrNoSupervisor) {
		return false, err
	}
	bus, err := a.dial(ctx)
	if err != nil {
		return false, err
	}
	defer bus.Close()
	limits := limitWarnings(bus, t.project)
	if strict && len(limits) > 0 {
		return false, refuseUnenforced(t.project, limits)
	}
	for _, line := range sharedLines(t.project, limits) {
		fmt.Fprintf(a.stderr, "warning: %s\n", line)
	}
	if err := a.refuseForeign(ctx, bus, t.project); err != nil {
		return false, err
	}
	return a.startSupervisor(ctx, bus, t)
}

// alreadyUp checks that what runs is what was asked for.
func (a *app) alreadyUp(t *target, rep control.Report) error {
	if rep.File != t.project.File {
		return &exitError{
			code: exitFailed, msg: fmt.Sprintf("project %s runs already, from %s", rep.Project, rep.File),
			hint: "give this configuration a name of its own: [msup] project = NAME",
		}
	}
	fmt.Fprintf(a.stderr, "msup: project %s is up already (supervisor %s, PID %s)\n", rep.Project, units.SupervisorUnit(rep.Project), number(rep.Supervisor.PID))
	var runs runningProject
	if err := readJSON(filepath.Join(t.dir, projectFile), &runs); err == nil {
		if !reflect.DeepEqual(runs.Project, t.project) {
			fmt.Fprintln(a.stderr, "warning: the configuration has changed since; what runs keeps the old one until msup down and msup up")
		}
		t.project = runs.Project
	}
	return nil
}

// refuseForeign fails when names of the project's units are taken.
func (a *app) refuseForeign(ctx context.Context, bus bus, project units.Project) error {
	names := make([]string, len(project.Programs))
	for i, p := range project.Programs {
		names[i] = p.Unit
	}
	list, err := bus.List(ctx, names...)
	if err != nil {
		return err
	}
	var msg strings.Builder
	for _, f := range list {
		if why := units.Foreign(f, project.Name); why != "" {
			msg.WriteString("\n  " + why)
		}
	}
	if msg.String() == "" {
		return nil
	}
	return &exitError{
		code: exitFailed, msg: "names of this project's units are taken:" + msg.String(),
		hint: "rename the program, or give the project a name: [msup] project = NAME",
	}
}

// startSupervisor starts the supervisor's service and waits until it is ready.
func (a *app) startSupervisor(ctx context.Context, bus bus, t *target) (started bool, err error) {
	exe, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("cannot find the msup executable: %w", err)
	}
	unit := units.SupervisorUnit(t.project.Name)
	props := units.SupervisorProperties(units.SupervisorCommand{
		Project: t.project, User: a.user, Path: exe,
		Args:        []string{"supervise", a.managerFlag(), "--project", t.project.Name, "--config", t.project.File, "--run", rand.Text()},
		StopTimeout: stopTimeout(t.project),
	}, bus.Version())
	err = bus.StartAndWait(ctx, unit, props)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, units.ErrUnitExists) {
		// Another msup up was faster, or the supervisor is just coming back.
		if rep, err := a.awaitSupervisor(ctx, t); err == nil {
			return false, a.alreadyUp(t, rep)
		}
		return false, a.takenSupervisor(ctx, bus, unit, err)
	}
	why, _ := bus.StatusText(ctx, unit) // the supervisor's own last words
	_ = bus.Stop(ctx, unit)             // it would be restarted for ever
	_ = bus.Reset(ctx, unit)
	if why != "" {
		return false, fmt.Errorf("cannot start the supervisor: %s", why)
	}
	return false, &exitError{
		code: exitFailed, msg: fmt.Sprintf("cannot start the supervisor: %v", err),
		hint: "journalctl" + journalScope(a.user) + " -u " + unit + " -n 20 says why",
	}
}

func journalScope(user bool) string {
	if user {
		return " --user"
	}
	return ""
}

// takenSupervisor explains a supervisor's unit that is loaded but does not answer.
func (a *app) takenSupervisor(ctx context.Context, bus bus, unit string, err error) error {
	f, readErr := bus.Read(ctx, unit)
	if readErr == nil && !f.Transient && f.FragmentPath != "" {
		return &exitError{code: exitFailed, msg: fmt.Sprintf("%s exists and is not msup's: %s", unit, f.FragmentPath), hint: "start it with systemctl start " + unit + ", or remove it"}
	}
	return &exitError{code: exitFailed, msg: fmt.Sprintf("cannot start the supervisor: %v, and it does not answer", err), hint: "systemctl" + journalScope(a.user) + " status " + unit + " shows it"}
}

// awaitSupervisor waits for a supervisor that somebody else is starting.
func (a *app) awaitSupervisor(ctx context.Context, t *target) (control.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		rep, err := t.client.Status(ctx)
		if err == nil {
			return rep, nil
		}
		select {
		case <-ctx.Done():
			return rep, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stopTimeout bounds the stop of the supervisor: it stops the programs first.
func stopTimeout(project units.Project) time.Duration {
	longest := time.Duration(0)
	for _, p := range project.Programs {
		longest = max(longest, p.StopTimeout)
	}
	return longest + 30*time.Second
}

// startMissing starts what should be up and is not.
func startMissing(ctx context.Context, t *target, v *view) error {
	var names []string
	for _, p := range t.project.Programs {
		if st := v.programs[p.Name]; p.Autostart && (st.GaveUp() || st == policy.Stopped) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	snap, err := t.client.Do(ctx, units.Command{Verb: units.Start, Programs: names, By: "started by msup up"})
	if err == nil {
		v.reset(snap)
	}
	return err
}

// settle waits until every program that starts by itself is up or has given up.
func (a *app) settle(ctx context.Context, t *target, v *view, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var names []string
	for _, p := range t.project.Programs {
		if p.Autostart {
			names = append(names, p.Name)
		}
	}
	if err := a.await(ctx, v, "up", names, v.isUp); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("not everything was up after %s: %s", timeout, v.describe(names, v.isUp))
		}
		return err
	}
	return a.verdict(v, names)
}

// verdict sums up what became of the programs; those that gave up make exit status 3.
func (a *app) verdict(v *view, names []string) error {
	var running, ended, gaveUp int
	for _, name := range names {
		switch phase := v.programs[name]; {
		case phase.GaveUp():
			gaveUp++
			fmt.Fprintf(a.stdout, "%s %s: %s\n", name, phase, v.reasons[name])
		case phase == policy.Exited:
			ended++
		case phase == policy.Running:
			running++
		}
	}
	fmt.Fprintf(a.stdout, "%s: %d running", plural(len(names), "program", "programs"), running)
	if ended > 0 {
		fmt.Fprintf(a.stdout, ", %d ended well", ended)
	}
	if gaveUp > 0 {
		fmt.Fprintf(a.stdout, ", %d gave up\n", gaveUp)
		return &exitError{code: exitGaveUp}
	}
	fmt.Fprintln(a.stdout)
	return nil
}

// attach follows the programs' output and transitions. Ctrl-C stops the project if this
// command has started it, and only ends the following if not.
func (a *app) attach(ctx context.Context, t *target, v *view, from *logview.Positions, signals <-chan os.Signal, owner bool) error {
	follow := a.follow(ctx, t, from)
	defer follow.stop()
	for _, p := range t.project.Programs {
		if why := v.reasons[p.Name]; v.seen(p.Name) {
			follow.note(fmt.Sprintf("%s %s: %s", p.Name, v.programs[p.Name], why))
		}
	}
	if owner {
		follow.note("Ctrl-C stops all programs; msup status shows them")
	} else {
		follow.note("Ctrl-C ends this view; the programs run on")
	}
	interrupts, down := 0, false
	var ended error // the verdict, before going down makes all programs STOPPED
	for {
		if owner && !down && v.finished() {
			follow.note("every program has ended")
			down, ended = true, v.gaveUpError()
			if _, err := t.client.Do(ctx, units.Command{Verb: units.Down, By: "project going down"}); err != nil {
				return err
			}
		}
		select {
		case r, ok := <-v.records:
			if !ok {
				follow.stop()
				if !down {
					return a.lost(ctx, t, v)
				}
				if err := a.awaitGone(ctx, t); err != nil {
					return err
				}
				return ended
			}
			v.apply(r)
			if r.Program == "" {
				follow.note(r.Reason)
			} else {
				follow.note(r.String())
			}
		case sig := <-signals:
			if sig != os.Interrupt || !owner {
				follow.note("the programs run on; msup down stops them")
				return nil
			}
			interrupts++
			cmd := units.Command{Verb: units.Down, By: "stopped by Ctrl-C"}
			if interrupts == 1 {
				follow.note("stopping all programs; Ctrl-C again kills them")
			} else {
				cmd.Verb = units.Kill
				follow.note("killing all programs")
			}
			down = true
			if _, err := t.client.Do(ctx, cmd); err != nil && !errors.Is(err, control.ErrNoSupervisor) {
				return err
			}
		}
	}
}

// lost explains a supervisor that has gone without being asked by this command.
func (a *app) lost(ctx context.Context, t *target, v *view) error {
	if _, err := t.client.Status(ctx); err == nil {
		return errors.New("lost the supervisor for a moment; the programs run on: msup up follows them again")
	}
	if _, err := os.Stat(t.dir); errors.Is(err, os.ErrNotExist) {
		return v.gaveUpError() // somebody ran msup down
	}
	if _, err := a.awaitSupervisor(ctx, t); err == nil {
		return errors.New("the supervisor was restarted; the programs run on: msup up follows them again")
	}
	return errors.New("the supervisor has gone; the programs run on: msup status shows them")
}
