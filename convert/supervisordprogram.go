package convert

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// programKeys are the keys of [program:x], and what converts each. Those that mean something
// only together have one function, which is called for the first of them.
var programKeys = map[string]func(*program, *iniKey){}

func init() {
	together := func(f func(*program), names ...string) {
		for _, n := range names {
			programKeys[n] = func(p *program, _ *iniKey) {
				if !p.done[names[0]] {
					p.done[names[0]] = true
					f(p)
				}
			}
		}
	}
	programKeys["command"] = (*program).command
	programKeys["directory"] = (*program).directory
	programKeys["user"] = (*program).user
	programKeys["umask"] = (*program).umask
	programKeys["autostart"] = (*program).autostart
	programKeys["priority"] = (*program).order
	programKeys["stopsignal"] = (*program).stopSignal
	programKeys["stopwaitsecs"] = (*program).stopTimeout
	programKeys["serverurl"] = (*program).serverURL
	together((*program).processes, "numprocs", "numprocs_start", "process_name")
	together((*program).starts, "startsecs", "startretries")
	together((*program).restarts, "autorestart", "exitcodes")
	together((*program).killMode, "stopasgroup", "killasgroup")
	together((*program).environment, "environment")
	together((*program).output, "redirect_stderr",
		"stdout_logfile", "stdout_logfile_maxbytes", "stdout_logfile_backups", "stdout_syslog",
		"stderr_logfile", "stderr_logfile_maxbytes", "stderr_logfile_backups", "stderr_syslog")
	for _, n := range []string{"stdout_capture_maxbytes", "stdout_events_enabled", "stderr_capture_maxbytes", "stderr_events_enabled"} {
		programKeys[n] = (*program).events
	}
}

// convert makes a program of msup's of the keys, in their order.
func (p *program) convert() {
	c := p.supervisord
	c.document.Sections = append(c.document.Sections, p.out)
	p.x = c.global
	p.x = p.x.with("program_name", p.name)
	p.x.texts["group_name"] = cmp.Or(p.group, p.name)
	p.count()
	p.readEnvironment()
	command := c.keyOf(p.section, "command")
	if command == nil {
		c.fail(p.section.place, config.Diagnostic{Section: p.section.name, Message: "the program has no command", Hint: "add one, for example command=/usr/bin/python3 -m http.server 8080"})
		return
	}
	p.command(command) // it comes first
	for _, k := range c.keysOf(p.section) {
		switch f := programKeys[k.name]; {
		case k.name == "command", c.isStartupKey(k.name): // see waits
		case f != nil:
			f(p, k)
		default:
			c.unknown(k)
		}
	}
	// What holds without a key is not what msup does either.
	for _, name := range []string{"startsecs", "autorestart", "stopasgroup", "environment", "stdout_logfile"} {
		programKeys[name](p, nil)
	}
	if p.before != nil {
		_ = p.out.set(Place{}, "depends_on", p.waitsFor())
	}
}

// ochinchinaKeys are keys that ochinchina/supervisord has beside, and what to use instead.
var ochinchinaKeys = map[string]string{
	"depends_on": "depends_on = NAME", "restartpause": "restart_delay = SECONDS", "envFiles": "env_file = PATH", "envfiles": "env_file = PATH",
	"cron": "schedule", "stdout_logfile_timestamp": "log_timestamps = rfc3339",
	"restart_when_binary_changed": "msup restart", "pre_start_hooks": "before_start = COMMAND", "pre_stop_hooks": "before_stop = COMMAND",
}

// unknown is a key that supervisord does not know.
func (c *supervisord) unknown(k *iniKey) {
	if instead, ok := ochinchinaKeys[k.name]; ok {
		c.note(k, Dropped, nil, "only ochinchina/supervisord knows the key", instead)
		return
	}
	instead := ""
	if near := config.Suggest(k.name, slices.Sorted(maps.Keys(programKeys))); near != "" {
		instead = "did you mean " + near + "?"
	} else if keyOf(programSection, k.name) != nil {
		instead = "msup has the key " + k.name
	}
	c.note(k, Dropped, nil, "supervisord itself does not know the key and ignores it", instead)
}

// count finds out how many processes there are, on which the values of other keys depend.
func (p *program) count() {
	c, s := p.supervisord, p.section
	p.numprocs = c.integer(s, "numprocs", 1, p.x)
	start := c.integer(s, "numprocs_start", 0, p.x)
	if k := c.keyOf(s, "numprocs"); k != nil && p.numprocs > maxInstances {
		c.wrong(k, fmt.Errorf("%d processes are too many: msup runs up to %d of a program", p.numprocs, maxInstances))
		p.numprocs = 1
	}
	if k := c.keyOf(s, "numprocs_start"); k != nil && (start < 0 || start > 1_000_000) {
		c.wrong(k, fmt.Errorf("%d is out of range", start))
		start = 0
	}
	p.x.numbers = map[string]int{processNum: start, "numprocs": p.numprocs}
	p.x.instances = p.numprocs > 1
	p.process = p.name
	if k := c.keyOf(s, "process_name"); k != nil {
		if value, ok := c.expand(k, p.x); ok {
			p.process = strings.TrimSpace(value)
		}
		if p.numprocs > 1 && !strings.Contains(k.value, "%(process_num)") {
			c.wrong(k, fmt.Errorf("with several processes it needs %%(process_num)d, so that each has its own name"))
		}
	} else if p.numprocs > 1 {
		c.fail(c.keyOf(s, "numprocs").place, config.Diagnostic{
			Section: s.name, Key: "numprocs", Message: "with several processes there must be a process_name with %(process_num)d",
			Hint: "add process_name = %(program_name)s_%(process_num)02d",
		})
	}
}

// maxInstances is what msup takes, units.MaxInstances.
const maxInstances = 1000

func (p *program) processes() {
	c := p.supervisord
	if k := c.keyOf(p.section, "numprocs"); k != nil {
		switch {
		case c.lost[k]: // it is not known
		case p.numprocs == 1:
			c.note(k, Kept, nil, "", "")
		case p.numprocs < 1:
			c.changed(p.out, k, "autostart", "false", "there are none; msup start starts one")
		default:
			c.changed(p.out, k, "instances", strconv.Itoa(p.numprocs),
				fmt.Sprintf("the processes are called %s@1 to %s@%d; msup scale changes their number", p.out.Name, p.out.Name, p.numprocs))
		}
	}
	if k := c.keyOf(p.section, "numprocs_start"); k != nil && !c.lost[k] {
		c.note(k, Kept, nil, fmt.Sprintf("instances are counted from 1; {{instance %d}} counts from %d", p.x.numbers[processNum], p.x.numbers[processNum]), "")
	}
	if k := c.keyOf(p.section, "process_name"); k != nil {
		switch {
		case p.numprocs > 1:
			c.note(k, Changed, nil, fmt.Sprintf("each is called %s@ and its number; SUPERVISOR_PROCESS_NAME has the name of before", p.out.Name), "")
		case p.process == p.name:
			c.note(k, Kept, nil, "", "")
		default:
			c.note(k, Changed, nil, fmt.Sprintf("it is called %s; SUPERVISOR_PROCESS_NAME has the name of before", p.out.Name), "")
		}
	}
}

func (p *program) directory(k *iniKey) {
	c := p.supervisord
	value, ok := c.expand(k, p.x)
	switch {
	case !ok:
	case value == "":
		c.note(k, Kept, nil, "", "")
	case goesOn(value):
		c.wrong(k, errGoesOn)
	case path.IsAbs(value):
		c.kept(p.out, k, "directory", template(c.path(value)))
	case strings.HasPrefix(value, "~"):
		c.changed(p.out, k, "directory", template(c.relative(value)), "~ is no home here, for supervisord neither: it is a folder of that name")
	default:
		c.changed(p.out, k, "directory", template(c.relative(value)), "it is taken from the folder of the configuration, not from where supervisord was started")
	}
}

// relative is a relative path of the file as the configuration will name it.
func (c *supervisord) relative(value string) string {
	return c.path(path.Join(path.Dir(c.paths[0]), value))
}

func (p *program) user(k *iniKey) {
	c := p.supervisord
	value, ok := c.now(k, p.x)
	if !ok {
		return
	}
	name, group, both := strings.Cut(strings.TrimSpace(value), ":")
	switch {
	case name == "":
		c.wrong(k, fmt.Errorf("there is no user in it"))
	case goesOn(value): // to drop it would make the program root's
		c.wrong(k, errGoesOn)
	case both:
		lines := c.put(p.out, k, "user", name)
		lines = append(lines, c.put(p.out, k, "group", group)...)
		c.note(k, Changed, lines, "supervisord itself takes no group here; "+ownHome(name), "")
	case name == "root" || name == "0":
		c.kept(p.out, k, "user", name)
	default:
		c.changed(p.out, k, "user", name, ownHome(name))
	}
}

// ownHome says what systemd does and supervisord does not.
func ownHome(name string) string {
	return "HOME, USER, LOGNAME and SHELL are those of " + name + ", not those of who has started supervisord"
}

func (p *program) umask(k *iniKey) { p.supervisord.umask(p.out, k, p.x) }

func (c *supervisord) umask(s *Section, k *iniKey, x expansions) {
	value, ok := c.now(k, x)
	if !ok {
		return
	}
	mask, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(value), "0o"), 8, 32)
	if err != nil || mask > 0o777 {
		c.wrong(k, fmt.Errorf("%s is not an octal file mode mask", quote(value)))
		return
	}
	c.kept(s, k, "umask", fmt.Sprintf("%03o", mask))
}

// boolean is the value of a key that is true or false.
func (p *program) boolean(name string, otherwise bool) bool {
	c := p.supervisord
	k := c.keyOf(p.section, name)
	if k == nil {
		return otherwise
	}
	value, ok := c.now(k, p.x)
	if !ok {
		return otherwise
	}
	b, err := pythonBool(value)
	if err != nil {
		c.wrong(k, err)
		return otherwise
	}
	return b
}

func (p *program) autostart(k *iniKey) {
	c, value := p.supervisord, p.boolean("autostart", true)
	switch {
	case c.lost[k]:
	case p.numprocs < 1:
		c.note(k, Kept, nil, "there are no processes", "")
	default:
		c.kept(p.out, k, "autostart", strconv.FormatBool(value))
	}
}

func (p *program) order(k *iniKey) { p.ordered(k, p.before) }

func (p *program) serverURL(k *iniKey) {
	p.note(k, Dropped, nil, "msup has no XML-RPC server, so SUPERVISOR_SERVER_URL is not set", "a program can call msup itself")
}

func (p *program) events(k *iniKey) {
	value, ok := p.now(k, p.x)
	if off, err := pythonBool(value); ok && (err == nil && !off || value == "0") {
		p.note(k, Kept, nil, "", "")
		return
	}
	if ok {
		p.note(k, Dropped, nil, "msup has no events", "msup logs -f shows what all programs write, and so does the journal")
	}
}
