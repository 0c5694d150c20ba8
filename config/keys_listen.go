package config

import (
	"time"

	"msup/units"
)

const listenWords = "ports, HOST:PORT, [ADDRESS]:PORT, unix:PATH, unix:@NAME and udp: before a port or HOST:PORT, separated by spaces"

// listenKeys say where systemd listens for a program.
var listenKeys = []Key{
	{
		Section: programSection, Name: "listen", Kind: Words, Unset: "none", Allowed: listenWords, Example: "8080 unix:/run/web.sock",
		Doc: "Where systemd listens for it, to hand it the sockets when it starts (LISTEN_FDS): connections wait while it is restarted. " +
			"A port alone is on all addresses. See Sockets.",
		Other: []string{"ListenStream", "socket", "sockets", "bind", "port", "ports"}, set: setListen,
	},
	{
		Section: programSection, Name: "listen_mode", Kind: Scalar, Unset: "systemd's, 0666", Allowed: "an octal file mode", Example: "0660",
		Doc:   "File mode of the Unix sockets of listen (SocketMode): who may write may connect.",
		Other: []string{"SocketMode", "socket_mode"}, set: setListenMode,
	},
	{
		Section: programSection, Name: "listen_owner", Kind: Text, Unset: "who runs msup", Allowed: "USER or USER:GROUP", Example: "root:www-data",
		Doc:   "Owner of the Unix sockets of listen (SocketUser, SocketGroup); only for root.",
		Other: []string{"SocketUser", "SocketGroup", "socket_owner"}, set: func(t *target, s setting) (err error) {
			t.prog.Listen.Owner, err = parseOwner(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "on_demand", Kind: Scalar, Default: "false", Allowed: boolWords, Example: "true",
		Doc: "Start it with the first connection to listen; msup up only listens.", set: func(t *target, s setting) (err error) {
			t.prog.Listen.OnDemand, err = parseBool(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "idle_stop", Kind: Scalar, Unset: "never", Allowed: durationWords + ", 1s or more; 0 = never", Example: "10m",
		Doc: "Time without a connection after which a program with on_demand is stopped; the next connection starts it again.", set: func(t *target, s setting) error {
			d, err := ParseDuration(s.value)
			if err == nil && d != 0 && d < minIdle {
				return hinted("use 1s or more, for example "+s.key.Example, "%s is too short", quote(s.value))
			}
			t.prog.Listen.IdleStop = d
			return err
		},
	},
}

// minIdle is the shortest idle_stop: connections are looked at every second.
const minIdle = time.Second

func setListen(t *target, s setting) error {
	words, err := splitWords(s.value)
	if err != nil {
		return err
	}
	t.prog.Listen.Addresses, err = parseListen(t, s, words)
	return err
}

func setListenMode(t *target, s setting) error {
	mode, err := parseFileMode(s.value)
	t.prog.Listen.Mode = &mode
	return err
}

// checkListen looks at the keys of sockets together.
func (l *loader) checkListen(t *target) {
	d := t.prog
	fail := func(key, message, hint string) { l.reportFor(d, d.at(key), message, hint) }
	given := func(key string) bool { _, ok := d.given[key]; return ok }
	if !d.Listens() {
		if s := d.at("on_demand"); d.Listen.OnDemand && !given("listen") {
			if s.section == defaultsSection {
				d.Listen.OnDemand = false // for those that listen
			} else {
				fail("on_demand", "the program has no sockets that could start it", "add listen, for example listen = 8080")
			}
		}
		for _, key := range []string{"listen_mode", "listen_owner", "idle_stop"} {
			if s := d.at(key); given(key) && !given("listen") && s.section != defaultsSection {
				t.warn(s, key+" has no effect: there is no listen", "")
			}
		}
		if !given("listen") {
			d.Listen = units.Listen{}
		}
		return
	}
	if d.Type == units.Scope {
		fail("listen", "a scope gets no sockets: msup starts it, and systemd hands them only to what it starts itself", "remove unit_type = scope, or listen")
	}
	if d.Listen.OnDemand && !d.Schedule.IsZero() {
		fail("on_demand", "the program has a schedule", "remove one of them: either its times start it, or connections")
	} else if d.Listen.OnDemand {
		d.Rules.Awaits = "a connection to " + d.Listen.String()
	} else if s := d.at("idle_stop"); d.Listen.IdleStop > 0 && s.section != defaultsSection {
		fail("idle_stop", "nothing would start the program again", "add on_demand = true, or remove idle_stop")
	}
	unix := false
	for _, a := range d.Listen.Addresses {
		unix = unix || a.Network == units.ListenUnix && a.Where[0] != '@'
		if a.Network == units.ListenUDP && d.Listen.IdleStop > 0 {
			fail("idle_stop", "udp has no connections to wait for the end of", "remove idle_stop, or listen on TCP or a Unix socket")
		}
	}
	for _, key := range []string{"listen_mode", "listen_owner"} {
		if s := d.at(key); given(key) && !unix && s.section != defaultsSection {
			t.warn(s, key+" has no effect: listen has no Unix socket with a path", "")
		}
	}
	l.checkOwnProbes(t)
	if !l.check {
		return
	}
	l.checkOwner(d, "listen_owner", d.Listen.Owner, "only root can give a socket to another user")
	l.checkPrivileged(d)
}
