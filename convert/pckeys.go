package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"msup/property"

	"golang.org/x/sys/unix"
)

// fields reads the keys of a mapping one by one; those that have no function are told.
func (o *outcome) fields(n *node, known map[string]func(n *node)) {
	if n.kind != mapNode {
		o.fail("", "it is %s and not a mapping", n.kindWords())
		return
	}
	for _, k := range n.keys {
		f := known[k.name]
		switch {
		case f != nil && k.value.kind != nullNode:
			f(k.value)
		case f == nil && !strings.HasPrefix(k.name, "x-"):
			var names []string
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			o.drop(k.name+": process-compose itself does not know the key", didYouMean(k.name, names))
		}
	}
}

// number reads a whole number that is not negative.
func (o *outcome) number(n *node) (int, bool) {
	i, err := strconv.Atoi(n.String())
	if err != nil || i < 0 || i > 1<<31-1 {
		o.fail("use a whole number", "%s is no number", clip(n.String()))
		return 0, false
	}
	return i, true
}

func (p *pcProcess) availability(o *outcome, n *node) {
	restart, backoff, maxRestarts := "no", 1, 0
	o.fields(n, map[string]func(*node){
		"restart":         func(n *node) { restart = n.String() },
		"backoff_seconds": func(n *node) { backoff, _ = o.number(n) },
		"max_restarts":    func(n *node) { maxRestarts, _ = o.number(n) },
		"exit_on_end": func(n *node) {
			if n.isTrue() {
				o.drop("exit_on_end: the end of one program does not end the others", "msup wait "+p.s.Name+" --for stopped && msup down")
			}
		},
		"exit_on_skipped": func(n *node) {
			if n.isTrue() {
				o.drop("exit_on_skipped: a program that cannot be started does not end the others", "msup wait "+p.s.Name+" --for ready || msup down")
			}
		},
	})
	switch restart {
	case "no", "false": // YAML 1.1 takes no for false
		o.set(p.s, "autorestart", "never")
		return
	case "exit_on_failure":
		o.set(p.s, "autorestart", "never")
		o.drop("exit_on_failure: the failure of one program does not end the others", "msup wait "+p.s.Name+" --for completed || msup down")
		return
	case "on_failure":
		o.set(p.s, "autorestart", "on-failure")
	case "always":
		o.set(p.s, "autorestart", "always")
	default:
		o.fail("use no, on_failure, always or exit_on_failure", "%s is no restart policy", clip(restart))
		return
	}
	o.set(p.s, "restart_delay", fmt.Sprintf("%ds", max(backoff, 1)))
	o.set(p.s, "max_restarts", strconv.Itoa(maxRestarts))
	if maxRestarts > 0 && !p.oneshot {
		o.set(p.s, "restart_reset", "0") // they are counted for good
	}
}

// success are exit statuses that are no failures. A shell tells of a signal by 128 and its number, systemd by
// its name.
func (p *pcProcess) success(o *outcome, n *node) {
	list := []string{"0"}
	for _, item := range n.items {
		code, ok := o.number(item)
		if !ok {
			continue
		}
		if code > 255 {
			o.fail("use numbers from 0 to 255", "%d is no exit status", code)
			continue
		}
		if code != 0 {
			list = append(list, strconv.Itoa(code))
		}
		if name := unix.SignalName(unix.Signal(code - 128)); code > 128 && name != "" {
			list = append(list, name)
			o.change("%d is what a shell says of a program that %s ended", code, name)
		}
	}
	if len(list) > 1 {
		o.set(p.s, "success_exit_codes", strings.Join(list, " "))
	}
}

// schedule starts the program at the times of a cron expression.
func (o *outcome) schedule(s *Section, cron, zone string) bool {
	events, ok := property.FromCron(cron)
	if !ok {
		o.drop("systemd has no words for "+quote(cron), "systemd.time(7) says how calendar events are written")
		return false
	}
	for _, e := range events {
		o.set(s, "schedule", strings.TrimSpace(e+" "+zone))
	}
	return true
}

func (p *pcProcess) schedule(o *outcome, n *node) {
	cron, zone, every, onStart := "", "", "", false
	o.fields(n, map[string]func(*node){
		"cron":         func(n *node) { cron = n.String() },
		"timezone":     func(n *node) { zone = n.String() },
		"interval":     func(n *node) { every = n.String() },
		"run_on_start": func(n *node) { onStart = n.isTrue() },
		"max_concurrent": func(n *node) {
			if i, ok := o.number(n); ok && i > 1 {
				o.change("a run that is due while the last one still runs is left out")
			}
		},
	})
	switch {
	case cron != "":
		if !o.schedule(p.s, cron, zone) {
			return
		}
	case every != "":
		d, err := time.ParseDuration(every)
		if err != nil || d <= 0 {
			o.fail("use a time such as 30m", "%s is no time", clip(every))
			return
		}
		o.set(p.s, "schedule", "every "+inTime(float64(max(d, time.Second).Milliseconds())))
	}
	if onStart {
		o.drop("run_on_start: it runs at its times", "msup start "+p.s.Name+" runs it at once")
	}
}

func (p *pcProcess) shutdown(o *outcome, n *node) {
	command, timeout := "", ""
	o.fields(n, map[string]func(*node){
		"command":         func(n *node) { command = n.String() },
		"timeout_seconds": func(n *node) { timeout = n.String() },
		"signal": func(n *node) {
			i, ok := o.number(n)
			name := unix.SignalName(unix.Signal(i))
			switch {
			case !ok || i == 0:
			case i > 31 || name == "":
				o.change("signal %d is none: TERM is sent, as process-compose does", i)
			default:
				o.set(p.s, "stop_signal", strings.TrimPrefix(name, "SIG"))
			}
		},
		"parent_only": func(n *node) {
			if n.isTrue() {
				o.set(p.s, "systemd.KillMode", "mixed")
				o.change("only the main process gets the signal, but when it has ended all others are killed")
			}
		},
		"send_keys": func(*node) {
			o.drop("send_keys: programs of msup's have no terminal", "stop_command = a command that ends it")
		},
	})
	if command != "" {
		argv, changed := shellWords(p.shell[0], p.shell[1], command)
		defer o.passed(p.s, argv, p.has)
		line, joined := oneLineWords(argv)
		if changed+joined != "" {
			o.change("%s", changed+joined)
		}
		o.set(p.s, "stop_command", words(p.env.command(literals(line))...))
	}
	if timeout != "" && timeout != "0" {
		o.time(&node{kind: textNode, text: timeout}, func(text string) { o.set(p.s, "stop_timeout", text) })
	}
}

func (p *pcProcess) foreground(o *outcome, n *node) {
	if !n.isTrue() {
		return
	}
	o.set(p.s, "autostart", "false")
	o.drop("programs of msup's have no terminal, so it is not started", "run it by hand")
}

func (p *pcProcess) mcp(o *outcome, _ *node) {
	o.set(p.s, "autostart", "false")
	o.drop("msup has no server for language models, so it is not started", "")
}

// namespace puts the program into a group.
func (p *pcProcess) namespace(o *outcome, n *node) {
	list := []*node{n}
	if n.kind == listNode {
		list = n.items
	}
	for _, item := range list {
		name := item.String()
		switch {
		case name == "" || name == "default":
		case p.group == "":
			p.group = name
			o.Became = append(o.Became, "[group "+nameOfGroup(name)+"]")
			if nameOfGroup(name) != name {
				o.change("names of groups hold letters, digits and _")
			}
		default:
			o.drop("a program is in one group, so not in "+name, "")
		}
	}
}
