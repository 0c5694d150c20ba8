package convert

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
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
			p.done["autostart"] = true
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

// command is split here, as Python does, and written so that msup splits it in the same way.
func (p *program) command(k *iniKey) {
	c := p.supervisord
	value, ok := c.expand(k, p.x)
	if !ok {
		return
	}
	argv, err := splitCommand(value)
	if err == nil && (len(argv) == 0 || argv[0] == "") {
		err = fmt.Errorf("the command is empty")
	}
	if err != nil {
		c.wrong(k, err)
		return
	}
	why := ""
	for i, arg := range argv {
		if strings.ContainsAny(arg, "\n\r") {
			argv[i], why = joinLines(arg), "a line break in an argument is written as the shell would read it on one line"
		}
		argv[i] = template(argv[i])
	}
	lines := c.put(p.out, k, "command", words(argv...))
	if lines == nil {
		c.fail(k.place, config.Diagnostic{Section: k.section, Key: k.name, Message: "the command cannot be written: " + c.entries[k].Why, Hint: "put it into a script"})
		return
	}
	if passed := p.needs(argv); passed != nil {
		_ = p.out.set(k.place, "pass_environment", strings.Join(passed, " "))
		lines = append(lines, "pass_environment = "+strings.Join(passed, " "))
		switch {
		case len(passed) > 1 || passed[0] != "PATH":
			why = "the shell reads variables that are not set here: they come from the environment of msup up"
		case why == "":
			why = "what it runs is looked for in the PATH of msup up"
		}
	}
	v := Kept
	if why != "" {
		v = Changed
	}
	c.note(k, v, lines, why, "")
}

// lineEnd is what stands at the end of a line that goes on on the next one.
var lineEnd = regexp.MustCompile(`(&&|\|\||[|;({]|\b(then|do|else))$`)

// joinLines puts the lines of a shell's script into one.
func joinLines(script string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.ReplaceAll(script, "\r", "\n"), "\n") {
		line = strings.TrimSpace(line)
		switch before := b.String(); {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case before == "":
		case strings.HasSuffix(before, `\`):
			b.Reset()
			b.WriteString(strings.TrimRight(strings.TrimSuffix(before, `\`), " \t") + " ")
		case lineEnd.MatchString(before):
			b.WriteByte(' ')
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

var (
	shell = regexp.MustCompile(`^(ba|da|z|k|a)?sh$`)
	// ofShell is a variable that a script reads.
	ofShell = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)
	// assigned is one that a script sets itself.
	assigned = regexp.MustCompile(`(?:^|[\s;&|(])(?:export\s+|local\s+|read\s+(?:-r\s+)?|for\s+)?([A-Za-z_][A-Za-z0-9_]*)(?:=|\s+in\s)|(?:read|for)\s+(?:-r\s+)?([A-Za-z_][A-Za-z0-9_]*)`)
)

// ofUser are variables that systemd sets for a program with a user, and the system manager
// for no other (systemd.exec(5), "Environment Variables in Spawned Processes").
var ofUser = []string{"HOME", "USER", "LOGNAME", "SHELL"}

// given are variables that systemd or the shell sets.
var given = []string{
	"PATH", "PWD", "OLDPWD", "IFS", "PPID", "UID", "EUID", "RANDOM", "SECONDS", "HOSTNAME",
	"LINENO", "BASH", "BASHPID", "BASH_SOURCE", "BASH_VERSION", "OPTARG", "OPTIND", "REPLY", "LANG", "MAINPID",
	"SUPERVISOR_ENABLED", "SUPERVISOR_PROCESS_NAME", "SUPERVISOR_GROUP_NAME",
}

// needs are the variables that a command reads and nobody sets: PATH, where something is looked
// for, and those of a script for a shell.
func (p *program) needs(argv []string) []string {
	c := p.supervisord
	hasUser := c.keyOf(p.section, "user") != nil || c.document.find(defaultsSection, "").get("user") != ""
	var names []string
	need := func(name string) {
		set := func(e pair) bool { return e.name == name }
		if hasUser && slices.Contains(ofUser, name) || slices.ContainsFunc(p.env, set) || slices.ContainsFunc(c.shared, set) || slices.Contains(names, name) {
			return
		}
		names = append(names, name)
	}
	// env, gosu and the like may stand before the shell.
	at := slices.IndexFunc(argv, func(s string) bool { return shell.MatchString(path.Base(s)) })
	if at >= 0 || !strings.Contains(argv[0], "/") || path.Base(argv[0]) == "env" {
		need("PATH")
	}
	if at < 0 {
		return names
	}
	for i := at + 1; i+1 < len(argv); i++ {
		if !strings.HasPrefix(argv[i], "-") || !strings.HasSuffix(argv[i], "c") {
			continue
		}
		script := argv[i+1]
		own := map[string]bool{}
		for _, m := range assigned.FindAllStringSubmatch(script, -1) {
			own[m[1]+m[2]] = true
		}
		for _, m := range ofShell.FindAllStringSubmatch(script, -1) {
			if !own[m[1]] && !slices.Contains(given, m[1]) {
				need(m[1])
			}
		}
		break
	}
	return names
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
	if c := p.supervisord; !p.done["autostart"] {
		value := p.boolean("autostart", true)
		if !c.lost[k] {
			c.kept(p.out, k, "autostart", strconv.FormatBool(value))
		}
	}
}

func (p *program) order(k *iniKey) { p.ordered(k, p.before) }

func (p *program) stopSignal(k *iniKey) {
	c := p.supervisord
	value, ok := c.now(k, p.x)
	if !ok {
		return
	}
	if _, err := config.ParseSignal(value); err != nil {
		c.wrong(k, fmt.Errorf("%s is no signal", quote(value)))
		return
	}
	c.kept(p.out, k, "stop_signal", strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(value)), "SIG"))
}

func (p *program) stopTimeout(k *iniKey) {
	p.seconds(k, "stop_timeout", p.integer(p.section, "stopwaitsecs", 10, p.x))
}

// maxSeconds is a year, the longest time that msup takes.
const maxSeconds = 365 * 24 * 60 * 60

// seconds writes a time.
func (p *program) seconds(k *iniKey, name string, n int) {
	switch c := p.supervisord; {
	case c.lost[k]:
	case n > maxSeconds:
		c.changed(p.out, k, name, strconv.Itoa(maxSeconds), "a year is the longest that msup takes")
	default:
		c.kept(p.out, k, name, strconv.Itoa(max(0, n)))
	}
}

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

// maxDelays is how many times between tries are written down one by one.
const maxDelays = 20

// starts: supervisord looks once a second whether the time is up, so the n-th wait of n seconds
// takes a second more, but for the first: it spawns at 0, 1, 4 and 8 seconds.
func (p *program) starts() {
	c := p.supervisord
	if k := c.keyOf(p.section, "startsecs"); k != nil {
		p.seconds(k, "start_seconds", p.integer(p.section, "startsecs", 1, p.x))
	}
	retries := min(max(0, p.integer(p.section, "startretries", 3, p.x)), math.MaxInt32)
	var delays []string
	for n := 1; n <= min(retries, maxDelays); n++ {
		wait := n + 1
		if n == 1 {
			wait = 1
		}
		delays = append(delays, strconv.Itoa(wait))
	}
	place := Place{}
	k := c.keyOf(p.section, "startretries")
	if k != nil {
		place = k.place
	}
	_ = p.out.set(place, "start_retries", strconv.Itoa(retries))
	lines := []string{"start_retries = " + strconv.Itoa(retries)}
	if delays != nil {
		_ = p.out.set(place, "start_retry_delay", strings.Join(delays, " "))
		lines = append(lines, "start_retry_delay = "+strings.Join(delays, " "))
	}
	if k != nil && !c.lost[k] {
		if retries > maxDelays {
			c.note(k, Changed, lines, fmt.Sprintf("from try %d on it waits %d seconds, and not longer and longer", maxDelays, maxDelays+1), "")
		} else {
			c.note(k, Kept, lines, "", "")
		}
	}
}

// restarts: an end while it is RUNNING is answered at once and for ever.
func (p *program) restarts() {
	c, x := p.supervisord, p.x
	mode := "on-failure"
	k := c.keyOf(p.section, "autorestart")
	if k != nil {
		if value, ok := c.now(k, x); ok {
			switch b, err := pythonBool(value); {
			case err == nil && b:
				mode = "always"
			case err == nil:
				mode = "never"
			case strings.EqualFold(value, "unexpected"):
			default:
				c.wrong(k, fmt.Errorf("%s is none of true, false and unexpected", quote(value)))
			}
		}
	}
	codes := c.keyOf(p.section, "exitcodes")
	var list []string
	if codes != nil {
		if value, ok := c.now(codes, x); ok {
			for word := range strings.SplitSeq(value, ",") {
				if word = strings.TrimSpace(word); word == "" && value == "" {
					continue
				}
				n, err := pythonInt(word)
				if err != nil || n < 0 || n > 255 {
					c.wrong(codes, fmt.Errorf("%s is not an exit status from 0 to 255", quote(word)))
					continue
				}
				if text := strconv.Itoa(n); !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
			switch {
			case list != nil:
				c.kept(p.out, codes, "success_exit_codes", strings.Join(list, " "))
			case mode == "on-failure":
				mode = "always"
				c.note(codes, Changed, []string{"autorestart = always"}, "no exit status is expected", "")
			default:
				c.note(codes, Kept, nil, "", "")
			}
		}
	}
	if k != nil && !c.lost[k] {
		c.kept(p.out, k, "autorestart", mode)
	} else if k == nil {
		_ = p.out.set(Place{}, "autorestart", mode)
	}
	_ = p.out.set(Place{}, "restart_delay", "0")
	_ = p.out.set(Place{}, "max_restarts", "0")
}

// killMode: supervisord sends signals to one process or to its group, systemd to that of a
// control group, from which nothing escapes.
func (p *program) killMode() {
	c := p.supervisord
	stop := p.boolean("stopasgroup", false)
	kill := p.boolean("killasgroup", stop)
	stopKey, killKey := c.keyOf(p.section, "stopasgroup"), c.keyOf(p.section, "killasgroup")
	mode := "mixed"
	if stop {
		mode = "control-group"
	}
	_ = p.out.set(Place{}, "systemd.KillMode", mode)
	if stop && !kill {
		c.wrong(killKey, fmt.Errorf("stopasgroup=true and killasgroup=false exclude each other"))
		return
	}
	became := []string{"systemd.KillMode = " + mode}
	if stopKey != nil && !c.lost[stopKey] {
		if stop {
			c.note(stopKey, Kept, became, "the signal reaches all of its processes, also those that have left the process group", "")
		} else {
			c.note(stopKey, Changed, became, onlyKill, "")
		}
	}
	if killKey != nil && !c.lost[killKey] {
		if kill {
			c.note(killKey, Kept, became, "", "")
		} else {
			c.note(killKey, Changed, became, onlyKill, "")
		}
	}
}

// onlyKill says what of the children of a program becomes other than with supervisord.
const onlyKill = "the stop signal goes to the main process alone, as before; what else is left of the program then is killed, and not left behind"

// readEnvironment reads the variables, which other values name too.
func (p *program) readEnvironment() {
	c := p.supervisord
	k := c.keyOf(p.section, "environment")
	if k == nil {
		return
	}
	value, ok := c.expand(k, p.x)
	if !ok {
		return
	}
	pairs, err := splitPairs(value)
	if err != nil {
		c.wrong(k, fmt.Errorf("it is not KEY=\"value\",KEY2=\"value\": %w", err))
		return
	}
	p.env = pairs
	for _, e := range pairs {
		p.x = p.x.with(envPrefix+e.name, e.value)
	}
}

// environment writes the variables of a program; SUPERVISOR_ is what supervisord adds.
func (p *program) environment() {
	c := p.supervisord
	if k := c.keyOf(p.section, "environment"); k != nil && len(c.problems) == 0 {
		c.variables(p.out, k, p.env)
	}
	// [defaults] has the name that msup has for the program.
	var own []string
	for _, v := range []pair{{"SUPERVISOR_PROCESS_NAME", p.process}, {"SUPERVISOR_GROUP_NAME", cmp.Or(p.group, p.name)}} {
		set := func(e pair) bool { return e.name == v.name }
		if v.value != p.out.Name && !slices.ContainsFunc(p.env, set) && !slices.ContainsFunc(c.shared, set) {
			own = append(own, variable(v.name, template(v.value)))
		}
	}
	if own != nil {
		_ = p.out.set(Place{}, "environment", strings.Join(own, " "))
	}
}

// variables writes variables into environment, a line for each if there are many.
func (c *supervisord) variables(s *Section, k *iniKey, pairs []pair) {
	var list, lines, left []string
	for _, e := range pairs {
		switch {
		case !variableName.MatchString(e.name):
			left = append(left, e.name+": that is no name of a variable")
		case unprintable(strings.ReplaceAll(e.value, mark, "")) != "":
			left = append(left, e.name+": "+unprintable(strings.ReplaceAll(e.value, mark, "")))
		default:
			list = append(list, variable(e.name, template(e.value)))
		}
	}
	const some = 3 // go on one line
	if len(list) <= some && len(strings.Join(list, " ")) < 90 && list != nil {
		list = []string{strings.Join(list, " ")}
	}
	for _, v := range list {
		lines = append(lines, c.put(s, k, "environment", v)...)
	}
	switch {
	case left != nil:
		c.note(k, Dropped, lines, "left out: "+strings.Join(left, "; "), "write it into a file, and env_file = that")
	case strings.Contains(k.value, `\\`):
		c.note(k, Changed, lines, "two backslashes are one, as in supervisord 4.4; versions before keep both", "")
	default:
		c.note(k, Kept, lines, "", "")
	}
}
