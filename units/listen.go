package units

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// systemd listens for a program that has sockets: a transient .socket unit holds them, and
// hands them to the service of the same name at each start (sd_listen_fds(3)). So they are
// open while the program is not there, and who connects waits.

// Listen are the sockets of a program.
type Listen struct {
	Addresses []Address `json:"addresses,omitempty"` // in the order in which the program gets them
	// Mode is the file mode of Unix sockets; nil = systemd's, 0666.
	Mode *uint32 `json:"mode,omitempty"`
	// Owner is USER or USER:GROUP, whose Unix sockets are; "" = who runs the service manager.
	Owner string `json:"owner,omitempty"`
	// OnDemand has the first connection start the program, instead of msup up.
	OnDemand bool `json:"on_demand,omitempty"`
	// IdleStop is the time without a connection after which such a program is stopped, to be
	// started by the next one; 0 = never.
	IdleStop time.Duration `json:"idle_stop,omitempty"`
}

// Address is where a socket listens.
type Address struct {
	Network Network `json:"network"`
	// Where is as systemd.socket(5) has it: "8080", "127.0.0.1:8080", "[::1]:8080"; of a Unix
	// socket an absolute path, or a name in the abstract namespace behind an "@".
	Where string `json:"where"`
}

// Network is the kind of an address.
type Network string

const (
	ListenTCP  Network = "tcp"
	ListenUDP  Network = "udp"
	ListenUnix Network = "unix" // a stream
)

// String is the address as the configuration has it.
func (a Address) String() string {
	if a.Network == ListenTCP {
		return a.Where
	}
	return string(a.Network) + ":" + a.Where
}

// String lists the addresses: "8080, unix:/run/web.sock".
func (l Listen) String() string {
	words := make([]string, len(l.Addresses))
	for i, a := range l.Addresses {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// Listens reports whether the program has sockets.
func (p Program) Listens() bool { return len(p.Listen.Addresses) > 0 }

// SocketUnit is the unit of the program's sockets. systemd finds the service by its name.
func (p Program) SocketUnit() string {
	return strings.TrimSuffix(p.Unit, "."+string(Service)) + ".socket"
}

// SocketAddress is an element of the property Listen, of type a(ss).
type SocketAddress struct{ Type, Address string }

// definitionMark is the name of the variable in the environment of a socket unit, which runs
// nothing, that tells by which definition the pair was made.
const definitionMark = "MSUP_DEFINITION"

// SocketProperties lists the properties of the transient unit of the program's sockets
// (systemd.socket(5)).
func SocketProperties(p Program, project string) []Property {
	list := make([]SocketAddress, len(p.Listen.Addresses))
	for i, a := range p.Listen.Addresses {
		list[i] = SocketAddress{map[Network]string{ListenTCP: "Stream", ListenUDP: "Datagram", ListenUnix: "Stream"}[a.Network], a.Where}
	}
	props := []Property{
		{"Description", "sockets of msup program " + p.Name},
		{"Slice", GroupSlice(project, p.InGroup)},
		// Those of sockets would put it before the basic.target that the supervisor comes after.
		{"DefaultDependencies", false},
		{"Conflicts", []string{"shutdown.target"}},
		{"Before", []string{"shutdown.target"}},
		// As the service is: its stop may wait for that of the service, which it is ordered before.
		{"After", []string{OrderUnit(project)}},
		{"Listen", list},
		{"FileDescriptorName", p.family()},
		{"RemoveOnStop", true},
		// A program that takes no connection is started by it again and again. systemd's own limit
		// is twenty starts in two seconds, which a busy machine does not come to: there it would go
		// on for ever.
		{"TriggerLimitIntervalUSec", usec(10 * time.Second)},
		{"TriggerLimitBurst", uint32(20)},
	}
	if p.Listen.Mode != nil {
		props = append(props, Property{"SocketMode", *p.Listen.Mode})
	}
	user, group, _ := strings.Cut(p.Listen.Owner, ":")
	if user != "" {
		props = append(props, Property{"SocketUser", user})
	}
	if group != "" {
		props = append(props, Property{"SocketGroup", group})
	}
	return props
}

// family is the name of the program, of all its instances.
func (p Program) family() string {
	if p.Base != "" {
		return p.Base
	}
	return p.Name
}

// pairDigest stands for the definitions of a socket and its service, without what can be
// changed while they are loaded.
func pairDigest(socket, service []Property) string {
	h := sha256.New()
	for _, p := range slices.Concat(socket, service) {
		if p.Name != "Description" && !slices.Contains(limitNames, p.Name) {
			fmt.Fprintf(h, "%s=%#v\n", p.Name, p.Value)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
