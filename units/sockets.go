package units

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// The sockets of a program are a companion of it. systemd finds the service by the name of
// the socket unit, and keeps its definition loaded as long as that is: StartTransientUnit
// refuses the service then. So both are made in one call, and what starts the program runs
// the definition that is loaded, until another one is wanted: then both are made anew, and
// for that moment nobody listens.

// sockets is the pair of a program.
type sockets struct {
	def     Program
	project string
	joints  Joints
	// prepare and output are those of Config, for the service.
	prepare func(def Program, attempt int) error
	attempt int
	output  func(program string) (stdout, stderr string)
	holder  func(Address) string
	// What came of it: they are there, and by this definition. While the program runs by an
	// earlier one, they cannot be.
	there, made bool
}

func (l *sockets) Name() string           { return l.def.SocketUnit() }
func (l *sockets) Holds(def Program) bool { return def.Name == l.def.Name }
func (l *sockets) unit() string           { return l.def.Unit }
func (l *sockets) foreign(f Facts) string { return Foreign(f, l.project) }
func (l *sockets) addresses() string      { return l.def.Listen.String() }
func (l *sockets) wait(f Facts) time.Duration {
	if f.ActiveState == "deactivating" || f.SubState == "exited" {
		return l.def.StopTime() + companionTimeout
	}
	return companionTimeout
}

// Ensure implements [Companion]. While the program runs, nothing can be made anew.
func (l *sockets) Ensure(ctx context.Context, bus Bus) error {
	rt := Runtime{Project: l.project, Version: bus.Version(), Joints: l.joints}
	if l.prepare != nil {
		if err := l.prepare(l.def, l.attempt); err != nil {
			return err
		}
	}
	if l.output != nil {
		rt.Stdout, rt.Stderr = l.output(l.def.Name)
	}
	service, socket := Properties(l.def, rt), SocketProperties(l.def, l.project)
	mark := definitionMark + "=" + pairDigest(socket, service)
	socket = append(socket, Property{"Environment", []string{mark}})

	of, err := bus.Read(ctx, l.unit())
	if err != nil {
		return err
	}
	at, err := bus.Read(ctx, l.Name())
	if err != nil {
		return err
	}
	for _, f := range []Facts{of, at} {
		if why := l.foreign(f); f.LoadState != "not-found" && why != "" {
			return fmt.Errorf("%w: %s", ErrForeignUnit, why)
		}
	}
	if l.there = at.ActiveState == "active"; l.there {
		if l.made, err = l.intact(ctx, bus, mark, service); err != nil || l.made {
			return err
		}
	}
	if of.ActiveState != "inactive" && of.ActiveState != "failed" && of.SubState != "exited" {
		return nil
	}
	for _, f := range []Facts{at, of} {
		if err := l.unload(ctx, bus, f); err != nil {
			return err
		}
	}
	if err := l.start(ctx, bus, socket, Aux{l.unit(), service}); err != nil {
		return err
	}
	l.there, l.made = true, true
	return nil
}

// ErrForeignUnit is a unit of that name that is not the project's.
var ErrForeignUnit = errors.New("not msup's")

// intact reports whether the pair that is loaded is the wanted one. Before systemd 254 a
// daemon-reload damages "$", ";" and "'" in commands of transient units.
func (l *sockets) intact(ctx context.Context, bus Bus, mark string, service []Property) (bool, error) {
	has, err := bus.Properties(ctx, l.Name(), "Environment")
	if err != nil {
		return false, err
	}
	if environment, _ := has["Environment"].([]string); !slices.Contains(environment, mark) {
		return false, nil
	}
	commands := map[string][]ExecCommand{}
	var names []string
	for _, p := range service {
		if list, ok := p.Value.([]ExecCommand); ok {
			if commands[p.Name] == nil {
				names = append(names, p.Name)
			}
			commands[p.Name] = append(commands[p.Name], list...)
		}
	}
	if len(names) == 0 {
		return true, nil
	}
	has, err = bus.Properties(ctx, l.unit(), names...)
	if errors.Is(err, ErrNoSuchUnit) {
		return false, nil
	}
	for _, name := range names {
		if err == nil && !sameCommands(commands[name], has[name]) {
			return false, nil
		}
	}
	return true, err
}

// sameCommands reports whether a property that lists commands, of type a(sasbttttuii), has
// these.
func sameCommands(want []ExecCommand, has any) bool {
	rows, _ := has.([][]any)
	return slices.EqualFunc(want, rows, func(c ExecCommand, row []any) bool {
		if len(row) < 2 {
			return false
		}
		path, _ := row[0].(string)
		argv, _ := row[1].([]string)
		return path == c.Path && slices.Equal(argv, c.Argv)
	})
}

// unload has systemd forget one of the pair. It waits for what the program has left behind.
func (l *sockets) unload(ctx context.Context, bus Bus, f Facts) error {
	if f.LoadState == "not-found" {
		return nil
	}
	if err := stopWithin(ctx, bus, f.Unit, l.wait(f)); err != nil {
		return err
	}
	err := bus.Reset(ctx, f.Unit)
	if errors.Is(err, ErrNoSuchUnit) {
		return nil
	}
	return err
}

// start makes the pair, and waits until systemd listens, or cannot.
func (l *sockets) start(ctx context.Context, bus Bus, props []Property, service Aux) error {
	err := bus.Start(ctx, l.Name(), props, false, service)
	for deadline := time.Now().Add(companionTimeout); errors.Is(err, ErrUnitExists) && time.Now().Before(deadline); {
		waitFor(ctx, companionPause) // until the earlier pair is unloaded
		err = bus.Start(ctx, l.Name(), props, false, service)
	}
	if errors.Is(err, ErrUnitExists) {
		return fmt.Errorf("%w: %s or %s has a unit file, or another unit refers to it", err, l.Name(), l.unit())
	}
	for err == nil {
		var f Facts
		if f, err = bus.Read(ctx, l.Name()); err != nil {
			break
		}
		switch {
		case f.ActiveState == "active":
			return nil
		case f.JobID == 0 && (f.ActiveState == "failed" || f.LoadState == "not-found"):
			if resetErr := bus.Reset(ctx, l.Name()); resetErr != nil && !errors.Is(resetErr, ErrNoSuchUnit) {
				return resetErr
			}
			return l.why()
		}
		waitFor(ctx, companionPause)
		err = ctx.Err()
	}
	return err
}

// why says why systemd could not listen: mostly somebody else does.
func (l *sockets) why() error {
	if l.holder != nil {
		for _, a := range l.def.Listen.Addresses {
			if who := l.holder(a); who != "" {
				return fmt.Errorf("%w: %s is taken by %s", ErrListen, a, who)
			}
		}
	}
	return fmt.Errorf("%w on %s: journalctl -u %s says why", ErrListen, l.addresses(), l.Name())
}

// ErrListen says that systemd could not open the sockets of a program.
var ErrListen = errors.New("cannot listen")

// startPinned starts the service of a pair that is there.
func startPinned(ctx context.Context, bus Bus, def Program) error {
	// systemd takes a command that is not there and whose failure means nothing for one that
	// has ended well (execute.c, exec_child).
	if _, err := os.Stat(def.Path); errors.Is(err, fs.ErrNotExist) && !sets(def.Systemd, "RootDirectory") && !sets(def.Systemd, "RootImage") {
		return fmt.Errorf("%w: %s", ErrNotExecutable, strings.TrimPrefix(err.Error(), "stat "))
	}
	f, err := bus.Read(ctx, def.Unit)
	if err != nil {
		return err
	}
	exited := f.SubState == "exited"
	switch {
	case f.LoadState == "not-found":
		return fmt.Errorf("%w: %s was stopped meanwhile", ErrNoSuchUnit, def.SocketUnit())
	case !exited && f.ActiveState != "inactive" && f.ActiveState != "failed" && f.ActiveState != "deactivating":
		return nil // systemd was faster: somebody is waiting there
	}
	differ, err := differing(ctx, bus, def.Unit, LiveProperties(def, bus.DefaultTasksMax()))
	if err == nil && len(differ) > 0 {
		err = bus.SetProperties(ctx, def.Unit, differ)
	}
	switch {
	case err != nil:
		return err
	case exited:
		return bus.RestartUnit(ctx, def.Unit) // first it ends what the program has left behind
	}
	return bus.StartUnit(ctx, def.Unit)
}

// ErrNotExecutable says that the executable of a program is not there.
var ErrNotExecutable = errors.New("cannot execute it")

const companionPause = 5 * time.Millisecond
