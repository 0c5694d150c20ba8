package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"msup/policy"
	"msup/probe"
	"msup/units"
)

// This file reads addresses to listen on, as systemd.socket(5) takes them, and looks for
// those that are in each other's way.

// listenKinds are the words an address may begin with.
var listenKinds = []string{string(units.ListenTCP), string(units.ListenUDP), string(units.ListenUnix)}

// parseListen reads addresses. A kind may stand apart from what it is about.
func parseListen(t *target, s setting, words []string) ([]units.Address, error) {
	var list []units.Address
	for i := 0; i < len(words); i++ {
		word := words[i]
		if kind, isKind := strings.CutSuffix(word, ":"); isKind && i+1 < len(words) && slices.Contains(listenKinds, kind) {
			i++
			word += words[i]
		}
		a, err := parseAddress(t, s, word)
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if overlap(a, b) {
				return nil, hinted("remove one of them", "%s and %s are in each other's way", b, a)
			}
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s names no address", quote(s.value))
	}
	return list, nil
}

func parseAddress(t *target, s setting, word string) (units.Address, error) {
	none := units.Address{}
	kind, where, named := strings.Cut(word, ":")
	switch {
	case strings.Contains(word, "://"):
		_, rest, _ := strings.Cut(word, "://")
		return none, hinted("write "+strings.TrimSuffix(rest, "/"), "%s is a URL, and no address to listen on", quote(word))
	case word == "":
		return none, fmt.Errorf("%s is no address", quote(word))
	case word[0] == '/' || word[0] == '@' || strings.HasPrefix(word, "./"):
		return none, hinted("write unix:"+word, "%s does not say what it is", quote(word))
	case named && kind == string(units.ListenUnix):
		path, err := filePath(t, s, where, true)
		if err == nil && (path == "@" || strings.HasSuffix(where, "/") || strings.ContainsRune(path, '%')) {
			err = hinted("write for example unix:/run/web.sock", "%s is no name for a socket", quote(where))
		}
		return units.Address{Network: units.ListenUnix, Where: path}, err
	case named && slices.Contains(listenKinds, kind):
		at, err := parseInet(where, kind+":")
		return units.Address{Network: units.Network(kind), Where: at}, err
	}
	at, err := parseInet(word, "")
	if near := Suggest(kind, listenKinds); err != nil && named && near != "" && !strings.ContainsAny(kind, ".[0123456789") {
		return none, hinted("did you mean "+near+":"+where+"?", "%s is no address to listen on", quote(word))
	}
	return units.Address{Network: units.ListenTCP, Where: at}, err
}

// parseInet reads PORT or HOST:PORT. systemd looks up no names. kind is what stands before.
func parseInet(text, kind string) (string, error) {
	if strings.Trim(text, "0123456789") == "" {
		port := strings.TrimLeft(text, "0")
		return port, checkPort(text)
	}
	host, port := "", ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, port = text[:i], text[i+1:]
	}
	bare, bracketed := strings.CutPrefix(host, "[")
	bare = strings.TrimSuffix(bare, "]")
	ip, ipErr := netip.ParseAddr(bare)
	whole, wholeErr := netip.ParseAddr(strings.Trim(text, "[]"))
	switch {
	case wholeErr == nil && whole.Is4():
		return "", hinted("add a port, for example "+kind+text+":8080", "%s names no port", quote(text))
	case wholeErr == nil && (!bracketed || strings.HasSuffix(text, "]")):
		return "", hinted("write for example "+kind+"["+whole.String()+"]:8080", "%s is an address without a port, or without brackets around it", quote(text))
	case strings.ContainsRune(text, '/'):
		return "", hinted("the path of a Unix socket is written unix:/run/web.sock", "%s is no address to listen on", quote(text))
	case port == "" || strings.Trim(port, "0123456789") != "":
		return "", fmt.Errorf("%s is neither a port nor an address and a port", quote(text))
	case host == "" || host == "*":
		return "", hinted("write "+kind+port+", which is on all addresses", "%s names no address", quote(text))
	case host == "localhost":
		return "", hinted("write "+kind+"127.0.0.1:"+port+" or "+kind+"[::1]:"+port, "%s is a name, and systemd looks up none", quote(host))
	case ipErr != nil:
		return "", hinted("use the address of the machine that it means, for example "+kind+"192.0.2.1:"+port, "%s is not an address, and systemd looks up no names", quote(host))
	case ip.Zone() != "":
		return "", hinted("leave the zone away", "%s has a zone", quote(host))
	case ip.Is4() == bracketed:
		return "", hinted("brackets stand around IPv6 addresses only", "%s is no address to listen on", quote(text))
	}
	if err := checkPort(port); err != nil {
		return "", err
	}
	return netip.AddrPortFrom(ip, portOf(port)).String(), nil
}

func portOf(text string) uint16 {
	n, _ := strconv.ParseUint(text, 10, 16) // it has been checked
	return uint16(n)
}

// inet is the address and the port of an address that is not a Unix socket; an invalid
// address = all of them.
func inet(a units.Address) (netip.Addr, uint16) {
	if ap, err := netip.ParseAddrPort(a.Where); err == nil {
		ip := ap.Addr()
		if ip == netip.IPv6Unspecified() {
			ip = netip.Addr{} // IPv4 too, unless the machine says otherwise (bindv6only)
		}
		return ip, ap.Port()
	}
	return netip.Addr{}, portOf(a.Where)
}

// overlap reports whether two sockets cannot be bound at the same time.
func overlap(a, b units.Address) bool {
	if a.Network != b.Network {
		return false
	}
	if a.Network == units.ListenUnix {
		return a.Where == b.Where
	}
	ipA, portA := inet(a)
	ipB, portB := inet(b)
	if portA != portB {
		return false
	}
	any4 := netip.IPv4Unspecified()
	return !ipA.IsValid() || !ipB.IsValid() || ipA == ipB || ipA == any4 && ipB.Is4() || ipB == any4 && ipA.Is4()
}

// checkSockets looks for programs that listen on the same address.
func (l *loader) checkSockets() {
	type listener struct {
		units.Address
		d *draft
	}
	var all []listener
	for _, d := range l.programs {
		for _, a := range d.Listen.Addresses {
			here := d.at("listen")
			for _, other := range all {
				if other.d == d || !overlap(a, other.Address) {
					continue
				}
				if d.Base != "" && d.Base == other.d.Base {
					l.reportFor(d, here, fmt.Sprintf("all instances of program %s would listen on %s", d.Base, a), instanceListen(a))
				} else {
					l.reportFor(d, here, fmt.Sprintf("program %s listens on %s already, see %s", other.d.Name, other.Address, other.d.at("listen").place()), "give each an address of its own")
				}
				break
			}
			all = append(all, listener{a, d})
		}
	}
}

// instanceListen is how an address is written that differs in each instance.
func instanceListen(a units.Address) string {
	if a.Network == units.ListenUnix {
		return "write {{instance}} into its name"
	}
	_, port := inet(a)
	return fmt.Sprintf("write {{port %d}} for the port", port)
}

// checkOwnProbes warns of probes that say nothing: systemd holds the sockets, so that they are
// open whatever the program does.
func (l *loader) checkOwnProbes(t *target) {
	d := t.prog
	for _, p := range []struct {
		key  string
		spec probe.Spec
	}{{"ready", d.Ready.Spec}, {"alive", d.Alive.Spec}} {
		for _, a := range d.Listen.Addresses {
			own, connects := false, false
			switch {
			case p.spec.Kind == probe.Unix:
				own = a.Network == units.ListenUnix && a.Where == p.spec.Where
			case a.Network != units.ListenTCP:
			case p.spec.Kind == probe.Port:
				_, port := inet(a)
				own = p.spec.Where == "" || p.spec.Where == strconv.Itoa(int(port))
			case p.spec.Kind == probe.TCP:
				_, port := inet(a)
				own = strings.HasSuffix(p.spec.Where, fmt.Sprintf(":%d", port)) && local(p.spec.Where)
			case p.spec.Kind == probe.HTTP:
				_, port := inet(a)
				connects = toPort(p.spec.Where, port)
			}
			if connects = connects || own && p.spec.Kind != probe.Port; connects && p.key == "alive" && d.Listen.IdleStop > 0 && d.Alive.Interval <= d.Listen.IdleStop {
				t.warn(d.at("idle_stop"), fmt.Sprintf("idle_stop has no effect: alive connects to %s every %s", a, policy.Words(d.Alive.Interval)), "use alive = exec: or watchdog, or an alive_interval that is longer")
			}
			if own {
				t.warn(d.at(p.key), fmt.Sprintf("%s passes whatever the program does: systemd listens on %s for it", p.key, a), "use http: or exec:, which need an answer")
				break
			}
		}
	}
}

// toPort reports whether a URL leads to a port of this machine, as far as one sees.
func toPort(where string, port uint16) bool {
	u, err := url.Parse(where)
	if err != nil {
		return false
	}
	at := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return at == strconv.Itoa(int(port)) && local(net.JoinHostPort(u.Hostname(), at))
}

// local reports whether HOST:PORT is on this machine, as far as one sees.
func local(where string) bool {
	if ap, err := netip.ParseAddrPort(where); err == nil {
		return ap.Addr().IsLoopback() || ap.Addr().IsUnspecified()
	}
	return strings.HasPrefix(where, "localhost:")
}

// unprivilegedPort is the file with the first port that anybody may listen on (ip_sysctl).
const unprivilegedPort = "/proc/sys/net/ipv4/ip_unprivileged_port_start"

// checkPrivileged finds the ports that a user manager may not listen on.
func (l *loader) checkPrivileged(d *draft) {
	if l.host.euid == 0 {
		return
	}
	data, err := l.host.readFile(unprivilegedPort)
	first, numErr := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || numErr != nil {
		first = 1024
	}
	for _, a := range d.Listen.Addresses {
		if a.Network == units.ListenUnix {
			continue
		}
		if _, port := inet(a); int(port) < first {
			l.reportFor(d, d.at("listen"), fmt.Sprintf("only root can listen on port %d", port), fmt.Sprintf("use a port from %d on, or run msup as root, with user = for the program", first))
		}
	}
}
