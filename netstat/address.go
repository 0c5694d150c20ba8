package netstat

import (
	"net/netip"
	"strconv"
	"time"
)

// Address is where a socket listens: "8080" or "127.0.0.1:8080" of TCP and UDP, the path of
// a Unix socket, or its name in the abstract namespace behind an "@".
type Address struct {
	Network Network
	Where   string
}

// matches reports whether a socket with this local address is one of a. One without a host is
// on all of them.
func (a Address) matches(local netip.AddrPort, path string) bool {
	if a.Network == Unix {
		return path == a.Where
	}
	if want, err := netip.ParseAddrPort(a.Where); err == nil {
		return want.Port() == local.Port() && (want.Addr().IsUnspecified() || want.Addr().Unmap() == local.Addr())
	}
	port, err := strconv.ParseUint(a.Where, 10, 16)
	return err == nil && uint16(port) == local.Port()
}

// Connections counts the connections that there are to the addresses, and says when the last
// one ended of those that are over, as far as the kernel remembers: for a minute, where this
// machine has closed it.
func Connections(list []Address, now time.Time) (open int, last time.Time, err error) {
	for n, list := range byNetwork(list) {
		err := Each(n, 0, func(s Socket) {
			for _, a := range list {
				switch {
				case s.State == Open && a.matches(s.Local, s.Path):
					open++
					return
				case s.State == TimeWait && (a.matches(s.Local, "") || a.matches(s.Remote, "")):
					if at := now.Add(-s.Closed); at.After(last) {
						last = at
					}
					return
				}
			}
		})
		if err != nil {
			return 0, time.Time{}, err
		}
	}
	return open, last, nil
}

func byNetwork(list []Address) map[Network][]Address {
	out := map[Network][]Address{}
	for _, a := range list {
		out[a.Network] = append(out[a.Network], a)
	}
	return out
}

// Listeners are the inodes of the sockets that are in the way of one that would listen there.
func Listeners(a Address) (map[string]bool, error) {
	inodes := map[string]bool{}
	wanted, wantedErr := netip.ParseAddrPort(a.Where)
	err := Each(a.Network, 0, func(s Socket) {
		if s.State != Listening {
			return
		}
		everywhere := wantedErr == nil && s.Local.Addr().IsUnspecified() && s.Local.Port() == wanted.Port()
		if everywhere || a.matches(s.Local, s.Path) {
			inodes[s.Inode] = true
		}
	})
	return inodes, err
}
