package convert

import (
	"regexp"
	"slices"
	"strings"
)

// This file has event listeners. msup runs none; what well known ones do is something of msup's
// own.

// listeners are known by their command.
var listeners = []struct {
	command *regexp.Regexp
	fate
}{
	{dependentStartup, fate{Changed, "what it does is depends_on of the programs", ""}},
	{regexp.MustCompile(`\bmemmon\b`), fate{Dropped, "msup has no events, so the listener is not run", "memory_limit = SIZE in [program NAME], which the kernel enforces"}},
	{regexp.MustCompile(`\bhttpok\b`), fate{Dropped, "msup has no events, so the listener is not run", "alive = http: URL in [program NAME]"}},
	{regexp.MustCompile(`\b(crashmail|crashmailbatch|fatalmailbatch|crashsms)\b`), fate{Dropped, "msup has no events, so the listener is not run", "on_failed = COMMAND, on_restart = COMMAND"}},
	{regexp.MustCompile(`\bsupervisor[_-](stdout|logging)\b`), fate{Dropped, "msup has no events, so the listener is not run", "msup logs -f shows what all programs write"}},
}

// dependentStartup is the listener that starts programs one after the other.
var dependentStartup = regexp.MustCompile(`\bsupervisord[_-]dependent[_-]startup\b`)

// anyListener is one that is not known.
var anyListener = fate{Dropped, "msup has no events, so the listener is not run", "on_failed, on_oom_command and on_restart run a command when something happens; msup wait, msup status --json"}

// listener is what becomes of an event listener.
func (c *supervisord) listener(s *iniSection) fate {
	if k := c.keyOf(s, "command"); k != nil {
		for _, l := range listeners {
			if l.command.MatchString(k.value) {
				return l.fate
			}
		}
	}
	return anyListener
}

// Keys of programs that dependentStartup reads.
const (
	startupKey = "dependent_startup"
	waitForKey = "dependent_startup_wait_for"
)

// isStartupKey reports whether a key belongs to a listener that is there.
func (c *supervisord) isStartupKey(name string) bool {
	return c.startup && strings.HasPrefix(name, startupKey)
}

// waits makes depends_on of what dependentStartup does: it starts programs with
// dependent_startup that have autostart=false, each when those that it waits for have come so
// far. All programs are there by now.
func (c *supervisord) waits() {
	if !c.startup {
		return
	}
	for _, p := range c.programs {
		on := c.keyOf(p.section, startupKey)
		starts := on != nil && p.numprocs > 0 && p.boolean(startupKey, false)
		rest := fate{Kept, "what a program waits for is started before it", ""}
		switch {
		case !starts:
			rest = fate{Kept, "the listener does not start the program", ""}
		case p.out.get("autostart") != "false":
			rest = fate{Dropped, "the listener itself asks for autostart=false beside it", ""}
		default:
			p.out.unset("autostart")
			auto := c.keyOf(p.section, "autostart")
			for _, k := range []*iniKey{auto, on} {
				c.note(k, Changed, nil, "the listener starts it with the others", "")
				c.entries[k].Became = []string{"autostart = true"}
			}
			if k := c.keyOf(p.section, waitForKey); k != nil {
				p.waitFor(k)
			}
		}
		for _, k := range c.keysOf(p.section) {
			if c.isStartupKey(k.name) && c.entries[k] == nil && !c.lost[k] {
				c.note(k, rest.verdict, nil, rest.why, "")
			}
		}
	}
}

// waitFor makes depends_on of "db:running migrate:exited".
func (p *program) waitFor(k *iniKey) {
	c := p.supervisord
	value, ok := c.now(k, p.x)
	if !ok {
		return
	}
	var needs, left []string
	for word := range strings.FieldsSeq(value) {
		name, states, _ := strings.Cut(word, ":")
		for _, of := range c.programs {
			if of.name != name || slices.ContainsFunc(needs, func(n string) bool { return strings.HasPrefix(n, of.out.Name+":") }) {
				continue
			}
			condition := "ready"
			if strings.EqualFold(states, "exited") && of.out.get("autorestart") != "always" {
				condition = "completed"
			}
			needs = append(needs, of.out.Name+":"+condition)
		}
		if !slices.ContainsFunc(c.programs, func(of *program) bool { return of.name == name }) {
			left = append(left, name)
		}
	}
	if needs == nil {
		c.note(k, Dropped, nil, "there is no program "+strings.Join(left, " "), "")
		return
	}
	why := "running is ready, exited is completed: it has ended well"
	if left != nil {
		why += "; there is no program " + strings.Join(left, " ")
	}
	c.changed(p.out, k, "depends_on", strings.Join(needs, " "), why)
}
