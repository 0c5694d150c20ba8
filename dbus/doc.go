// Package dbus is the connection to a systemd manager: calls, signals, reconnecting. It
// implements [units.Bus] and decides nothing.
//
// It prefers systemd's private socket, as systemctl does: there is no dbus-daemon in the
// way, whose limits (128 unanswered calls, 512 match rules of PID 1) large projects reach,
// and all signals come unasked. The message bus is the way for those who may not use
// that socket.
package dbus
