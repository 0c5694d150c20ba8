package dbus_test

import (
	"errors"
	"testing"
	"time"

	"msup/dbus"
	"msup/dbus/dbustest"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// A reload lasts as long as its job, and fails as that does.
func TestReload(t *testing.T) {
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		const web = "msup-web.service"
		ctx := timeout(t)
		if err := c.Reload(ctx, web); !errors.Is(err, units.ErrNoSuchUnit) {
			t.Errorf("one that is not there: %v", err)
		}
		if err := c.StartAndWait(ctx, web, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Reload(ctx, web); err != nil {
			t.Errorf("reload: %v", err)
		}
		srv.HoldJobs()
		done := make(chan error, 1)
		go func() { done <- c.Reload(ctx, web) }()
		select {
		case err := <-done:
			t.Fatalf("it does not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		srv.EndJob(web, "failed")
		if err := <-done; !errors.Is(err, units.ErrJob) {
			t.Errorf("a job that failed: %v", err)
		}
	})
}

// What systemd says of the commands of a unit, and only of those that were run.
func TestCommands(t *testing.T) {
	type row struct {
		Path          string
		Argv          []string
		MayFail       bool
		Start, StartM uint64
		End, EndM     uint64
		PID           uint32
		Code, Status  int32
	}
	both(t, func(t *testing.T, srv *dbustest.Server, c *dbus.Conn) {
		const web = "msup-web.service"
		ctx := timeout(t)
		if err := c.StartAndWait(ctx, web, nil); err != nil {
			t.Fatal(err)
		}
		srv.SetCommands(web, "ExecStop", []row{{"/bin/c", []string{"c"}, false, 9, 10, 0, 0, 4, 0, 0}})
		srv.SetCommands(web, "ExecStartPre", []row{
			{"/bin/a", []string{"a"}, true, 1000, 2000, 1500, 2500, 3, 1, 7},
			{"/bin/b", []string{"b"}, false, 0, 0, 0, 0, 0, 0, 0},
		})
		f, err := c.Read(ctx, web)
		want := []units.CommandStatus{
			{Setting: "ExecStartPre", N: 0, Path: "/bin/a", MayFail: true, PID: 3, Ended: true, Code: 1, Status: 7, Ran: 500 * time.Microsecond},
			{Setting: "ExecStop", N: 0, Path: "/bin/c", PID: 4},
		}
		if diff := cmp.Diff(want, f.Commands); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
