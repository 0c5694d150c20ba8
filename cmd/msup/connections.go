package main

import (
	"time"

	"msup/netstat"
	"msup/units"
)

// addresses are those of a program as the kernel's tables have them. Sockets are opened by the
// service manager, so they are in its network, which is the supervisor's too, wherever the
// program is.
func addresses(list []units.Address) []netstat.Address {
	out := make([]netstat.Address, len(list))
	for i, a := range list {
		out[i] = netstat.Address{Network: netstat.Network(a.Network), Where: a.Where}
	}
	return out
}

func connections(list []units.Address) (int, time.Time, error) {
	return netstat.Connections(addresses(list), time.Now())
}

// holder says who has an address.
func holder(a units.Address) string {
	who := netstat.Holder(addresses([]units.Address{a})[0])
	if who == "systemd (PID 1)" {
		who += ", see systemctl list-sockets"
	}
	return who
}
