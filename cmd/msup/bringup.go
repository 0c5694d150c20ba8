package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"msup/control"
	"msup/dbus"
	"msup/units"
)

// bringUp starts the supervisor, unless one runs already; started tells which.
func (a *app) bringUp(ctx context.Context, t *target, strict bool) (started bool, err error) {
	if rep, err := t.client.Status(ctx); err == nil {
		return false, a.alreadyUp(ctx, t, rep)
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
	if err := lasting(ctx, func() error { return a.refuseForeign(ctx, bus, t.project) }); err != nil {
		return false, err
	}
	if err := lasting(ctx, func() error { return a.refuseSharedSlices(ctx, bus, t.project) }); err != nil {
		return false, err
	}
	return a.startSupervisor(ctx, bus, t)
}

// alreadyUp checks that what runs is what was asked for.
func (a *app) alreadyUp(ctx context.Context, t *target, rep control.Report) error {
	if !sameFile(rep.File, t.project.File) {
		return a.otherConfig(rep.Project, rep.File)
	}
	fmt.Fprintf(a.stderr, "msup: project %s is up already (supervisor %s, PID %s)\n", rep.Project, units.SupervisorUnit(rep.Project), number(rep.Supervisor.PID))
	var runs runningProject
	if err := readJSON(filepath.Join(t.dir, projectFile), &runs); err == nil {
		t.project = runs.Project
	}
	if plan, err := t.client.Plan(ctx); err == nil && !plan.Empty() {
		fmt.Fprintln(a.stderr, "warning: the configuration has other definitions than what runs: msup diff shows them, msup reload applies them")
	}
	return nil
}

// refuseForeign fails when names of the project's units are taken.
func (a *app) refuseForeign(ctx context.Context, bus bus, project units.Project) error {
	names := make([]string, 0, len(project.Programs))
	for _, p := range project.Programs {
		names = append(names, p.Unit)
		if p.Listens() {
			names = append(names, p.SocketUnit())
		}
		if !p.Schedule.IsZero() {
			names = append(names, p.TimerUnit())
		}
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
	for _, s := range units.Slices(project) {
		f, err := bus.Read(ctx, s.Unit)
		if err != nil {
			return err
		}
		if why := s.Foreign(f); why != "" {
			msg.WriteString("\n  " + why)
		}
	}
	if msg.String() == "" {
		return nil
	}
	return &exitError{
		code: exitFailed, msg: "names of this project's units are taken:" + msg.String(),
		hint: "rename what has the name, or give the project another name: [msup] project = NAME",
	}
}

// startSupervisor starts the supervisor's service and waits until it is ready.
func (a *app) startSupervisor(ctx context.Context, bus bus, t *target) (started bool, err error) {
	exe, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("cannot find the msup executable: %w", err)
	}
	unit, run := units.SupervisorUnit(t.project.Name), rand.Text()
	props := units.SupervisorProperties(units.SupervisorCommand{
		Project: t.project, User: a.user, Path: exe,
		Args:        []string{"supervise", a.managerFlag(), "--project", t.project.Name, "--config", t.project.File, "--run", run},
		StopTimeout: stopTimeout(t.project), Environment: t.environment,
	}, bus.Version())
	// Whether a start was taken whose answer was lost is told by another one.
	err = lasting(ctx, func() error { return bus.StartAndWait(ctx, unit, props) })
	if err == nil {
		return true, nil
	}
	if dbus.Unavailable(err) {
		return false, err
	}
	if errors.Is(err, units.ErrUnitExists) {
		// Another msup up was faster, or the supervisor is just coming back.
		if rep, err := a.awaitSupervisor(ctx, t); err == nil {
			var runs runningProject
			if readJSON(filepath.Join(t.dir, projectFile), &runs) == nil && runs.Run == run {
				return true, nil // it is ours after all
			}
			return false, a.alreadyUp(ctx, t, rep)
		}
		return false, a.takenSupervisor(ctx, bus, unit, err)
	}
	why, _ := bus.StatusText(ctx, unit) // the supervisor's own last words
	_ = bus.Stop(ctx, unit)             // it would be restarted for ever
	_ = bus.Reset(ctx, unit)
	if _, err := os.Stat(filepath.Join(t.dir, stateName)); errors.Is(err, os.ErrNotExist) {
		_ = leave(bus, t.dir) // nothing has run; what is left harms nobody
	}
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
	if readErr == nil && f.LoadState == "not-found" {
		// Not loaded, and yet its name is taken.
		return &exitError{code: exitFailed, msg: fmt.Sprintf("a unit file has the name of the supervisor, %s", unit), hint: "systemctl start " + unit + " starts it"}
	}
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
	return project.StopTime() + 30*time.Second
}
