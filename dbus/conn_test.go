package dbus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"msup/dbus"
	"msup/dbus/dbustest"
	"msup/units"
)

// both runs a test against systemd on a private socket and on a bus.
func both(t *testing.T, test func(*testing.T, *dbustest.Server, *dbus.Conn)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB) *dbustest.Server{"private": dbustest.NewPrivate, "bus": dbustest.NewBus} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t)
			c := dial(t, srv)
			test(t, srv, c)
		})
	}
}

func dial(t *testing.T, srv *dbustest.Server) *dbus.Conn {
	t.Helper()
	opt := dbus.WithBusAddress(srv.Address)
	if srv.Private {
		opt = dbus.WithPrivateSocket(srv.Address)
	}
	c, err := dbus.Dial(timeout(t), dbus.System, opt)
	if err != nil {
		t.Fatalf("cannot dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	if ev := next(t, c); ev != (units.Connected{}) {
		t.Fatalf("first event %#v, want Connected", ev)
	}
	return c
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func next(t *testing.T, c *dbus.Conn) units.BusEvent {
	t.Helper()
	select {
	case ev, ok := <-c.Events():
		if !ok {
			t.Fatal("Events is closed")
		}
		return ev
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
	}
	return nil
}

// until collects events in words up to the one that is last.
func until(t *testing.T, c *dbus.Conn, last string) []string {
	t.Helper()
	var all []string
	for {
		s := words(next(t, c))
		all = append(all, s)
		if s == last {
			return all
		}
		if len(all) > 100 {
			t.Fatalf("no %q in %q", last, all)
		}
	}
}

func words(ev units.BusEvent) string {
	switch ev := ev.(type) {
	case units.UnitChanged:
		f := ev.Facts
		s := f.Unit + " " + f.ActiveState + "/" + f.SubState + " " + f.Result
		if f.JobID != 0 {
			s += " job"
		}
		if f.MainPID != 0 {
			s += " pid"
		}
		if f.ExecMainCode != 0 {
			s += fmt.Sprintf(" %d/%d", f.ExecMainCode, f.ExecMainStatus)
		}
		return s
	case units.JobRemoved:
		return ev.Unit + " job " + ev.Result
	case units.UnitRemoved:
		return ev.Unit + " removed"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "units.")
}

const web = "msup-web@1.service"

func props() []units.Property {
	return []units.Property{
		{Name: "Description", Value: "web"},
		{Name: "Slice", Value: "msup.slice"},
		{Name: "Environment", Value: []string{"A=1"}},
		{Name: "ExecStart", Value: []units.ExecCommand{{Path: "/bin/sleep", Argv: []string{"sleep", "1"}}}},
	}
}

func start(t *testing.T, c *dbus.Conn, unit string, reset bool) {
	t.Helper()
	if err := c.Start(timeout(t), unit, props(), reset); err != nil {
		t.Fatalf("cannot start %s: %v", unit, err)
	}
}

func TestLifeOfAUnit(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		ctx := timeout(t)
		if c.DefaultTasksMax() != 4915 {
			t.Errorf("DefaultTasksMax %d", c.DefaultTasksMax())
		}
		if c.Version() != 252 || c.ControlGroup() != "/init.scope" {
			t.Errorf("version %d, control group %q", c.Version(), c.ControlGroup())
		}
		if want := map[bool]int{true: 512, false: 32}[srv.Private]; c.MaxJobs() != want {
			t.Errorf("MaxJobs %d, want %d", c.MaxJobs(), want)
		}
		start(t, c, web, false)
		want := []string{
			web + " inactive/dead success job",
			web + " active/running success job pid",
			web + " job done",
			web + " active/running success pid",
		}
		if diff := cmp.Diff(want, until(t, c, want[3])); diff != "" {
			t.Errorf("events of a start (-want +got):\n%s", diff)
		}

		f, err := c.Read(ctx, web)
		wantFacts := units.Facts{
			Unit: web, LoadState: "loaded", ActiveState: "active", SubState: "running", Result: "success",
			InvocationID: f.InvocationID, MainPID: 1001, StatusText: "as well as can be expected", ActiveEnter: time.UnixMicro(1_700_000_000_000_000),
			ControlGroup: "/msup.slice/" + web, Slice: "msup.slice", Transient: true,
			Commands: []units.CommandStatus{},
		}
		if diff := cmp.Diff(wantFacts, f); diff != "" || err != nil {
			t.Errorf("Read: %v (-want +got):\n%s", err, diff)
		}
		if len(f.InvocationID) != 32 {
			t.Errorf("InvocationID %q", f.InvocationID)
		}

		list, err := c.List(ctx, "msup-*.service")
		if err != nil || len(list) != 1 || list[0].MainPID != 1001 || list[0].Slice != "msup.slice" {
			t.Errorf("List: %v %+v", err, list)
		}
		if list, err := c.List(ctx); list != nil || err != nil {
			t.Errorf("List of nothing: %v %v", list, err)
		}

		if err := c.Start(ctx, web, props(), false); !errors.Is(err, units.ErrUnitExists) {
			t.Errorf("second start: %v", err)
		}
		if err := c.Kill(ctx, web, "all", 1); err != nil {
			t.Errorf("Kill: %v", err)
		}
		if err := c.Stop(ctx, web); err != nil {
			t.Errorf("Stop: %v", err)
		}
		want = []string{
			web + " deactivating/stop-sigterm success job pid",
			web + " inactive/dead success job 2/15",
			web + " job done",
			web + " removed",
		}
		if diff := cmp.Diff(want, until(t, c, want[3])); diff != "" {
			t.Errorf("events of a stop (-want +got):\n%s", diff)
		}
	})
}

func TestFailedUnitIsResetAheadOfItsStart(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		start(t, c, web, false)
		until(t, c, web+" active/running success pid")
		srv.Exit(web, 1, 3, "exit-code")
		until(t, c, web+" failed/failed exit-code 1/3")
		if err := c.Start(timeout(t), web, props(), false); !errors.Is(err, units.ErrUnitExists) {
			t.Errorf("start of a failed unit without reset: %v", err)
		}
		start(t, c, web, true)
		until(t, c, web+" removed")
		until(t, c, web+" job done")
		srv.Exit(web, 1, 0, "success")
		until(t, c, web+" removed")
		if err := c.Reset(timeout(t), web); !errors.Is(err, units.ErrNoSuchUnit) {
			t.Errorf("reset of a unit that is gone: %v", err)
		}
	})
}

func TestReadOfAUnitThatIsNotLoaded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		f, err := c.Read(timeout(t), web)
		if want := (units.Facts{Unit: web, LoadState: "not-found", ActiveState: "inactive", SubState: "dead"}); err != nil || !cmp.Equal(f, want) {
			t.Errorf("Read: %v %+v", err, f)
		}
		for _, call := range srv.Log() {
			if strings.HasPrefix(call, "GetAll") {
				t.Errorf("it made systemd load a stub: %q", srv.Log())
			}
		}
	})
}

func TestStartAndWait(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		ctx := timeout(t)
		if err := c.StartAndWait(ctx, "msup.service", props()); err != nil {
			t.Errorf("StartAndWait: %v", err)
		}
		srv.Exit("msup.service", 1, 1, "exit-code")
		srv.HoldJobs()
		done := make(chan error, 1)
		go func() { done <- c.StartAndWait(ctx, "msup.service", props()) }()
		until(t, c, "msup.service removed") // it was reset
		until(t, c, "msup.service inactive/dead success job")
		if job, err := c.JobType(ctx, "msup.service"); job != "start" || err != nil {
			t.Errorf("JobType: %q %v", job, err)
		}
		srv.FinishJob("msup.service", "failed")
		var job *dbus.JobError
		if err := <-done; !errors.As(err, &job) || job.Result != "failed" {
			t.Errorf("StartAndWait of a failing service: %v", err)
		}
		if job, err := c.JobType(ctx, "msup.service"); job != "" || err != nil {
			t.Errorf("JobType: %q %v", job, err)
		}
		if text, err := c.StatusText(ctx, "msup.service"); text == "" || err != nil {
			t.Errorf("StatusText: %q %v", text, err)
		}
		if state, err := c.SystemState(ctx); state != "running" || err != nil {
			t.Errorf("SystemState: %q %v", state, err)
		}

		srv.AddUnit("msup@shop.service", "failed")
		if err := c.StartAndWait(ctx, "msup@shop.service", props()); !errors.Is(err, units.ErrUnitExists) {
			t.Errorf("StartAndWait of somebody's failed unit: %v", err)
		}
		for _, call := range srv.Log() {
			if call == "ResetFailedUnit msup@shop.service" {
				t.Error("a unit that is not transient was reset")
			}
		}

		go func() { done <- c.StartAndWait(ctx, "msup@b.service", props()) }()
		until(t, c, "msup@b.service inactive/dead success job")
		srv.Drop()
		if err := <-done; !errors.Is(err, units.ErrDisconnected) {
			t.Errorf("StartAndWait over a lost connection: %v", err)
		}
	})
}

func TestProperties(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		ctx := timeout(t)
		if err := c.SetProperties(ctx, web, nil); !errors.Is(err, units.ErrNoSuchUnit) {
			t.Errorf("SetProperties of a unit that is not loaded: %v", err)
		}
		if _, err := c.Properties(ctx, web, "MemoryMax"); !errors.Is(err, units.ErrNoSuchUnit) {
			t.Errorf("Properties of a unit that is not loaded: %v", err)
		}
		if err := c.Start(ctx, web, append(props(), units.Property{Name: "After", Value: []string{"msup@shop.service", "x.service"}}), false); err != nil {
			t.Fatal(err)
		}
		want := []units.Property{{Name: "MemoryMax", Value: uint64(1 << 20)}, {Name: "CPUQuotaPerSecUSec", Value: units.Infinity}}
		if err := c.SetProperties(ctx, web, want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Properties(ctx, web, "MemoryMax", "CPUQuotaPerSecUSec", "Nonsense")
		if diff := cmp.Diff(map[string]any{"MemoryMax": uint64(1 << 20), "CPUQuotaPerSecUSec": units.Infinity}, got); diff != "" || err != nil {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
		f, err := c.Read(ctx, web)
		if diff := cmp.Diff([]string{"msup@shop.service"}, f.Supervisors); diff != "" || err != nil {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		ctx := timeout(t)
		for _, tt := range []struct {
			name, message string
			is            error
			text          string
		}{
			{"org.freedesktop.systemd1.NoSuchUnit", "Unit x not loaded.", units.ErrNoSuchUnit, "Unit x not loaded."},
			{"org.freedesktop.systemd1.NoSuchProcess", "No main process to kill", dbus.ErrNotRunning, "No main process to kill"},
			{"org.freedesktop.systemd1.NoSuchProcess", "No main process to kill", units.ErrNoSuchUnit, "No main process to kill"},
			{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "Interactive authentication required.", units.ErrDenied, "permission denied by systemd (Interactive authentication required.)"},
			{"org.freedesktop.DBus.Error.AccessDenied", "no", units.ErrDenied, "permission denied by systemd (no)"},
			{"org.freedesktop.DBus.Error.InvalidArgs", "bad signal", units.ErrInvalid, "bad signal"},
			{"System.Error.ENXIO", "Unexpected message contents", units.ErrInvalid, "Unexpected message contents"},
			{"org.freedesktop.DBus.Error.NoReply", "gone", units.ErrDisconnected, "no connection to systemd: gone"},
			{"org.example.Odd", "", nil, "org.example.Odd"},
		} {
			srv.Fail("KillUnit", tt.name, tt.message)
			err := c.Kill(ctx, web, "all", 1)
			if err == nil || (tt.is != nil && !errors.Is(err, tt.is)) || err.Error() != tt.text {
				t.Errorf("%s: %v", tt.name, err)
			}
			if denied := errors.Is(err, units.ErrDenied); denied != (dbus.Hint(err) != "") {
				t.Errorf("%s: hint %q", tt.name, dbus.Hint(err))
			}
		}
		bad := append(props(), units.Property{Name: "Nonsense", Value: "x"})
		if err := c.Start(ctx, web, bad, false); !errors.Is(err, units.ErrInvalid) {
			t.Errorf("Start with an unknown property: %v", err)
		}
		for _, v := range []any{nil, make(chan int), "not\xffUTF-8", "a\x00b"} {
			if err := c.Start(ctx, web, []units.Property{{Name: "Description", Value: v}}, false); !errors.Is(err, units.ErrInvalid) {
				t.Errorf("Start with %#v: %v", v, err)
			}
		}
		start(t, c, web, false) // the connection has borne all that
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		ctx := timeout(t)
		start(t, c, web, false)
		until(t, c, web+" active/running success pid")

		srv.Hold("StopUnit")
		pending := make(chan error, 1)
		go func() { pending <- c.Stop(ctx, web) }()
		for !strings.Contains(strings.Join(srv.Log(), " "), "StopUnit") {
			_, _ = c.SystemState(ctx) // a round trip
		}
		srv.Drop()
		if err := <-pending; !errors.Is(err, units.ErrDisconnected) {
			t.Errorf("a call under way when the connection is lost: %v", err)
		}
		until(t, c, "Disconnected")
		if err := c.Stop(ctx, web); !errors.Is(err, units.ErrDisconnected) || !dbus.Unavailable(err) {
			t.Errorf("a call without a connection: %v", err)
		}
		srv.Return()
		if got := until(t, c, "Connected"); len(got) != 1 {
			t.Errorf("events before Connected: %q", got)
		}
		if f, err := c.Read(ctx, web); f.ActiveState != "active" || err != nil {
			t.Errorf("Read after reconnecting: %+v %v", f, err)
		}
		srv.Exit(web, 2, 9, "signal")
		until(t, c, web+" failed/failed signal 2/9")
		srv.Signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Reloading", true)
		srv.Signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Reloading", false)
		if got := until(t, c, "Reloaded"); len(got) != 1 {
			t.Errorf("events of a reload: %q", got)
		}
	})
}

func TestCallObeysItsContext(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		srv.Hold("StopUnit")
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		cancel(cause)
		if err := c.Stop(ctx, web); !errors.Is(err, cause) {
			t.Errorf("Stop: %v", err)
		}
	})
}

func TestBurstKeepsItsOrder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		const n = 10000
		for i := range n {
			srv.Signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved",
				uint32(i), godbus.ObjectPath("/org/freedesktop/systemd1/job/1"), web, "done")
			if i%10 == 0 {
				srv.Signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved",
					uint32(i), godbus.ObjectPath("/org/freedesktop/systemd1/job/1"), "neighbour.service", "done")
			}
		}
		// Calls go through although nobody has read an event yet.
		if _, err := c.SystemState(timeout(t)); err != nil {
			t.Error(err)
		}
		for i := range n {
			ev, ok := next(t, c).(units.JobRemoved)
			if !ok || ev.JobID != uint32(i) {
				t.Fatalf("event %d is %+v", i, ev)
			}
		}
	})
}

func TestManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, _ *dbustest.Server, c *dbus.Conn) {
		const n = 400 // dbus-daemon would refuse the 129th unanswered one
		errs := make(chan error, n)
		ctx := timeout(t)
		for i := range n {
			go func() { errs <- c.Start(ctx, fmt.Sprintf("msup-%d.service", i), props(), i%2 == 0) }()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if list, err := c.List(ctx, "msup-*"); err != nil || len(list) != n {
			t.Errorf("List: %d units, %v", len(list), err)
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, _ *dbustest.Server, c *dbus.Conn) {
		c.Close()
		for range c.Events() {
		}
		if err := c.Stop(t.Context(), web); !errors.Is(err, units.ErrDisconnected) {
			t.Errorf("a call on a closed connection: %v", err)
		}
		c.Close()
	})
}
