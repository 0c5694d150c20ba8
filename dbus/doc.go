// Package dbus is the connection to a systemd manager: calls, signals in their order,
// reconnecting, errors. It implements [units.Bus] and decides nothing.
//
// It prefers systemd's private socket (/run/systemd/private,
// $XDG_RUNTIME_DIR/systemd/private), as systemctl does: there is no dbus-daemon in the way,
// whose limits (128 unanswered calls, 512 match rules of PID 1, which spends one on each
// unfinished job) large projects reach, answers come four times faster, and all signals
// come unasked. The message bus is the way for those who may not use that socket.
package dbus
