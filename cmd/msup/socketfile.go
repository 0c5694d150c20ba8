package main

import (
	"fmt"
	"strings"
	"time"

	"msup/property"
	"msup/units"
)

// socketSettings are the settings of a socket unit, as its file would have them
// (systemd.socket(5)).
func socketSettings(props []units.Property) []property.Setting {
	var out []property.Setting
	for _, p := range props {
		add := func(name, value string) { out = append(out, property.Setting{Name: name, Value: value}) }
		switch v := p.Value.(type) {
		case []units.SocketAddress:
			for _, a := range v {
				add("Listen"+a.Type, a.Address)
			}
		case []string:
			add(p.Name, strings.Join(v, " "))
		case bool:
			add(p.Name, map[bool]string{true: "yes", false: "no"}[v])
		case uint32:
			add(p.Name, fmt.Sprintf(map[bool]string{true: "%04o", false: "%d"}[p.Name == "SocketMode"], v))
		case uint64: // microseconds
			add(strings.TrimSuffix(p.Name, "USec")+"Sec", (time.Duration(v) * time.Microsecond).String())
		default:
			add(p.Name, strings.ReplaceAll(fmt.Sprint(v), "%", "%%"))
		}
	}
	return out
}

// renderSocket is the unit file of a program's sockets as they are sent to systemd.
func renderSocket(p units.Program, project string) string {
	f := unitFile{own: "Socket", settings: socketSettings(units.SocketProperties(p, project)), notes: map[string]string{}}
	f.head = []string{fmt.Sprintf("%s: systemd listens for program %s, and hands it the sockets", p.SocketUnit(), p.Name)}
	if p.Listen.OnDemand {
		f.head = append(f.head, "the first connection starts it")
	}
	f.notes["After"] = "at shutdown msup's supervisor ends last"
	return f.String()
}

// exportSocket is a file that needs no msup.
func exportSocket(p units.Program, project string) outFile {
	settings := drop(socketSettings(units.SocketProperties(p, project)), "After", "Before", "Conflicts", "DefaultDependencies")
	f := unitFile{own: "Socket", settings: settings, install: "sockets.target"}
	f.head = []string{fmt.Sprintf("Sockets of program %s of msup.", p.Name)}
	if !p.Autostart {
		f.install = ""
	}
	return outFile{p.SocketUnit(), f.String()}
}

// socketFlags are those of systemd-run for the sockets of a program.
func socketFlags(p units.Program, project string) []string {
	var flags []string
	for _, s := range drop(socketSettings(units.SocketProperties(p, project)), "Description", "After", "Before", "Conflicts", "DefaultDependencies", "Slice") {
		s = s.Literal()
		flags = append(flags, "--socket-property="+s.Name+"="+s.Value)
	}
	return flags
}

// listenWords is where systemd listens for a program: "8080, unix:/run/web.sock (0660, root)".
func listenWords(p units.Program) string {
	text := p.Listen.String()
	var more []string
	if p.Listen.Mode != nil {
		more = append(more, fmt.Sprintf("%04o", *p.Listen.Mode))
	}
	if p.Listen.Owner != "" {
		more = append(more, p.Listen.Owner)
	}
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return text
}
