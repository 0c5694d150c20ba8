package control

import "msup/units"

// ListenReport is where systemd listens for a program.
type ListenReport struct {
	Addresses []string `json:"addresses"` // as the configuration has them, in the order of the descriptors
	Unit      string   `json:"unit"`      // of the sockets
	OnDemand  bool     `json:"on_demand"` // the first connection starts it
	// Armed says that a connection starts it: it is up by msup up or msup start, and not stopped.
	Armed    bool     `json:"armed"`
	IdleStop *float64 `json:"idle_stop"` // seconds without a connection after which it is stopped; null = never
}

func listenReport(def units.Program, st units.Status) *ListenReport {
	if !def.Listens() {
		return nil
	}
	l := def.Listen
	r := &ListenReport{Addresses: make([]string, len(l.Addresses)), Unit: def.SocketUnit(), OnDemand: l.OnDemand, Armed: l.OnDemand && st.State.Armed}
	for i, a := range l.Addresses {
		r.Addresses[i] = a.String()
	}
	if l.IdleStop > 0 {
		r.IdleStop = new(l.IdleStop.Seconds())
	}
	return r
}
