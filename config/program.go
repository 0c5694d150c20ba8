package config

import (
	"fmt"
	"strings"

	"msup/units"
)

// draft is a program that is being put together.
type draft struct {
	units.Program
	header    setting // where the program begins
	given     map[string]setting
	all       []setting
	variables map[string]setting // where each environment variable was set
	passed    []passed           // of pass_environment
	envFiles  []setting          // of EnvFiles
	hooks     []hookAt           // of Hooks
	actions   []actionAt         // of Actions
	systemd   []setting          // keys systemd.NAME
	good      bool               // its name is right and its own, so that it can be added
	instances int                // how many it shall have; 0 = none
}

func (l *loader) newDraft(name string, header setting) *draft {
	d := &draft{Program: l.base, header: header, given: map[string]setting{}, variables: map[string]setting{}}
	d.Name = name
	return d
}

// at is where a key of the program was given, the header if it was not.
func (d *draft) at(key string) setting {
	if s, ok := d.given[key]; ok {
		return s
	}
	return d.header
}

// findPrograms makes a draft of each program section of all files.
func (l *loader) findPrograms() {
	first := map[string]setting{}
	sections := 0
	for _, src := range l.sources {
		for i := range src.blocks {
			b := &src.blocks[i]
			if b.kind != programSection {
				continue
			}
			sections++
			header := setting{src: src, line: b.line, section: b.title(), key: &Key{}}
			d := l.newDraft(b.name, header)
			d.good = true
			if msg := nameProblem(b.name); msg != "" {
				d.good = false
				hint := "use up to 64 letters, digits, _ . and -, beginning with a letter or digit, for example web"
				if base, _, at := strings.Cut(b.name, "@"); at && nameProblem(base) == "" {
					hint = fmt.Sprintf("[program %s] with instances = 2 gives %s@1 and %s@2", base, base, base)
				}
				l.report(src, header.diagnostic(msg, hint))
			} else if at, again := first[b.name]; again {
				d.good = false
				l.report(src, header.diagnostic(fmt.Sprintf("program %s stands in %s already", b.name, at.place()), "give it another name"))
			} else {
				first[b.name] = header
			}
			own := l.settings(src, b)
			isOwn := map[string]bool{}
			for _, s := range own {
				isOwn[s.key.Name] = true
			}
			for _, s := range l.defaults {
				// A program's own key replaces the default, lists grow.
				if s.key.Repeats || !isOwn[s.key.Name] {
					d.all = append(d.all, s)
				}
			}
			d.all = append(d.all, own...)
			for _, s := range d.all {
				d.given[s.key.Name] = s
			}
			if _, ok := d.given["command"]; !ok && !hasKey(b, "command") && !meansCommand(b) {
				l.report(src, header.diagnostic("the program has no command", "add one, for example command = /usr/bin/python3 -m http.server 8080"))
			}
			l.programs = append(l.programs, d)
		}
	}
	if sections == 0 && len(l.errors) == 0 {
		l.report(l.sources[0], Diagnostic{
			Message: "there is no program in the configuration",
			Hint:    "add one, for example [program web] with a line command = /usr/bin/python3 -m http.server 8080",
		})
	}
}

// meansCommand reports whether an unknown key of b is most likely its command: that is the
// mistake then, and said already.
func meansCommand(b *block) bool {
	for _, e := range b.entries {
		if keyOf(b.kind, e.key) != nil {
			continue
		}
		if hint := unknownKeyHint(b.kind, e.key); hint == calledHint("command") || hint == nearHint("command") {
			return true
		}
	}
	return false
}

func hasKey(b *block, key string) bool {
	for _, e := range b.entries {
		if e.key == key {
			return true
		}
	}
	return false
}

// completeMemory says what the limits of memory mean for each other. high is where
// memory_high was given.
func (t *target) completeMemory(high setting) {
	lim := &t.prog.Limits
	// What is in memory and over the limit must not go to swap instead.
	if lim.MemoryMax != nil && *lim.MemoryMax != units.Infinity && lim.SwapMax == nil {
		lim.SwapMax = new(uint64)
	}
	if lim.MemoryMax != nil && lim.MemoryHigh != nil && *lim.MemoryHigh > *lim.MemoryMax {
		t.warn(high, "memory_high is above memory_limit and has no effect", "")
	}
}

// written is settings as a user compares them.
func written(all []setting) []units.Setting {
	var out []units.Setting // nil if there are none: that is what is read again
	for _, s := range all {
		out = append(out, units.Setting{Key: s.key.Name, Value: s.value})
	}
	return inOrder(out)
}

// fill reads the settings of a program and completes it.
func (l *loader) fill(d *draft) {
	t := &target{loader: l, prog: d}
	l.fillIn(d)
	t.applyAll(d.all)
	l.pass(t)

	d.Unit = units.UnitName(l.cfg.Name, d.Name, d.Type)
	if d.Description == "" {
		d.Description = "msup program " + d.Name
		if l.cfg.Name != units.DefaultProject {
			d.Description += " of project " + l.cfg.Name
		}
	}
	if d.Directory == "" {
		d.Directory = d.header.src.dir
	}
	t.completeMemory(d.at("memory_high"))
	t.completeProbes()
	checkRules(t)
	l.checkListen(t)
	l.fillOutput(d)
	d.Settings = written(d.all)
	d.Digest, d.FormerDigest = d.digest()
	l.resolve(t)
	l.fillHooks(t)
	l.resolveProbes(t)
	l.fillSystemd(d)
	l.checkTold(d)
	l.checkLife(d)
	if l.check {
		l.checkDirectory(d)
		l.checkUsers(d)
		l.checkEnvFiles(d)
		l.checkOutput(d, "stdout", d.Stdout)
		if d.Stderr != d.Stdout {
			l.checkOutput(d, "stderr", d.Stderr)
		}
	}
}
