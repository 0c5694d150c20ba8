package explain

import (
	"msup/policy"
)

// sockets says where systemd listens for the program, and what becomes of who connects.
func sockets(f Facts) []string {
	p := f.Program
	if !p.Listens() {
		return nil
	}
	text := "listens on " + p.Listen.String() + " (" + p.SocketUnit() + "): "
	switch s := f.State; {
	case s.Phase == policy.Running:
		text += "who connects while it is restarted waits"
	case s.Phase == policy.Backoff || s.Phase == policy.Starting:
		text += "who connects waits until it is started"
	case s.Armed && (s.Phase == policy.Stopped || s.Phase == policy.Exited):
		text += "the first connection starts it"
	case s.Phase == policy.Stopping && (s.StartAgain || s.Ending != nil || s.Armed):
		text += "who connects waits until it is started again"
	default:
		text = "nobody listens on " + p.Listen.String() + ": who connects is refused"
	}
	return []string{text}
}
