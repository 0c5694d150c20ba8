package property

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// aliases of networks (systemd.resource-control(5), IPAddressAllow=).
var aliases = map[string][]string{
	"any": {"0.0.0.0/0", "::/0"}, "localhost": {"127.0.0.0/8", "::1/128"},
	"link-local": {"169.254.0.0/16", "fe80::/64"}, "multicast": {"224.0.0.0/4", "ff00::/8"},
}

var networks = list[Network]{
	typ: "a(iayu)", words: "addresses and prefixes (10.0.0.0/8 ::1), any, localhost, link-local or multicast, separated by spaces",
	split: func(line string) ([]string, error) {
		var words []string
		for w := range strings.FieldsSeq(line) {
			if nets := aliases[w]; nets != nil {
				words = append(words, nets...)
			} else {
				words = append(words, w)
			}
		}
		return words, nil
	},
	read: func(s string) (Network, error) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, addrErr := netip.ParseAddr(s)
			if addrErr != nil || a.Zone() != "" {
				return Network{}, fmt.Errorf("%s is not an address or a prefix", quoted(s))
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		n := Network{Family: unix.AF_INET, Address: p.Masked().Addr().AsSlice(), Prefix: uint32(p.Bits())}
		if p.Addr().Is6() {
			n.Family = unix.AF_INET6
		}
		return n, nil
	},
	write: func(n Network) string {
		a, _ := netip.AddrFromSlice(n.Address)
		return netip.PrefixFrom(a, int(n.Prefix)).String()
	},
}

var (
	bindFamilies  = map[string]int32{"ipv4": unix.AF_INET, "ipv6": unix.AF_INET6}
	bindProtocols = map[string]int32{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP}
)

var socketBinds = list[SocketBind]{
	typ: "a(iiqq)", words: "FAMILY:PROTOCOL:PORTS (ipv4:tcp:8000-8010, tcp, 443) or any", oneEach: true, split: wholeLine,
	read: func(s string) (SocketBind, error) {
		var b SocketBind
		bad := fmt.Errorf("%s is not FAMILY:PROTOCOL:PORTS", quoted(s))
		if s == "any" {
			return b, nil
		}
		parts := strings.Split(s, ":")
		if f, ok := bindFamilies[parts[0]]; ok {
			b.Family, parts = f, parts[1:]
		}
		if len(parts) > 0 {
			if p, ok := bindProtocols[parts[0]]; ok {
				b.Protocol, parts = p, parts[1:]
			}
		}
		switch {
		case len(parts) == 0 || len(parts) == 1 && parts[0] == "any":
			return b, nil
		case len(parts) > 1:
			return b, bad
		}
		from, to, isRange := strings.Cut(parts[0], "-")
		if !isRange {
			to = from
		}
		low, err := strconv.ParseUint(from, 10, 16)
		high, err2 := strconv.ParseUint(to, 10, 16)
		if err != nil || err2 != nil || low == 0 || low > high {
			return b, bad
		}
		b.First, b.Ports = uint16(low), uint16(high-low+1)
		return b, nil
	},
	write: func(b SocketBind) string {
		var parts []string
		for _, words := range []struct {
			names map[string]int32
			value int32
		}{{bindFamilies, b.Family}, {bindProtocols, b.Protocol}} {
			for w, v := range words.names {
				if v == words.value {
					parts = append(parts, w)
				}
			}
		}
		switch {
		case b.Ports > 1:
			parts = append(parts, fmt.Sprintf("%d-%d", b.First, uint32(b.First)+uint32(b.Ports)-1))
		case b.Ports == 1:
			parts = append(parts, strconv.Itoa(int(b.First)))
		case len(parts) == 0:
			return "any"
		}
		return strings.Join(parts, ":")
	},
}

var (
	nftSources  = []string{"cgroup", "user", "group"}
	nftFamilies = map[string]int32{"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10} // NFPROTO_*
)

var nftSets = list[NFTSet]{
	typ: "a(iiss)", words: "SOURCE:FAMILY:TABLE:SET (cgroup:inet:filter:services), several separated by spaces",
	read: func(s string) (NFTSet, error) {
		parts := strings.Split(s, ":")
		if len(parts) != 4 || parts[2] == "" || parts[3] == "" {
			return NFTSet{}, fmt.Errorf("%s is not SOURCE:FAMILY:TABLE:SET", quoted(s))
		}
		source, family := slices.Index(nftSources, parts[0]), nftFamilies[parts[1]]
		if source < 0 || family == 0 {
			return NFTSet{}, fmt.Errorf("%s does not begin with %s and a family", quoted(s), either(nftSources))
		}
		return NFTSet{int32(source), family, parts[2], parts[3]}, nil
	},
	write: func(n NFTSet) string {
		for f, v := range nftFamilies {
			if v == n.Family && n.Source >= 0 && int(n.Source) < len(nftSources) {
				return strings.Join([]string{nftSources[n.Source], f, n.Table, n.Set}, ":")
			}
		}
		return ""
	},
}
