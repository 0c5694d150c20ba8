package dbus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msup/units"
)

func testHost(t *testing.T, euid int, env map[string]string, dirs ...string) host {
	root := t.TempDir()
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return host{euid: euid, root: root, getenv: func(k string) string { return env[k] }}
}

func TestEndpoints(t *testing.T) {
	for name, tt := range map[string]struct {
		euid  int
		env   map[string]string
		which Which
		want  []string
	}{
		"root":              {0, nil, System, []string{"private /run/systemd/private", "/run/dbus/system_bus_socket"}},
		"system as a user":  {1000, nil, System, []string{"/run/dbus/system_bus_socket"}},
		"system bus set":    {1000, map[string]string{"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/x"}, System, []string{"/x"}},
		"user, nothing set": {1000, nil, User, []string{"private /run/user/1000/systemd/private", "/run/user/1000/bus"}},
		"user": {
			1000,
			map[string]string{"XDG_RUNTIME_DIR": "/rt", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/rt/bus"},
			User,
			[]string{"private /rt/systemd/private", "/rt/bus"},
		},
		"user, other bus": {
			1000,
			map[string]string{"XDG_RUNTIME_DIR": "/rt", "DBUS_SESSION_BUS_ADDRESS": "autolaunch:;unix:abstract=/tmp/a%20b,guid=1;tcp:host=x"},
			User,
			[]string{"private /rt/systemd/private", "@/tmp/a b", "/rt/bus"},
		},
	} {
		h := host{euid: tt.euid, getenv: func(k string) string { return tt.env[k] }}
		var got []string
		for _, e := range h.endpoints(tt.which) {
			if e.private {
				e.path = "private " + e.path
			}
			got = append(got, e.path)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Each way not to reach a manager has a reason and says what to do.
func TestExplain(t *testing.T) {
	missing := &net.OpError{Op: "dial", Net: "unix", Err: &fs.PathError{Op: "connect", Path: "/x", Err: syscall.ENOENT}}
	refused := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	denied := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	for name, tt := range map[string]struct {
		euid         int
		which        Which
		dirs         []string
		errs         []error
		reason, hint string
	}{
		"no systemd":       {0, System, nil, []error{missing, missing}, "systemd is not running here", "container"},
		"no systemd, user": {1000, User, nil, []error{missing, missing}, "systemd is not running here", "container"},
		"no user manager":  {1000, User, []string{"run/systemd/system"}, []error{missing, missing}, "there is no user manager", "loginctl enable-linger"},
		"user not running": {1000, User, []string{"run/systemd/system", "run/user/1000"}, []error{refused, missing}, "the user manager is not reachable", "XDG_RUNTIME_DIR"},
		"root asks --user": {0, User, []string{"run/systemd/system"}, []error{missing}, "there is no user manager", "leave out --user"},
		"someone else's":   {1000, User, []string{"run/systemd/system"}, []error{denied, denied}, "no permission", "sudo"},
		"no bus":           {1000, System, []string{"run/systemd/system"}, []error{missing}, "the system manager is not reachable", "dbus.socket"},
		"it hangs":         {0, System, []string{"run/systemd/system"}, []error{context.DeadlineExceeded}, "the system manager does not answer", "is-system-running"},
	} {
		h := testHost(t, tt.euid, nil, tt.dirs...)
		list := h.endpoints(tt.which)[:len(tt.errs)]
		err := fmt.Errorf("cannot start: %w", h.explain(tt.which, list, tt.errs))
		if !strings.Contains(err.Error(), tt.reason) || !strings.Contains(Hint(err), tt.hint) || !Unavailable(err) {
			t.Errorf("%s: %v\nhint: %s", name, err, Hint(err))
		}
	}
}

func TestDialNothing(t *testing.T) {
	_, err := Dial(t.Context(), System, WithPrivateSocket(filepath.Join(t.TempDir(), "private")))
	var u *UnavailableError
	if !errors.As(err, &u) || u.Hint == "" {
		t.Errorf("Dial: %v", err)
	}
}

// A manager that executes itself anew does not listen for a moment.
func TestDialWaitsForOneThatIsJustNotListening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "private")
	gone, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	gone.(*net.UnixListener).SetUnlinkOnClose(false)
	gone.Close() // the file stays: whoever connects is refused
	asked := make(chan struct{})
	go func() {
		time.Sleep(100 * time.Millisecond) // the moment; that somebody was refused is not seen here
		os.Remove(path)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		if c, err := l.Accept(); err == nil {
			close(asked)
			c.Close() // of a handshake other tests know
		}
	}()
	_, err = Dial(t.Context(), System, WithPrivateSocket(path))
	select {
	case <-asked:
	default:
		t.Errorf("nobody asked again: %v", err)
	}
}

func TestHintIsForWhatCanBeHelped(t *testing.T) {
	if h := Hint(errors.New("x")); h != "" {
		t.Errorf("hint %q", h)
	}
	if !Unavailable(fmt.Errorf("x: %w", units.ErrDenied)) || Unavailable(units.ErrInvalid) {
		t.Error("Unavailable")
	}
}
