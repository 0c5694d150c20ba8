package dbus

import (
	"context"
	"errors"
	"fmt"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

// ErrNotRunning is a unit without a process that a signal could go to. It is a kind of
// [units.ErrNoSuchUnit], which means the same to who wants to signal it.
var ErrNotRunning = fmt.Errorf("no process to signal: %w", units.ErrNoSuchUnit)

// Error is an answer of systemd that says no. It prints systemd's own words; its kind,
// for errors.Is, is one of units' errors, [ErrNotRunning] or nothing.
type Error struct {
	Name    string // of the D-Bus error
	Message string
	kind    error
}

func (e *Error) Error() string {
	switch {
	case e.Message == "":
		return e.Name
	case errors.Is(e.kind, units.ErrDenied):
		// "Interactive authentication required." alone says little.
		return fmt.Sprintf("%v (%s)", e.kind, e.Message)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.kind }

// JobError is a job that did not end with "done".
type JobError struct{ Unit, Result string }

// Is reports whether target is [units.ErrJob].
func (e *JobError) Is(target error) bool { return target == units.ErrJob }

func (e *JobError) Error() string {
	return fmt.Sprintf("the job of %s ended with %q", e.Unit, e.Result)
}

// UnavailableError says that there is no service manager to talk to, and what to do.
type UnavailableError struct {
	Reason string
	Hint   string
	Err    error
}

func (e *UnavailableError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Unavailable reports whether err means that systemd cannot be had at all: it does not
// run, is not reachable, or does not let this user do it.
func Unavailable(err error) bool {
	var u *UnavailableError
	return errors.As(err, &u) || errors.Is(err, units.ErrDenied) || errors.Is(err, units.ErrDisconnected)
}

// Hint says what the user can do about err; "" when there is nothing to say.
func Hint(err error) string {
	var u *UnavailableError
	switch {
	case errors.As(err, &u):
		return u.Hint
	case errors.Is(err, units.ErrDenied):
		return "the system manager takes changes from root only: use sudo, or --user for your own manager"
	}
	return ""
}

// disconnectedError is a call that was made without a connection, or whose connection
// went away before the answer came.
type disconnectedError struct{ cause error }

func (e *disconnectedError) Error() string {
	if e.cause == nil {
		return units.ErrDisconnected.Error()
	}
	return fmt.Sprintf("%v: %v", units.ErrDisconnected, e.cause)
}

func (e *disconnectedError) Unwrap() []error {
	if e.cause == nil {
		return []error{units.ErrDisconnected}
	}
	return []error{units.ErrDisconnected, e.cause}
}

// kinds is what the D-Bus errors of systemd mean for us. The names are those of
// systemd's bus-common-errors.h, sd-bus' errno mapping (System.Error.…) and the D-Bus
// specification, observed with systemd 252 and 257.
var kinds = map[string]error{
	"org.freedesktop.systemd1.NoSuchUnit":    units.ErrNoSuchUnit,
	"org.freedesktop.systemd1.UnitExists":    units.ErrUnitExists,
	"org.freedesktop.systemd1.NoSuchProcess": ErrNotRunning,

	"org.freedesktop.systemd1.BadUnitSetting":         units.ErrInvalid,
	"org.freedesktop.DBus.Error.InvalidArgs":          units.ErrInvalid,
	"org.freedesktop.DBus.Error.InvalidSignature":     units.ErrInvalid,
	"org.freedesktop.DBus.Error.PropertyReadOnly":     units.ErrInvalid,
	"org.freedesktop.DBus.Error.UnixProcessIdUnknown": units.ErrInvalid,
	"System.Error.EINVAL":                             units.ErrInvalid,
	"System.Error.ENXIO":                              units.ErrInvalid, // a property of the wrong type

	"org.freedesktop.DBus.Error.AccessDenied":                     units.ErrDenied,
	"org.freedesktop.DBus.Error.AuthFailed":                       units.ErrDenied,
	"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired": units.ErrDenied,
	"System.Error.EACCES":                                         units.ErrDenied,
	"System.Error.EPERM":                                          units.ErrDenied,

	"org.freedesktop.DBus.Error.NoReply":           units.ErrDisconnected,
	"org.freedesktop.DBus.Error.Disconnected":      units.ErrDisconnected,
	"org.freedesktop.DBus.Error.ServiceUnknown":    units.ErrDisconnected,
	"org.freedesktop.DBus.Error.NameHasNoOwner":    units.ErrDisconnected,
	"org.freedesktop.DBus.Error.Spawn.ChildExited": units.ErrDisconnected,
}

// mapError is the one place where errors of godbus become ours.
func mapError(ctx context.Context, err error) error {
	var reply godbus.Error
	var format godbus.FormatError
	var kind godbus.InvalidTypeError
	var message godbus.InvalidMessageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reply):
		e := &Error{Name: reply.Name, kind: kinds[reply.Name]}
		if len(reply.Body) > 0 {
			set(&e.Message, reply.Body[0])
		}
		if errors.Is(e.kind, units.ErrDisconnected) {
			return &disconnectedError{cause: e}
		}
		return e
	case ctx.Err() != nil:
		return fmt.Errorf("systemd has not answered: %w", context.Cause(ctx))
	case errors.As(err, &format), errors.As(err, &kind), errors.As(err, &message):
		return fmt.Errorf("%w: %w", units.ErrInvalid, err)
	}
	if errors.Is(err, godbus.ErrClosed) {
		err = nil // "connection closed by user": it was closed because it broke
	}
	return &disconnectedError{cause: err}
}
