package convert

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// stream is one of the two outputs of a program.
type stream struct {
	name     string // stdout or stderr
	logfile  *iniKey
	kind     streamKind
	path     string // with marks; of a file
	size     uint64
	backups  int
	sizeKey  *iniKey
	countKey *iniKey
}

type streamKind int

const (
	toAuto      streamKind = iota // a file that supervisord makes up and removes
	toNothing                     // NONE
	toContainer                   // /dev/stdout: what supervisord itself writes to
	toSyslog
	toFile
)

// containerOutput is where a program of a container writes to what the container's log has.
var containerOutput = regexp.MustCompile(`^(/dev/(stdout|stderr|console|tty|fd/[12])|/proc/(self|1)/fd/[12])$`)

// stream reads the keys of an output.
func (p *program) stream(name string) *stream {
	c := p.supervisord
	s := &stream{name: name, size: 50 << 20, backups: 10}
	key := func(suffix string) *iniKey { return c.keyOf(p.section, name+suffix) }
	s.logfile, s.sizeKey, s.countKey = key("_logfile"), key("_logfile_maxbytes"), key("_logfile_backups")
	if s.logfile != nil {
		value, ok := c.expand(s.logfile, p.x)
		value = strings.TrimSpace(value)
		switch lower := strings.ToLower(value); {
		case !ok, lower == "auto":
		case lower == "none", lower == "off", lower == "", lower == "/dev/null":
			s.kind = toNothing
		case lower == "syslog":
			s.kind = toSyslog
		case containerOutput.MatchString(value):
			s.kind = toContainer
		case goesOn(value):
			c.wrong(s.logfile, errGoesOn)
		case strings.HasPrefix(value, "~") && value != "~" && !strings.HasPrefix(value, "~/"):
			c.wrong(s.logfile, fmt.Errorf("the home of another user is not looked up in %s: write the whole path", quote(value)))
		case strings.HasSuffix(value, "/"), slices.Contains([]string{".", ".."}, path.Base(value)):
			c.wrong(s.logfile, fmt.Errorf("%s is a folder", quote(value)))
		default:
			s.kind, s.path = toFile, c.logPath(value)
		}
		if s.kind == toNothing && p.boolean(name+"_syslog", false) {
			s.kind = toSyslog // NONE is about the file alone
		}
	}
	if s.sizeKey != nil {
		if value, ok := c.now(s.sizeKey, p.x); ok {
			var err error
			if s.size, err = byteSize(value); err != nil {
				c.wrong(s.sizeKey, err)
			}
		}
	}
	if s.countKey != nil {
		s.backups = c.integer(p.section, name+"_logfile_backups", s.backups, p.x)
	}
	return s
}

// logPath is the path of a log file as the configuration will name it, with marks.
func (c *supervisord) logPath(value string) string {
	value = c.home(value)
	if path.IsAbs(value) {
		return c.path(value)
	}
	return c.relative(value)
}

// home is a path with the home in the place of ~.
func (c *supervisord) home(value string) string {
	if home, ok := c.env("HOME"); ok && (value == "~" || strings.HasPrefix(value, "~/")) {
		return home + value[1:]
	}
	return value
}

// notFiles are words for stdout and stderr that are no file's name.
var notFiles = []string{"journal", "null", "stdout", "none", "off", "discard", "devnull", "auto", "syslog", "inherit"}

// fileName is a path that is not read as one of the words.
func fileName(p string) string {
	if slices.Contains(notFiles, strings.ToLower(p)) {
		return "./" + p
	}
	return p
}

// output writes where both outputs go, and how the files are rotated.
func (p *program) output() {
	c := p.supervisord
	merged := p.boolean("redirect_stderr", false)
	out, err := p.stream("stdout"), p.stream("stderr")
	redirect := c.keyOf(p.section, "redirect_stderr")
	p.send(out, "")
	if merged {
		if redirect != nil && !c.lost[redirect] {
			if out.kind == toAuto || out.kind == toSyslog {
				c.note(redirect, Kept, nil, "both are in the journal", "")
			} else {
				c.kept(p.out, redirect, "stderr", "stdout")
			}
		}
		if k := err.logfile; k != nil {
			if err.kind == toFile || err.kind == toContainer {
				c.note(k, Dropped, nil, "redirect_stderr is set, so supervisord itself ignores it", "")
			} else {
				c.note(k, Kept, nil, "", "")
			}
		}
		for _, k := range []*iniKey{err.sizeKey, err.countKey} {
			if k != nil {
				c.note(k, Kept, nil, "there is no such file", "")
			}
		}
	} else {
		if redirect != nil && !c.lost[redirect] {
			c.note(redirect, Kept, nil, "", "")
		}
		p.send(err, out.path)
	}
	p.rotation(out, err, merged)
	for _, name := range []string{"stdout_syslog", "stderr_syslog"} {
		if k := c.keyOf(p.section, name); k != nil {
			if on := p.boolean(name, false); !c.lost[k] && on {
				c.note(k, Kept, nil, "the journal has every line; a syslog daemon reads it from there", "")
			} else if !c.lost[k] {
				c.note(k, Kept, nil, "", "")
			}
		}
	}
}

// send writes where an output goes. other is the file of the other one.
func (p *program) send(s *stream, other string) {
	c, k := p.supervisord, s.logfile
	if k == nil {
		return // AUTO, see below, and nobody has asked for it
	}
	switch s.kind {
	case toAuto:
		c.note(k, Changed, nil, "the journal has it, and keeps it; msup logs "+p.out.Name+" shows it", "")
	case toSyslog:
		c.note(k, Kept, nil, "the journal has it; a syslog daemon reads it from there", "")
	case toNothing:
		c.kept(p.out, k, s.name, "null")
	case toContainer:
		file := path.Join("logs", template(p.fileStem())+".log")
		if s.name == "stderr" {
			if p.out.get("stdout") == file {
				c.changed(p.out, k, s.name, "stdout", toHost)
				return
			}
			file = path.Join("logs", template(p.fileStem())+".err.log")
		}
		c.changed(p.out, k, s.name, file, toHost)
		s.path = file
	case toFile:
		if s.path == other {
			c.kept(p.out, k, s.name, "stdout")
			return
		}
		c.kept(p.out, k, s.name, fileName(template(s.path)))
	}
}

const toHost = "on a host there is no container's log: it goes to this file and to the journal"

// fileStem is the name of a program as part of a file's name, another one for each instance.
func (p *program) fileStem() string {
	if p.numprocs > 1 {
		return p.out.Name + "-" + mark + "instance" + mark
	}
	return p.out.Name
}

// rotation writes when files are rotated. msup has one rule for both outputs of a program.
func (p *program) rotation(out, err *stream, merged bool) {
	c := p.supervisord
	used := out
	if out.kind != toFile && !merged {
		used = err
	}
	for _, s := range []*stream{out, err} {
		if merged && s == err {
			continue
		}
		for _, k := range []*iniKey{s.sizeKey, s.countKey} {
			if k == nil || c.lost[k] {
				continue
			}
			if s.kind != toFile {
				why := "the journal has limits of its own, see journald.conf(5)"
				switch s.kind {
				case toContainer:
					why = "it is about the container's log, which cannot be rotated; the file is, as by default"
				case toNothing:
					why = "there is no file"
				}
				c.note(k, Kept, nil, why, "")
			}
		}
	}
	if used.kind != toFile {
		if out.kind == toContainer || err.kind == toContainer {
			_ = p.out.set(Place{}, "log_compress", "false")
		}
		return
	}
	_ = p.out.set(Place{}, "log_compress", "false")
	size, why := used.size, ""
	if size != 0 && size < 4<<10 {
		size, why = 4<<10, "4K is the least that msup takes"
	}
	p.fileKey(used.sizeKey, "log_max_size", sizeWords(size), why)
	count, why := used.backups, ""
	if count > 1000 || count < 0 {
		count, why = min(1000, max(0, count)), "msup keeps from 0 to 1000"
	}
	p.fileKey(used.countKey, "log_backups", strconv.Itoa(count), why)
	if used == err || merged || err.kind != toFile {
		return
	}
	// stderr has a file of its own.
	if k := err.sizeKey; k != nil && !c.lost[k] {
		c.same(k, err.size == used.size, "log_max_size = "+sizeWords(size))
	}
	if k := err.countKey; k != nil && !c.lost[k] {
		c.same(k, err.backups == used.backups, "log_backups = "+strconv.Itoa(count))
	}
}

// same notes what has become of a key of stderr that stdout has as well.
func (c *supervisord) same(k *iniKey, is bool, line string) {
	if is {
		c.note(k, Kept, []string{line}, "", "")
		return
	}
	c.note(k, Changed, []string{line}, "both outputs of a program are rotated alike, as stdout is", "")
}

// fileKey sets a key of the rotation.
func (p *program) fileKey(k *iniKey, name, value, why string) {
	switch {
	case k == nil:
		_ = p.out.set(Place{}, name, value)
	case p.lost[k]:
	case why != "":
		p.changed(p.out, k, name, value, why)
	default:
		p.kept(p.out, k, name, value)
	}
}

// sizeWords is a size as a person writes it.
func sizeWords(n uint64) string {
	for _, u := range []struct {
		word string
		size uint64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.word)
		}
	}
	return strconv.FormatUint(n, 10)
}

// shareLogs makes programs that write to one file agree on what is about the file, which
// supervisord does not ask for: the first one's holds.
func (c *supervisord) shareLogs() {
	type writer struct {
		p     *program
		owner string
	}
	first := map[string]writer{}
	owner := func(p *program) string { return p.out.get("user") + ":" + p.out.get("group") }
	var owned []*program
	for _, p := range c.programs {
		for _, name := range []string{"stdout", "stderr"} {
			file := p.out.get(name)
			if file == "" || slices.Contains(notFiles, file) {
				continue
			}
			if own := c.document.find(projectSection, ""); own.get("logfile") != "" && (file == own.get("logfile") || file == c.logfile) {
				// Two may not write one file in their own way each.
				for i := range own.Keys {
					if own.Keys[i].Name == "logfile" {
						own.Keys[i].Value = "none"
					}
				}
				for k, e := range c.entries {
					if k.section == "supervisord" && k.name == "logfile" {
						e.Became, e.Why = []string{"logfile = none"}, "program "+p.out.Name+" writes to that file; the journal has each change of state"
					}
				}
			}
			w, taken := first[file]
			if !taken {
				first[file] = writer{p, owner(p)}
				continue
			}
			if w.p == p {
				continue
			}
			for _, key := range []string{"log_max_size", "log_backups"} {
				if v := w.p.out.get(key); v != p.out.get(key) {
					_ = p.out.set(Place{}, key, v)
					c.overruled(p, key, "program "+w.p.out.Name+" writes to the same file, and one rule is for both")
				}
			}
			if w.owner != owner(p) {
				owned = append(owned, w.p, p)
			}
		}
	}
	for _, p := range owned {
		_ = p.out.set(Place{}, "log_owner", "root") // as supervisord's files are
	}
}

// overruled notes that a key of the rotation has another value than those of the file's that had
// become it.
func (c *supervisord) overruled(p *program, key, why string) {
	suffix := map[string]string{"log_max_size": "_logfile_maxbytes", "log_backups": "_logfile_backups"}[key]
	for _, name := range []string{"stdout", "stderr"} {
		k := c.keyOf(p.section, name+suffix)
		if e := c.entries[k]; e != nil && slices.ContainsFunc(e.Became, func(line string) bool { return strings.HasPrefix(line, key+" = ") }) {
			e.Verdict, e.Became, e.Why = Changed, []string{key + " = " + p.out.get(key)}, why
		}
	}
}
