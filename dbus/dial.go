package dbus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// Which selects a manager.
type Which int

const (
	System Which = iota // PID 1
	User                // the manager of the calling user (systemd --user)
)

// The places of the sockets; tests use others.
type sockets struct {
	private string // systemd's own; "" = not to be used
	bus     string // D-Bus address of the message bus; "" = not to be used
	booted  string // exists where a systemd runs, sd_booted(3)
}

func systemSockets() sockets {
	s := sockets{bus: "unix:path=/run/dbus/system_bus_socket", booted: "/run/systemd/system"}
	if a := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); a != "" {
		s.bus = a
	}
	if os.Geteuid() == 0 {
		s.private = "/run/systemd/private" // it lets only root in
	}
	return s
}

func userSockets() sockets {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = fmt.Sprintf("/run/user/%d", os.Getuid())
	}
	s := sockets{private: filepath.Join(dir, "systemd/private"), bus: "unix:path=" + filepath.Join(dir, "bus")}
	// Not godbus' own search for the session bus, which may start a dbus-launch.
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" {
		s.bus = a
	}
	return s
}

// settle is waited between the handshake and the first message on the private socket.
// systemd may read a message that comes right behind the handshake's BEGIN together with
// it, and then answers only when more input comes (systemd 252: 43 of 60 connections).
const settle = 10 * time.Millisecond

// dialTimeout bounds connecting and the first answer.
const dialTimeout = 10 * time.Second

// link is one connection; it ends when the connection does.
type link struct {
	conn    *godbus.Conn
	private bool
	version int
	group   string // the manager's control group
}

// dial connects, by the private socket if that can be, and asks who is there. The handler
// gets the connection's signals.
func dial(ctx context.Context, s sockets, h godbus.SignalHandler) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var firstErr error
	if s.private != "" {
		l, err := dialPrivate(ctx, s.private, h)
		if err == nil {
			return l, nil
		}
		firstErr = err
	}
	if s.bus != "" {
		l, err := dialBus(ctx, s.bus, h)
		if err == nil {
			return l, nil
		}
		firstErr = errors.Join(firstErr, err)
	}
	return nil, firstErr
}

func dialPrivate(ctx context.Context, path string, h godbus.SignalHandler) (*link, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err // godbus would not say which
	}
	conn, err := connect("unix:path="+godbus.EscapeBusAddressValue(path), h)
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
	}
	return greet(ctx, &link{conn: conn, private: true})
}

func dialBus(ctx context.Context, address string, h godbus.SignalHandler) (*link, error) {
	conn, err := connect(address, h)
	if err != nil {
		return nil, err
	}
	if err := conn.Hello(); err != nil {
		conn.Close()
		return nil, err
	}
	for _, match := range [][]godbus.MatchOption{
		{godbus.WithMatchSender(destination), godbus.WithMatchPathNamespace(root)},
		{godbus.WithMatchInterface("org.freedesktop.DBus"), godbus.WithMatchMember("NameOwnerChanged"), godbus.WithMatchArg(0, destination)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			conn.Close()
			return nil, err
		}
	}
	if err := conn.Object(destination, root).CallWithContext(ctx, manager+".Subscribe", 0).Err; err != nil {
		conn.Close()
		return nil, err
	}
	return greet(ctx, &link{conn: conn})
}

func connect(address string, h godbus.SignalHandler) (*godbus.Conn, error) {
	conn, err := godbus.Dial(address, godbus.WithSignalHandler(h))
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// greet learns what the manager is.
func greet(ctx context.Context, l *link) (*link, error) {
	var props map[string]godbus.Variant
	err := l.conn.Object(destination, root).CallWithContext(ctx, "org.freedesktop.DBus.Properties.GetAll", 0, manager).Store(&props)
	if err != nil {
		l.conn.Close()
		return nil, err
	}
	l.version = majorVersion(str(props["Version"]))
	l.group = str(props["ControlGroup"])
	return l, nil
}

// majorVersion takes the number off "252.38-1~deb12u1" or "v257".
func majorVersion(s string) int {
	n := 0
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			n = n*10 + int(r-'0')
		case i == 0 && r == 'v':
		default:
			return n
		}
	}
	return n
}

// explain tells a user what the failure to connect means.
func explain(which Which, s sockets, err error) error {
	if which == System {
		if _, e := os.Stat(s.booted); e != nil {
			pid1, _ := os.ReadFile("/proc/1/comm")
			return &UnavailableError{
				Problem: fmt.Sprintf("systemd is not running here (process 1 is %q)", trim(pid1)),
				Advice:  "msup needs a machine booted with systemd, or a container that runs it",
			}
		}
		return &UnavailableError{Problem: "cannot connect to systemd", Err: err, Advice: "run it as root, or use the user manager with --user"}
	}
	name := strconv.Itoa(os.Getuid())
	if u, e := user.Current(); e == nil {
		name = u.Username
	}
	if os.Getuid() == 0 {
		return &UnavailableError{Problem: "root has no user manager running", Err: err, Advice: "leave out --user: the system manager is the default for root"}
	}
	u := &UnavailableError{Problem: "no user manager is running for " + name, Err: err}
	u.Advice = fmt.Sprintf("sudo loginctl enable-linger %s starts one now and at boot; "+
		"a login over ssh or at the console has one too, su and sudo do not", name)
	if errors.Is(err, fs.ErrPermission) {
		u.Advice = "is XDG_RUNTIME_DIR that of another user? log in as " + name + " instead of using su"
	}
	return u
}

func trim(b []byte) string {
	for len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	return string(b)
}
