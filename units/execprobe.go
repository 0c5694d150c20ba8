package units

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msup/probe"
	"msup/property"
)

// This file runs the commands of probes. systemd does it, in a transient service of its own
// with the program's user, directory, environment, sandbox and limits: so nothing of it is
// the supervisor's, it has a control group that is emptied at its end, and its time is
// bounded by systemd even if there is no supervisor any more.

// ProbeUnit is the name of the unit that runs a probe of a program; of is "ready" or
// "alive". No program's unit has such a name: behind the colon in that of a scope's instance
// is a number.
func ProbeUnit(unit, of string) string {
	base := unit[:max(0, strings.LastIndexByte(unit, '.'))]
	return base + ":" + of + "." + string(Service)
}

// IsProbeUnit reports whether a unit has the name of one that runs a probe.
func IsProbeUnit(unit string) bool {
	base, isService := strings.CutSuffix(unit, "."+string(Service))
	return isService && strings.HasPrefix(unit, "msup-") && (strings.HasSuffix(base, ":ready") || strings.HasSuffix(base, ":alive"))
}

// probesAtOnce is how many commands of probes systemd runs at a time: starting them is work
// for it, and it has other work.
const probesAtOnce = 8

// execTimes are beside a probe's own time: to be started, and to be told of the end.
const execTimes = 10 * time.Second

// probeProperties are those of the unit that runs a command for p.
func probeProperties(p Program, of string, spec probe.Spec, timeout time.Duration, rt Runtime) []Property {
	def := p
	def.Hooks, def.Ready, def.Alive = Hooks{}, Probe{}, Probe{}
	def.Type, def.Path, def.Argv = Service, spec.Path, spec.Argv
	def.Description = fmt.Sprintf("msup probe %s of program %s", of, p.Name)
	def.Stdout, def.Stderr = rt.Stdout, rt.Stdout
	def.StartTimeout, def.MaxRuntime = timeout, timeout
	def.StopSignal, def.StopTimeout = sigkill, time.Second
	def.Rules.Success.Causes, def.Rules.Success.Codes, def.Rules.Success.Signals = nil, nil, nil
	def.Systemd = slices.DeleteFunc(slices.Clone(p.Systemd), func(s property.Setting) bool { return !ofProcesses(s.Name) })
	rt.Stderr = rt.Stdout
	props := slices.DeleteFunc(Properties(def, rt), func(p Property) bool { return p.Name == "RemainAfterExit" })
	props = slices.DeleteFunc(props, func(p Property) bool { return p.Name == "LogLevelMax" })
	props = append(props,
		Property{"CollectMode", "inactive-or-failed"},
		// What systemd says of each start and end is for nobody to read (LOG_ERR).
		Property{"LogLevelMax", int32(3)},
	)
	// Where the program has a network of its own, it is asked there. (JoinsNamespaceOf= would
	// say so too, and keep the program's unit loaded when that has ended.)
	own := func(p Property) bool { return p.Name == "PrivateNetwork" && p.Value == true }
	if slices.ContainsFunc(props, own) && rt.PID != 0 {
		props = append(slices.DeleteFunc(props, own), Property{"NetworkNamespacePath", fmt.Sprintf("/proc/%d/ns/net", rt.PID)})
	}
	return props
}

const sigkill = 9

// ofProcesses reports whether a setting of systemd's is about the processes of a unit and
// what they may do. The others are about the unit, its start and its end. A directory below
// /run goes with the unit, and so is the program's alone.
func ofProcesses(name string) bool {
	e := property.Lookup(name)
	if e == nil || e.Unit || strings.HasPrefix(name, "RuntimeDirectory") || strings.HasPrefix(name, "StandardInput") ||
		strings.HasPrefix(name, "TTY") || strings.HasPrefix(name, "Delegate") {
		return false
	}
	return e.Man == "systemd.exec" || e.Man == "systemd.resource-control"
}

// ask returns what asks once, outside the loop, and then has the end of the command too, if it is one.
func (s *Supervisor) ask(p *program, pr *probing) func(context.Context) (probe.Result, Facts) {
	def, ask := p.probe(pr), s.cfg.Probe
	if def.Kind != probe.Exec {
		unit, pid := p.unit, p.pid
		return func(ctx context.Context) (probe.Result, Facts) { return ask(ctx, def.Spec, unit, pid), Facts{} }
	}
	prog := p.def
	rt := Runtime{Project: s.cfg.Project.Name, Version: s.cfg.Bus.Version(), PID: int(p.pid)}
	x := execProbe{
		bus: s.cfg.Bus, at: s.execs, unit: ProbeUnit(p.unit, pr.of), timeout: def.Timeout, facts: make(chan Facts, 16), ended: pr.ended,
		props: func(fifo string) []Property {
			rt.Stdout = fifo
			return probeProperties(prog, pr.of, def.Spec, def.Timeout, rt)
		},
	}
	if s.cfg.ProbeDir != "" {
		x.fifo = filepath.Join(s.cfg.ProbeDir, p.def.Name+"."+pr.of)
	}
	s.probes[x.unit] = x.facts
	return x.run
}

// execProbe is one run of a command.
type execProbe struct {
	bus     Bus
	at      chan struct{} // bounds how many run at a time
	unit    string
	timeout time.Duration
	facts   chan Facts // what systemd says of the unit
	ended   string     // invocation ID of its last run, of which more may be told
	fifo    string     // "" = its output is lost
	props   func(fifo string) []Property
}

// run returns errUnasked where systemd did not run it to its end.
func (x execProbe) run(ctx context.Context) (r probe.Result, end Facts) {
	select {
	case x.at <- struct{}{}:
	case <-ctx.Done():
		return probe.Result{Err: errUnasked}, end
	}
	defer func() { <-x.at }()
	fifo := ""
	if x.fifo != "" {
		sink, err := probe.NewSink(x.fifo)
		if err == nil {
			fifo = sink.Path()
			defer func() { r.Output = sink.Close() }()
		}
	}
	within, cancel := context.WithTimeout(ctx, x.timeout+execTimes)
	defer cancel()
	switch err := x.bus.Start(within, x.unit, x.props(fifo), false); {
	case errors.Is(err, ErrUnitExists):
		// That of a supervisor before this one, or of a run before this one.
		x.stop()
		return probe.Result{Err: errUnasked}, end
	case errors.Is(err, ErrDisconnected), within.Err() != nil:
		x.stop()
		return probe.Result{Err: errUnasked}, end
	case err != nil:
		return probe.Result{Err: fmt.Errorf("systemd does not start it: %s", probe.LastLine([]byte(err.Error())))}, end
	}
	for {
		select {
		case f := <-x.facts:
			if f.InvocationID != x.ended && over(f) {
				return execResult(f), f
			}
		case <-within.Done():
			x.stop()
			return probe.Result{Err: errUnasked}, end
		}
	}
}

// over reports whether a unit's run is over. Before it begins, its unit is inactive too.
func over(f Facts) bool {
	return f.InvocationID != "" && (f.ActiveState == "inactive" || f.ActiveState == "failed") && (f.ExecMainCode != 0 || f.Result != "success")
}

// stop has systemd end the unit, whatever became of the run.
func (x execProbe) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	_ = x.bus.Stop(ctx, x.unit) // it ends by itself too, when its time is over
}

// execResult is the result that a unit's end stands for.
func execResult(f Facts) probe.Result {
	r := probe.Result{Latency: ran(f)}
	e := exitOf(f, Memory{})
	switch {
	case f.Result == "timeout":
		r.Err = probe.ErrNoAnswer
	case f.ExecMainCode != codeExited || f.ExecMainStatus != 0:
		r.Err = errors.New(e.Reason)
	}
	return r
}
