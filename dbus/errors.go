package dbus

import (
	"context"
	"errors"
	"fmt"

	"msup/units"

	godbus "github.com/godbus/dbus/v5"
)

// UnavailableError says that there is no systemd to talk to, or no right to talk to it.
type UnavailableError struct {
	Problem string
	Advice  string // what to do about it
	Err     error  // may be nil
}

func (e *UnavailableError) Error() string {
	if e.Err != nil {
		return e.Problem + ": " + e.Err.Error()
	}
	return e.Problem
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Unavailable reports whether err means that systemd cannot be used.
func Unavailable(err error) bool {
	var u *UnavailableError
	return errors.As(err, &u) || errors.Is(err, units.ErrDenied)
}

// Hint says what to do about an unavailable systemd, "" = nothing known.
func Hint(err error) string {
	var u *UnavailableError
	switch {
	case errors.As(err, &u):
		return u.Advice
	case errors.Is(err, units.ErrDenied):
		return "run it as root, or use the user manager with --user"
	}
	return ""
}

// mapError turns the error of a call into one of package units, keeping systemd's words.
// Names are those of systemd's bus-common-errors.h and of the D-Bus specification.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	var e godbus.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("systemd does not answer: %w", err)
		}
		return fmt.Errorf("%w: %w", units.ErrDisconnected, err)
	}
	text := e.Error()
	switch e.Name {
	case "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.NoSuchProcess":
		return &callError{text, units.ErrNoSuchUnit}
	case "org.freedesktop.systemd1.UnitExists":
		return &callError{text, units.ErrUnitExists}
	case "org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
		"org.freedesktop.DBus.Error.AuthFailed":
		return &callError{text, units.ErrDenied}
	case "org.freedesktop.DBus.Error.InvalidArgs", "org.freedesktop.DBus.Error.PropertyReadOnly",
		"org.freedesktop.systemd1.BadUnitSetting", "System.Error.ENXIO", "System.Error.EINVAL":
		return &callError{text, units.ErrInvalid}
	case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
		"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner":
		return &callError{text, units.ErrDisconnected}
	}
	return &callError{text, e}
}

// callError is systemd's message; it is one of the errors of package units.
type callError struct {
	text string
	kind error
}

func (e *callError) Error() string { return e.text }
func (e *callError) Unwrap() error { return e.kind }
