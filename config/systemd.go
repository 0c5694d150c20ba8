package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"msup/property"
	"msup/units"
)

// systemdPrefix begins a key that stands for a setting of systemd's.
const systemdPrefix = "systemd."

// systemdKeys has a key for each setting that msup takes.
var systemdKeys = func() map[string]*Key {
	all := map[string]*Key{}
	for _, e := range property.Entries() {
		if e.Instead != "" || e.Types&(property.Service|property.Scope) == 0 {
			continue
		}
		all[systemdPrefix+e.Name] = &Key{
			Section: programSection, Name: systemdPrefix + e.Name, Kind: Systemd, Unset: "systemd's", Repeats: e.List,
			Allowed: e.Allowed(), Example: e.Example(), Doc: fmt.Sprintf("See %s(5).", e.Man), set: setSystemd,
		}
	}
	return all
}()

// entry is the setting that a key systemd.NAME stands for, nil for another key.
func (k Key) entry() *property.Entry {
	if name, ok := strings.CutPrefix(k.Name, systemdPrefix); ok {
		return property.Lookup(name)
	}
	return nil
}

// isSystemd tells systemd's settings from keys, in the sections that have both.
func isSystemd(section, name string) bool {
	return tableSection(section) == programSection && strings.HasPrefix(name, systemdPrefix)
}

// unknownSystemd says what is wrong with a key systemd.NAME that is none.
func unknownSystemd(key string) (message, hint string) {
	name := strings.TrimPrefix(key, systemdPrefix)
	if e := property.Lookup(name); e != nil && e.Instead != "" {
		return "msup itself sets this one", e.Instead
	}
	if why, ok := property.Refused(name); ok {
		return "a program's unit cannot have it", why
	}
	if e := property.OfProperty(name); e != nil {
		hint = fmt.Sprintf("write %s%s, for example %s", systemdPrefix, e.Name, e.Example())
		if e.Instead != "" {
			hint = e.Instead
		}
		return "that is the name of a D-Bus property; in unit files the setting is " + e.Name, hint
	}
	lower := map[string]string{}
	var names []string
	for _, n := range property.Names(property.Service | property.Scope) {
		lower[strings.ToLower(n)] = n
		names = append(names, strings.ToLower(n))
	}
	for _, e := range property.Entries() {
		if e.Instead != "" && strings.EqualFold(e.Name, name) {
			return "systemd has no such setting; it has " + e.Name, e.Instead
		}
	}
	if near := Suggest(name, names); near != "" {
		return "systemd has no such setting", fmt.Sprintf("did you mean %s%s?", systemdPrefix, lower[near])
	}
	return "systemd has no such setting for a service", "the names are those of systemd.exec(5), systemd.service(5), systemd.resource-control(5), systemd.kill(5) and systemd.unit(5)"
}

// specifier is what systemd would expand in a unit file, systemd.unit(5).
var specifier = regexp.MustCompile(`%[A-Za-z]`)

// setSystemd takes a setting of systemd's. An empty value takes back those before it.
func setSystemd(t *target, s setting) error {
	e := s.key.entry()
	if _, err := e.Parse([]string{s.value}, property.Newest); err != nil {
		hint := fmt.Sprintf("use %s, for example %s", e.Allowed(), e.Example())
		if strings.HasSuffix(err.Error(), " is not "+e.Allowed()) {
			hint = "write for example " + e.Example() // the words stand there already
		}
		return hinted(hint, "%v", err)
	}
	if s.value == "" || !e.List {
		t.prog.systemd = slices.DeleteFunc(t.prog.systemd, func(o setting) bool { return o.key == s.key })
	}
	if s.comment == ';' {
		t.warn(s, "everything from the ; on is a comment", "a literal ; stands in quotes")
	}
	if m := specifier.FindString(s.value); m != "" {
		t.warn(s, fmt.Sprintf("%s is not expanded: it stands for itself", m), "")
	}
	t.prog.systemd = append(t.prog.systemd, s)
	return nil
}

// fillSystemd puts together what the preset and the settings of a program come to, when
// its directory and executable are known.
func (l *loader) fillSystemd(d *draft) {
	user := l.host.euid != 0
	var own []property.Setting
	for _, s := range d.systemd {
		if l.takesSystemd(d, s) {
			own = append(own, property.Setting{Name: s.key.entry().Name, Value: s.value})
		}
	}
	if d.Sandbox != "" && d.Type == units.Scope {
		l.scopeCannot(d, d.at("sandbox"))
		d.Sandbox = ""
	}
	// What belongs to a program is mostly below the folder of its configuration.
	place := property.Place{Directory: d.Directory, User: user, Files: []string{d.header.src.dir}}
	if d.Path != "" {
		place.Files = append(place.Files, d.Path)
	}
	all := property.Override(property.Sandbox(d.Sandbox, place), own)
	// An empty value has done what it is for.
	d.Systemd = slices.DeleteFunc(all, func(s property.Setting) bool { return s.Value == "" && !property.Lookup(s.Name).Empty })
	if user {
		l.checkUserManager(d)
	} else {
		l.checkHidden(d)
	}
}

// takesSystemd checks a setting against the program that it is for.
func (l *loader) takesSystemd(d *draft, s setting) bool {
	e := s.key.entry()
	if d.Type == units.Scope && e.Types&property.Scope == 0 {
		l.scopeCannot(d, s)
		return false
	}
	if n := e.Needs(s.value); n > property.Oldest {
		l.cfg.newer = append(l.cfg.newer, newer{s, n, false, ""})
	}
	if slices.Contains([]string{"ExecReload", "ExecStop", "ExecStopPost"}, e.Name) && strings.ContainsAny(s.value, "$;'") {
		l.cfg.newer = append(l.cfg.newer, newer{s, 254, true, ""})
	}
	return true
}

// scopeCannot tells that a scope has none of a setting that is about how systemd starts a
// program. Of [defaults] it is left out.
func (l *loader) scopeCannot(d *draft, s setting) {
	const hint = "systemd starts only services itself; leave unit_type = scope away"
	if s.section == defaultsSection {
		l.warn(s.src, s.diagnostic("program "+d.Name+" is a scope and runs without it", hint))
		return
	}
	l.report(s.src, s.diagnostic("a scope cannot have it", hint))
}

// checkUserManager tells what an ordinary user's service manager makes of the settings.
func (l *loader) checkUserManager(d *draft) {
	private := slices.ContainsFunc(d.Systemd, func(s property.Setting) bool {
		on, err := parseBool(s.Value)
		return s.Name == "PrivateUsers" && (err != nil || on)
	})
	for _, s := range d.systemd {
		e := s.key.entry()
		switch under := e.InUserManager(); {
		case s.value == "" && !e.Empty:
		case strings.HasSuffix(e.Name, "Action") && (s.value == "none" || strings.HasPrefix(s.value, "exit")): // of the user manager itself
		case e.Root != "":
			l.reportFor(d, s, "the user manager cannot do it: "+e.Root, "run msup as root, or remove the key")
		case private, under == property.Works:
		case under == property.Fails && !isNo(s.value):
			l.reportFor(d, s, "the user manager cannot do it by itself", "add systemd.PrivateUsers = yes")
		case under == property.Ignored && !isNo(s.value):
			l.warnFor(d, s, "the user manager ignores it by itself", "add systemd.PrivateUsers = yes")
		}
	}
}

func isNo(value string) bool {
	on, err := parseBool(value)
	return err == nil && !on
}

// warnFor is [loader.reportFor] for warnings.
func (l *loader) warnFor(d *draft, s setting, message, hint string) {
	if s.section == defaultsSection {
		message = "program " + d.Name + ": " + message
	}
	l.warn(s.src, s.diagnostic(message, hint))
}

// newer is a setting that not every systemd has.
type newer struct {
	setting
	version int // the first that has it
	// damaged says that an older one takes it, but after a daemon-reload runs something else:
	// it puts a backslash before each $, ; and ' of a command that it is still to run.
	damaged bool
	hint    string
}

// NeedsSystemd is the major version of systemd that all settings of the configuration
// need, [property.Oldest] if any will do.
func (c *Config) NeedsSystemd() int {
	most := property.Oldest
	for _, n := range c.newer {
		most = max(most, n.version)
	}
	return most
}

// CheckSystemd checks the settings against the major version of systemd that is to run
// the programs, and may add to c.Warnings. The error is an [*Error] with all that are too
// new for it.
func (c *Config) CheckSystemd(version int) error {
	var found, warnings []problem
	for _, n := range c.newer {
		switch {
		case n.version <= version:
		case n.damaged:
			d := n.diagnostic(fmt.Sprintf("after a daemon-reload systemd %d runs it with a backslash before each $, ; and '", version), "put the command into a script")
			d.File = n.src.shown
			warnings = append(warnings, problem{n.src.index, n.src.original(d)})
		default:
			d := n.diagnostic(fmt.Sprintf("it needs systemd %d, here is %d", n.version, version), n.hint)
			if e := n.key.entry(); e == nil || e.Since <= version {
				d.Message = fmt.Sprintf("%s needs systemd %d, here is %d", quote(n.value), n.version, version)
			}
			d.File = n.src.shown
			found = append(found, problem{n.src.index, n.src.original(d)})
		}
	}
	c.Warnings = append(c.Warnings, sorted(warnings)...)
	if found == nil {
		return nil
	}
	return &Error{Diagnostics: sorted(found), Warnings: c.Warnings}
}

func setSandbox(t *target, s setting) error {
	if err := oneOf(s.value, property.Sandboxes...); err != nil {
		return err
	}
	t.prog.Sandbox = s.value
	if s.value == property.Sandboxes[0] {
		t.prog.Sandbox = ""
	}
	return nil
}
