package dbus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	godbus "github.com/godbus/dbus/v5"
)

// Which is one of the two service managers.
type Which int

const (
	System Which = iota // PID 1
	User                // the manager of the user this process runs as
)

func (w Which) String() string {
	if w == User {
		return "user"
	}
	return "system"
}

// endpoint is one socket to reach a manager by.
type endpoint struct {
	path    string // of the socket; with "@" in front in the abstract namespace
	private bool   // systemd's own socket, not a bus
}

// host is what the choice of an endpoint depends on.
type host struct {
	euid   int
	getenv func(string) string
	root   string // in front of /run; "" but for tests
}

func thisHost() host { return host{euid: os.Geteuid(), getenv: os.Getenv} }

// runtimeDir is the user's runtime directory (pam_systemd(8)).
func (h host) runtimeDir() string {
	if dir := h.getenv("XDG_RUNTIME_DIR"); dir != "" {
		return dir
	}
	return h.root + "/run/user/" + strconv.Itoa(h.euid)
}

// endpoints lists the ways to a manager, the best first: systemd's private socket, which
// is what systemctl uses, then the bus. Only root may use that of the system manager. A
// bus is never started for it, as dbus-launch would.
func (h host) endpoints(which Which) []endpoint {
	var list []endpoint
	if which == User {
		dir := h.runtimeDir()
		list = append(list, endpoint{filepath.Join(dir, "systemd/private"), true})
		if addr := h.getenv("DBUS_SESSION_BUS_ADDRESS"); addr != "" {
			list = append(list, busEndpoints(addr)...)
		}
		bus := endpoint{filepath.Join(dir, "bus"), false}
		if slices.Contains(list, bus) {
			return list
		}
		return append(list, bus)
	}
	if h.euid == 0 {
		list = append(list, endpoint{h.root + "/run/systemd/private", true})
	}
	if addr := h.getenv("DBUS_SYSTEM_BUS_ADDRESS"); addr != "" {
		return append(list, busEndpoints(addr)...)
	}
	return append(list, endpoint{h.root + "/run/dbus/system_bus_socket", false})
}

// busEndpoints reads the unix sockets of a list of D-Bus addresses
// ("unix:path=/run/user/1000/bus;…"). Other transports do not lead to a systemd.
func busEndpoints(addresses string) []endpoint {
	var list []endpoint
	for addr := range strings.SplitSeq(addresses, ";") {
		keys, ok := strings.CutPrefix(addr, "unix:")
		if !ok {
			continue
		}
		for kv := range strings.SplitSeq(keys, ",") {
			key, value, _ := strings.Cut(kv, "=")
			value, err := godbus.UnescapeBusAddressValue(value)
			if err != nil || value == "" {
				continue
			}
			switch key {
			case "path":
				list = append(list, endpoint{value, false})
			case "abstract":
				list = append(list, endpoint{"@" + value, false})
			}
		}
	}
	return list
}

// explain makes the failure to reach a manager by any endpoint an error that says what
// to do.
func (h host) explain(which Which, list []endpoint, errs []error) error {
	cause := errors.Join(errs...)
	if len(errs) > 0 {
		cause = errs[len(errs)-1]
	}
	for i, err := range errs {
		// A socket that is there and does not work tells more than one that is missing.
		if !errors.Is(err, fs.ErrNotExist) {
			cause = fmt.Errorf("%s: %w", list[i].path, err)
			break
		}
	}
	u := &UnavailableError{Err: cause}
	switch {
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		u.Reason = "the " + which.String() + " manager does not answer"
		u.Hint = "systemctl" + flag(which) + " is-system-running says whether it is alive"
	case errors.Is(cause, fs.ErrPermission):
		u.Reason = "no permission to talk to the " + which.String() + " manager"
		u.Hint = "use sudo for the system manager, or --user for your own"
	case !h.booted():
		// sd_booted(3)
		u.Reason, u.Err = "systemd is not running here (there is no /run/systemd/system)", nil
		u.Hint = "msup needs a system that systemd booted; in a container, make systemd its first process"
	case which == User && !h.exists(h.runtimeDir()):
		u.Reason, u.Err = "there is no user manager: "+h.runtimeDir()+" does not exist", nil
		u.Hint = h.lingerHint()
	case which == User:
		u.Reason = "the user manager is not reachable"
		u.Hint = h.lingerHint()
	case errors.Is(cause, syscall.ECONNREFUSED), errors.Is(cause, fs.ErrNotExist):
		u.Reason = "the system manager is not reachable"
		u.Hint = "as root msup needs no D-Bus; else start it: systemctl start dbus.socket"
	default:
		u.Reason = "the system manager is not reachable"
	}
	return u
}

// lingerHint tells how to get a user manager.
func (h host) lingerHint() string {
	name := strconv.Itoa(h.euid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if h.euid == 0 {
		return "root usually means the system manager: leave out --user; else: systemctl start user@0.service and set XDG_RUNTIME_DIR=/run/user/0"
	}
	hint := fmt.Sprintf("loginctl enable-linger %s starts one that stays", name)
	if dir := fmt.Sprintf("/run/user/%d", h.euid); h.getenv("XDG_RUNTIME_DIR") != dir && h.exists(h.root+dir) {
		return fmt.Sprintf("set XDG_RUNTIME_DIR=%s", dir)
	}
	return hint + "; log in over ssh or machinectl shell, because su and sudo make no session (XDG_RUNTIME_DIR=/run/user/" + strconv.Itoa(h.euid) + ")"
}

func (h host) booted() bool { return h.exists(h.root + "/run/systemd/system") }

func (h host) exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

func flag(which Which) string {
	if which == User {
		return " --user"
	}
	return ""
}
