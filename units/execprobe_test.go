package units_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/probe"
	"msup/property"
	"msup/units"
)

func byCommand(p *units.Program) {
	p.Ready = units.Probe{
		Spec:     probe.Spec{Kind: probe.Exec, Path: "/bin/check", Argv: []string{"check", "it"}},
		Interval: time.Second, Timeout: 3 * time.Second, Threshold: 1,
	}
	p.Rules.Ready, p.Rules.ReadyTimeout = p.Ready.String(), 30*time.Second
}

const probeUnit = "msup-web:ready.service"

func TestExecProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		bad := outcome{run: 100 * time.Millisecond, code: 1, state: 4, res: "exit-code"}
		fake.outcomes[probeUnit] = []outcome{
			bad, bad,
			{run: time.Second, code: 2, state: 9, res: "timeout"},
			{fail: &units.Facts{ExecMainCode: 1, ExecMainStatus: 203, Result: "exit-code"}},
			{run: 100 * time.Millisecond, code: 1, res: "success"},
		}
		r := start(t, fake, nil, program("web", byCommand))
		r.after(500 * time.Millisecond)
		r.wantReason("STARTING: executed, waits for exec check it (1 try, exit status 4)")
		r.after(1200 * time.Millisecond)
		r.wantReason("STARTING: executed, waits for exec check it (2 tries, exit status 4)")
		r.after(2000 * time.Millisecond)
		r.wantReason("STARTING: executed, waits for exec check it (3 tries, no answer within 3s)")
		r.after(700 * time.Millisecond)
		r.wantReason("STARTING: executed, waits for exec check it (4 tries, systemd could not execute it: cannot execute the command (status 203))")
		r.after(2 * time.Second)
		r.wantReason("RUNNING: started")
		if n := len(fake.started); n != 6 {
			t.Errorf("started %v", fake.started)
		}
		r.stop()
	})
}

// Its command does not outlive a program that ends, and one that a supervisor before has left
// behind says nothing.
func TestExecProbeIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		r := start(t, fake, nil, program("web", byCommand)) // the command runs on
		r.after(500 * time.Millisecond)
		r.cancel() // as good as a kill
		<-r.done
		fake.set(func() {
			if fake.units[probeUnit] == nil {
				fake.units[probeUnit] = &fakeUnit{slow: stopTook, facts: units.Facts{
					Unit: probeUnit, LoadState: "loaded", ActiveState: "active", Transient: true, Slice: "msup.slice", InvocationID: strings.Repeat("f", 32),
				}}
			}
			fake.outcomes[probeUnit] = []outcome{{run: 50 * time.Millisecond, code: 1, res: "success"}, {}}
		})
		second := start(t, fake, r.saved, program("web", byCommand))
		second.after(3 * time.Second)
		second.wantReason("RUNNING: started")

		second.do(units.Restart, "web")
		second.after(500 * time.Millisecond)
		if fake.units[probeUnit] == nil {
			t.Fatal("it is not asked")
		}
		second.do(units.Stop, "web")
		second.after(500 * time.Millisecond)
		if fake.units[probeUnit] != nil {
			t.Error("it is still asked")
		}
		second.cancel() // the fake says that there was one already
		<-second.done
	})
}

// A systemd that never tells of the end delays the next probe and decides nothing.
func TestExecProbeUntold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		fake.outcomes[probeUnit] = []outcome{{}, {run: time.Millisecond, code: 1, res: "success"}}
		r := start(t, fake, nil, program("web", byCommand))
		r.after(12 * time.Second)
		r.wantReason("STARTING: executed, waits for exec check it")
		r.after(3 * time.Second)
		r.wantReason("RUNNING: started")
		r.stop()
	})
}

func TestExecProbeProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		limit := uint64(64 << 20)
		r := start(t, fake, nil, program("web", byCommand, func(p *units.Program) {
			p.User, p.Environment, p.Limits.MemoryMax, p.InGroup = "www", []string{"A=1"}, &limit, "front"
			p.Rules.Success = policy.Codes(0, 3)
			p.Hooks.AfterStop = []units.Hook{{Path: "/bin/rm", Argv: []string{"rm"}}}
			p.Systemd = []property.Setting{
				{Name: "ProtectHome", Value: "yes"},
				{Name: "PrivateNetwork", Value: "yes"},
				{Name: "ExecStartPre", Value: "/bin/true"},
				{Name: "RuntimeDirectory", Value: "web"},
				{Name: "Requires", Value: "db.service"},
				{Name: "OOMPolicy", Value: "continue"},
			}
		}))
		r.after(500 * time.Millisecond)
		var got map[string]any
		fake.set(func() { got = fake.units[probeUnit].props })
		for name, want := range map[string]any{
			"User": "www", "MemoryMax": limit, "Slice": "msup-front.slice", "CollectMode": "inactive-or-failed", "Type": "exec", "Restart": "no",
			"RuntimeMaxUSec": uint64(3_000_000), "KillSignal": int32(9), "ProtectHome": "yes", "NetworkNamespacePath": "/proc/1001/ns/net", "WorkingDirectory": "/",
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		for _, name := range []string{"RemainAfterExit", "SuccessExitStatus", "ExecStartPre", "ExecStopPost", "ExecStopPostEx", "RuntimeDirectory", "Requires", "PrivateNetwork"} {
			if _, ok := got[name]; ok {
				t.Errorf("has %s", name)
			}
		}
		if after, _ := got["After"].([]string); !slices.Contains(after, "msup:order.slice") {
			t.Errorf("After=%v: nobody could tell whose it is", after)
		}
		r.stop()
		time.Sleep(time.Second) // the stop of what asks
	})
}

func TestProbeUnitNames(t *testing.T) {
	for unit, is := range map[string]bool{
		units.ProbeUnit("msup-web.service", "ready"): true, units.ProbeUnit("msup-shop-web.scope", "alive"): true,
		"msup-web.service": false, "msup-ready.service": false, "other:ready.service": false,
	} {
		if units.IsProbeUnit(unit) != is {
			t.Errorf("%s: %v", unit, !is)
		}
	}
}
