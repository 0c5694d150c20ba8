package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"msup/cgroup"
	"msup/control"
	"msup/units"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
)

func superviseCommand(a *app) *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:   "supervise",
		Short: "Run the supervisor in the foreground",
		Long: `Run the supervisor of a project in the foreground: start its programs, restart them
by their policy, capture their output. "msup up" runs this as a systemd service of its
own; run it yourself in a permanent unit (Type=notify, named msup.service, or
msup@PROJECT.service for a project with a name), a container or a debugger.

In the foreground Ctrl-C (SIGINT) and SIGTERM stop all programs in order. As a service
SIGTERM means that only when systemd is stopping the unit; when it is restarting it, the
programs run on and the next supervisor takes them over. SIGUSR2 opens all log files
again, for a log rotation from outside.

` + exitStatusHelp,
		Example: "  msup supervise -c supervisor.conf",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.supervise(cmd.Context(), run)
			if err != nil {
				// `msup up` reads it from the StatusText of the unit.
				_, _ = daemon.SdNotify(false, "STATUS="+firstLine(err.Error()))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "name of the msup up that starts this supervisor")
	_ = cmd.Flags().MarkHidden("run") // the flag is there
	return cmd
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// supervise is one life of a supervisor.
func (a *app) supervise(ctx context.Context, run string) error {
	// The heap after a burst of hundreds of starts is mostly garbage: keep it small.
	debug.SetGCPercent(50)
	what, err := a.superviseWhat(run)
	if err != nil {
		return err
	}
	dir := a.runtimeDir(what.Name)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bus, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer bus.Close()
	if !what.back {
		if err := a.refuseSharedSlices(ctx, bus, what.Project); err != nil {
			return err
		}
	}
	unlock, err := claim(dir)
	if err != nil {
		return err
	}
	locks := []func(){unlock}
	defer func() {
		for _, unlock := range locks {
			unlock()
		}
	}()

	store := &stateLog{path: filepath.Join(dir, stateName)}
	project, saved, log, err := a.inherit(what, store, filepath.Join(dir, loggedName))
	defer log.close()
	if err != nil {
		return err
	}
	limits := limitWarnings(bus, project)
	if what.strict && len(limits) > 0 {
		return refuseUnenforced(project, limits)
	}
	outputs, err := openOutputs(project, dir, a.user, saved)
	if err != nil {
		return err
	}
	defer outputs.close()
	reopenOnSignal(ctx, outputs, log)
	if err := writeJSON(filepath.Join(dir, projectFile), runningProject{run, project}); err != nil {
		if !what.back {
			return err
		}
		log.note(err.Error() + "; the one of before stays")
	}
	var sup *units.Supervisor
	peaks := newPeaks(func(unit string, pid uint32, u units.Use) { sup.KilledForMemory(unit, pid, u) })
	defer peaks.close()
	blamer := newBlamer()
	defer blamer.close()
	cfg := units.Config{
		Project: project, Bus: bus, Saved: saved,
		Output: outputs.fifos, Prepare: outputs.prepare, Listen: outputs.listen, Unlisten: outputs.unlisten,
		Forker: units.StubForker{}, Probe: askProgram, ProbeDir: filepath.Join(dir, "probes"),
		Holder: holder, Connections: connections,
		Watch: func(unit string, pid uint32) {
			peaks.watch(unit, pid)
			blamer.watch(unit, pid)
		},
		Blame: blamer.of,
		Use:   peaks.use,
		Ended: func(program string, n int) { outputs.ended(program, n, sup.Output) },
		Log:   func(r units.Record) { log.append(r); outputs.mark(r) },
		Save:  store.save,
	}
	cfg.Alive, cfg.AliveEvery = watchdog()
	var defs *definitions
	cfg.Dropped = func(program string) { go defs.dropped(program) }
	sup = units.New(cfg)
	outputs.tell(sup.Heard)
	defs = &definitions{
		app: a, bus: bus, dir: dir, run: run, sup: sup, outputs: outputs, log: log, project: project, limits: limits,
	}
	go outputs.forward(ctx, sup.Note)

	listener, err := control.Listen(filepath.Join(dir, control.SocketName))
	if err != nil {
		return err
	}
	server := &control.Server{
		Supervisor: sup, Project: defs.inForce, Sampler: control.NewSampler(),
		Warnings: func(program string) []string {
			return append(defs.warnings(program), outputs.warnings(program)...)
		},
		SliceWarnings: defs.sliceWarnings,
		Output:        outputs.report, Rotate: outputs.rotate, Definitions: defs,
	}
	server.Version = buildVersion()
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(ctx, listener); err != nil {
			sup.Note("", "cannot answer commands any more: "+err.Error())
		}
	}()

	guard := newGuard(dir, func() {
		made, err := repair(dir, defs.running(), store, listener, &locks)
		if err != nil {
			sup.Note("", "cannot repair the runtime directory: "+err.Error())
		} else if made != "" {
			sup.Note("", "made "+made+" again, which somebody had deleted")
		}
	})
	defer guard.close()

	var stopping atomic.Bool // systemd's stop job of our own unit is under way
	go a.followSignals(ctx, cancel, sup, project, bus, &stopping)
	// Programs are ordered after this unit: until it is ready systemd holds their starts.
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	go relaxMemory(ctx, sup)

	err = sup.Run(ctx)
	cancel()
	<-served
	guard.close()
	if errors.Is(err, units.ErrDown) {
		outputs.remove()
		if err := leave(bus, dir); err != nil {
			log.note(err.Error())
		}
		if !stopping.Load() {
			a.stopOwnUnit(bus, project)
		}
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return nil // asked to go; the programs stay
	}
	return err
}

// watchdog returns what the loop calls while it turns, and how often: a ping for systemd's
// watchdog, twice in the interval it wants (sd_watchdog_enabled(3)).
func watchdog() (ping func(), every time.Duration) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return nil, 0
	}
	return func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) }, interval / 2
}

// followSignals turns signals into commands.
func (a *app) followSignals(ctx context.Context, cancel func(), sup *units.Supervisor, project units.Project, bus bus, stopping *atomic.Bool) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	again := false
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-signals:
			if sig == syscall.SIGTERM && asOwnUnit(project) {
				if !stopsOwnUnit(ctx, bus, project) {
					cancel() // a restart, an upgrade, a kill: the next supervisor takes over
					return
				}
				stopping.Store(true)
			}
			verb := units.Down
			if again {
				verb = units.Kill
			}
			again = true
			_, _ = sup.Do(ctx, units.Command{Verb: verb, By: "project going down"}) // fails only when it is over
		}
	}
}

// asOwnUnit reports whether this process runs as the supervisor's unit.
func asOwnUnit(project units.Project) bool {
	_, err := cgroup.Of(os.Getpid(), units.SupervisorUnit(project.Name))
	return err == nil
}

// stopsOwnUnit reports whether systemd is stopping the supervisor's unit for good.
func stopsOwnUnit(ctx context.Context, bus bus, project units.Project) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		job, err := bus.JobType(ctx, units.SupervisorUnit(project.Name))
		if err == nil {
			return job == "stop"
		}
		// The connection may just have been cut, by a daemon-reexec.
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopOwnUnit makes systemd stop the supervisor's unit, which would be started again
// otherwise (Restart=always).
func (a *app) stopOwnUnit(bus bus, project units.Project) {
	if !asOwnUnit(project) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// The stop job sends SIGTERM; exiting before it is there would be an exit to restart.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if err := lasting(ctx, func() error { return bus.Stop(ctx, units.SupervisorUnit(project.Name)) }); err != nil {
		return
	}
	select {
	case <-stop:
	case <-ctx.Done():
	}
}

// relaxMemory gives memory back to the kernel once a burst is over.
func relaxMemory(ctx context.Context, sup *units.Supervisor) {
	_, records, err := sup.Watch(ctx)
	if err != nil {
		return
	}
	const quiet = 2 * time.Second
	t := time.NewTimer(quiet)
	defer t.Stop()
	for {
		select {
		case _, ok := <-records:
			if !ok { // too much at once, or the end
				if _, records, err = sup.Watch(ctx); err != nil {
					return
				}
			}
			t.Reset(quiet)
		case <-t.C:
			debug.FreeOSMemory()
		}
	}
}
