package convert

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// pm2 is a file of pm2's while it is converted.
type pm2 struct {
	*input
	dir    string // of the file
	groups members
	jlist  bool // it is what pm2 jlist prints
	names  *names
}

// pm2App is an app of pm2's while it is converted.
type pm2App struct {
	*pm2
	node      *node
	name      string
	s         *Section
	cwd       string // absolute
	cluster   bool   // runs in node's cluster mode
	instances int
	words     []string // of the command
	raw       []string // before it was put on one line
	env       environ
	entries   map[string]*outcome // by the name that the schema has
}

// entry is the outcome of a key; one of a key that is not there is not reported.
func (a *pm2App) entry(key string) *outcome {
	if o := a.entries[key]; o != nil {
		return o
	}
	return a.outcome(a.node.place, a.name, key, "")
}

// pm2Aliases are other names of keys, lib/API/schema.json; each key has one in camel case too.
var pm2Aliases = map[string]string{
	"exec": "script", "cmd": "script", "command": "script", "interpreter": "exec_interpreter",
	"interpreter_args": "node_args", "interpreterArgs": "node_args",
	"out": "out_file", "output": "out_file", "out_log": "out_file",
	"error": "error_file", "err": "error_file", "err_file": "error_file", "err_log": "error_file",
	"log": "log_file", "pid": "pid_file", "cron": "cron_restart", "combine_logs": "merge_logs", "user": "uid",
}

var capital = regexp.MustCompile(`[A-Z]`)

// pm2Key is the name of a key in schema.json.
func pm2Key(name string) string {
	if alias, ok := pm2Aliases[name]; ok {
		return alias
	}
	snake := capital.ReplaceAllStringFunc(name, func(c string) string { return "_" + strings.ToLower(c) })
	if alias, ok := pm2Aliases[snake]; ok {
		return alias
	}
	return snake
}

// get is the value of a key, under any of its names; those that the schema has win.
func (a *pm2App) get(name string) *node {
	if n := a.node.get(name); n != nil {
		return n
	}
	for i := range a.node.keys {
		if pm2Key(a.node.keys[i].name) == name {
			return a.node.keys[i].value
		}
	}
	return nil
}

// appKey is a key of an app, and what becomes of it. One without a function has no effect; those
// that have no other meaning than another's have none of their own.
type appKey struct {
	name         string
	convert      func(a *pm2App, o *outcome, n *node)
	why, instead string
}

func withOthers(*pm2App, *outcome, *node) {}

// pm2AppKeys are all keys of an app.
func pm2AppKeys() []appKey {
	const (
		ipc        = "msup has no channel to a program's process.send"
		monitoring = "it is for pm2's monitoring"
		watching   = "msup watches no files"
		path       = "a systemd path unit that runs msup restart NAME, or node --watch"
	)
	var keys []appKey
	for _, name := range []string{
		"script", "name", "args", "exec_interpreter", "node_args", "execute_command", "cwd", "instances", "exec_mode", // command
		"env", "port", "instance_var", "increment_var", // environment
		"autorestart", "stop_exit_codes", "max_restarts", "min_uptime", "restart_delay", "exp_backoff_restart_delay", // restarts
		"out_file", "error_file", "log_file", "merge_logs", "disable_logs", // output
		"disable_source_map_support", "username",
	} {
		keys = append(keys, appKey{name: name, convert: withOthers})
	}
	return append(keys, []appKey{
		{name: "filter_env", convert: func(_ *pm2App, o *outcome, _ *node) {
			o.change("programs get nothing of the environment of who starts msup")
		}},
		{name: "uid", convert: func(a *pm2App, o *outcome, n *node) { o.set(a.s, "user", n.String()) }},
		{name: "gid", convert: func(a *pm2App, o *outcome, n *node) { o.set(a.s, "group", n.String()) }},
		{name: "namespace", convert: (*pm2App).namespace},
		{name: "autostart", convert: func(a *pm2App, o *outcome, n *node) {
			if n.isFalse() {
				o.set(a.s, "autostart", "false")
			}
		}},
		{name: "max_memory_restart", convert: (*pm2App).memory},
		{name: "kill_timeout", convert: func(a *pm2App, o *outcome, n *node) {
			if ms, ok := o.milliseconds(n); ok {
				o.set(a.s, "stop_timeout", inTime(ms))
			}
		}},
		{name: "treekill", convert: func(a *pm2App, o *outcome, n *node) {
			if n.isFalse() {
				o.set(a.s, "systemd.KillMode", "mixed")
				o.change("only the main process gets the signal, but when it has ended all others are killed")
			}
		}},
		{name: "cron_restart", convert: (*pm2App).cron},
		{name: "log_date_format", convert: (*pm2App).timestamps},
		{name: "time", convert: (*pm2App).timestamps},
		{name: "source_map_support", convert: (*pm2App).sourceMaps},
		{name: "append_env_to_name", why: "the name stays as it is"},
		{name: "kill_retry_time", why: "systemd sends no signal twice"},
		{name: "shutdown_with_message", why: ipc, instead: "the program gets SIGINT"},
		{name: "wait_ready", why: ipc, instead: "ready = http: URL, or ready = port"},
		{name: "listen_timeout", why: "it is about wait_ready", instead: "start_timeout, with ready"},
		{name: "log_type", why: "lines are written as they come"},
		{name: "pid_file", why: "systemd knows the PID", instead: "systemctl show -p MainPID UNIT"},
		{name: "watch", why: watching, instead: path},
		{name: "watch_delay", why: watching},
		{name: "ignore_watch", why: watching},
		{name: "watch_options", why: watching},
		{name: "vizion", why: monitoring},
		{name: "pmx", why: monitoring},
		{name: "automation", why: monitoring},
		{name: "trace", why: monitoring},
		{name: "disable_trace", why: monitoring},
		{name: "v8", why: monitoring},
		{name: "event_loop_inspector", why: monitoring},
		{name: "deep_monitoring", why: monitoring},
		{name: "io", why: monitoring},
		{name: "post_update", why: "msup does not update programs"},
		{name: "install_url", why: "it is for pm2's own modules"},
		{name: "name_prefix", why: "it is for pm2's own modules"},
		{name: "force", why: "a program is started once"},
		{name: "write", why: "it is an option of pm2's command line"},
		{name: "windows_hide", why: "it is for Windows"},
	}...)
}

// app makes a program of an app.
func (pm *pm2) app(n *node) {
	a := &pm2App{pm2: pm, node: n, instances: 1, cwd: pm.dir, entries: map[string]*outcome{}}
	script := a.get("script")
	if script.isEmptyScalar() {
		pm.fail(n.place, config.Diagnostic{Section: "apps", Message: "the app has no script", Hint: `add "script": "app.js"`})
		return
	}
	a.name = strings.TrimSuffix(path.Base(script.text), path.Ext(script.text))
	if name := a.get("name"); !name.isEmptyScalar() {
		a.name = name.String()
	}
	a.s = pm.document.addProgram(pm.names.program(a.name), n.place)
	known := pm2AppKeys()
	convert := map[string]appKey{}
	var names []string
	for _, k := range known {
		convert[k.name] = k
		names = append(names, k.name)
	}
	var all []*outcome
	for _, have := range n.keys {
		o := pm.outcome(have.place, a.name, have.name, have.value.String())
		all = append(all, o)
		o.comments, o.note = have.comments, have.note
		name := pm2Key(have.name)
		env, isEnv := strings.CutPrefix(have.name, "env_")
		switch {
		case isEnv && have.value.isScalar():
			o.drop("pm2 reads no file of variables", "msup does: env_file = "+have.value.String())
		case isEnv && env == pm.Env:
			name = have.name
		case isEnv:
			o.drop("these are the variables of another environment", "msup import --env "+env)
		case !slices.Contains(names, name):
			o.drop("pm2 itself does not know the key", didYouMean(have.name, names))
		case a.get(name) != have.value:
			o.drop("the key has a value under another name too", "")
		}
		if o.Verdict == Kept {
			a.entries[name] = o
		}
	}
	a.count()
	a.command()
	a.environment()
	a.restarts()
	a.output()
	for _, k := range known {
		o, value := a.entries[k.name], a.get(k.name)
		switch {
		case o == nil || value.isEmpty() && k.convert == nil || value.kind == nullNode:
		case k.convert == nil:
			o.drop(k.why, k.instead)
		default:
			k.convert(a, o, value)
		}
	}
	a.s.inOrder()
	for _, o := range all {
		o.done()
	}
}

// home is a path whose ~ is the home of who runs msup.
func (a *pm2App) home(p string) string {
	if p != "~" && !strings.HasPrefix(p, "~/") {
		return p
	}
	if home, ok := a.input.env("HOME"); ok {
		return filepath.Join(home, strings.TrimPrefix(p, "~"))
	}
	return p
}

// interpreters are what runs a script by its ending, lib/API/interpreter.json.
var interpreters = map[string]string{
	".sh": "bash", ".py": "python3", ".rb": "ruby", ".php": "php", ".pl": "perl", ".js": "node", ".coffee": "coffee", ".ls": "lsc", ".ts": "bun", ".tsx": "bun",
	".mjs": "node", ".cjs": "node",
}

// interpreter is what runs the script, "" if that runs by itself.
func (a *pm2App) interpreter() string {
	if a.get("exec_interpreter").isEmptyScalar() {
		return interpreters[path.Ext(a.get("script").text)]
	}
	name, _, _ := strings.Cut(a.interpreterKey(), "@")
	return name
}

// command sets what runs the app, lib/Common.js and lib/God/ForkMode.js.
func (a *pm2App) command() {
	if a.s.Name != a.name {
		a.entry("name").change("called %s", a.s.Name)
	}
	if cwd := a.get("cwd"); !cwd.isEmptyScalar() {
		if a.cwd = a.home(cwd.String()); !filepath.IsAbs(a.cwd) {
			a.cwd = filepath.Join(a.dir, a.cwd)
			a.entry("cwd").change("it is taken from the folder of the file, not from where pm2 was started")
		}
	}
	if a.cwd != a.Out {
		a.entry("cwd").set(a.s, "directory", literal(a.path(a.cwd)))
	}
	if n := a.get("exec_interpreter"); n != nil {
		if name, version, ok := strings.Cut(n.String(), "@"); ok {
			a.entry("exec_interpreter").change("the %s in PATH runs it, not version %s: write the path of that one", name, version)
		}
	}
	o := a.entry("script")
	if a.get("script").text == "serve" && a.get("env").get("PM2_SERVE_PATH") != nil {
		a.entry("script").set(a.s, "autostart", "false")
		o.drop("pm2 serves the folder itself, which msup does not: it is not started", "a web server, such as python3 -m http.server 8080 --directory FOLDER")
	}
	argv0, changed := a.argv(o)
	argv, joined := oneLineWords(argv0)
	if changed+joined != "" {
		o.change("%s", changed+joined)
	}
	a.words = literals(argv)
	a.raw = argv0
}

// argv is the command. A script with spaces is one for a shell.
func (a *pm2App) argv(o *outcome) (argv []string, changed string) {
	script := a.get("script").text
	if a.shell() {
		a.entry("args").drop("pm2 leaves them out where the script is a command with spaces", "write them behind it")
		return shellWords("bash", "-c", script)
	}
	file := a.home(script)
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.cwd, file)
	}
	interpreter, here := a.interpreter(), a.files.exists(file)
	switch {
	case interpreter != "":
		argv = append([]string{interpreter}, a.list("node_args")...)
		argv = append(argv, a.home(script))
	case here && !filepath.IsAbs(file), here && !strings.Contains(script, "/"):
		argv = []string{"./" + script}
	default:
		argv = []string{a.home(script)} // where it is a word, it is looked for in PATH
	}
	if interpreter == "" && here && a.get("exec_interpreter") == nil {
		o.change("it is executed itself; pm2 has node run what is no binary")
	}
	return append(argv, a.list("args")...), ""
}

// shell reports whether a shell runs the script.
func (a *pm2App) shell() bool {
	return strings.Contains(a.get("script").text, " ") && a.interpreterKey() == ""
}

// interpreterKey is the interpreter that the app names.
func (a *pm2App) interpreterKey() string {
	n := a.get("exec_interpreter")
	if n.isEmptyScalar() || n.String() == "none" {
		return ""
	}
	return n.String()
}

// quotedWord is a word of args, lib/tools/Config.js.
var quotedWord = regexp.MustCompile(`[^\s"'=]+="[^"]*"|[^\s"'=]+='[^']*'|"([^"]*)"|'([^']*)'|\S+`)

// list is a list of words, or a text that is split as pm2 does.
func (a *pm2App) list(key string) []string {
	n := a.get(key)
	switch {
	case n == nil || n.kind == nullNode:
		return nil
	case n.kind == listNode:
		var list []string
		for _, item := range n.items {
			list = append(list, item.String())
		}
		return list
	}
	var list []string
	for _, w := range quotedWord.FindAllString(n.String(), -1) {
		if l := len(w); l > 1 && (w[0] == '"' || w[0] == '\'') && w[l-1] == w[0] {
			w = w[1 : l-1]
		}
		if strings.TrimSpace(w) != "" {
			list = append(list, w)
		}
	}
	return list
}

// count finds out how many instances there are, and in which mode.
func (a *pm2App) count() {
	n := a.get("instances")
	node := strings.HasSuffix(a.interpreter(), "node") || strings.HasSuffix(a.interpreter(), "bun")
	mode := a.get("exec_mode").String()
	a.cluster = strings.HasPrefix(mode, "cluster") || mode == "" && n != nil && node
	if n == nil {
		return
	}
	text := n.String()
	o := a.entry("instances")
	m := leadingNumber.FindStringSubmatch(text)
	switch {
	case text == "max":
	case m == nil:
		o.fail("use a number, or max", "%s is no number of instances", clip(text))
		return
	case m[0] != text:
		o.change("pm2 takes it for %s", m[1])
	}
	i := 0
	if m != nil {
		i, _ = strconv.Atoi(m[1]) // it is short, and digits
	}
	if i <= 0 {
		i = max(1, i+max(a.CPUs, 1))
		o.change("there are %d CPUs here", max(a.CPUs, 1))
	}
	if a.instances = min(i, maxCount); a.instances == 1 {
		return
	}
	o.set(a.s, "instances", strconv.Itoa(a.instances))
	o.change("called %s@1 to %s@%d", a.s.Name, a.s.Name, a.instances)
	if !a.cluster {
		return
	}
	if a.portNode() != nil {
		o.change("each has a PORT of its own, one after the other, where processes of node's cluster share one")
		o.Instead = "put a proxy before them"
	} else {
		o.change("they share no port, as processes of node's cluster do: one that listens needs its own")
		o.Instead = "environment = PORT={{port 3000}} and a proxy"
	}
	if m := a.entries["exec_mode"]; m != nil {
		m.change("each instance is a program by itself; msup restart --rolling %s is the reload", a.s.Name)
	}
}

// leadingNumber is what JavaScript reads as a number in a text.
var leadingNumber = regexp.MustCompile(`^(-?[0-9]{1,6})([^0-9].*)?$`)

// portNode is where the port of the app stands.
func (a *pm2App) portNode() *node {
	if n := a.get("port"); !n.isEmptyScalar() {
		return n
	}
	for _, env := range a.environments() {
		if n := env.get("PORT"); !n.isEmptyScalar() {
			return n
		}
	}
	return nil
}

// environments are the mappings of variables that hold, the last one first.
func (a *pm2App) environments() []*node {
	var list []*node
	if a.Env != "" {
		if n := a.node.get("env_" + a.Env); n != nil {
			list = append(list, n)
		}
	}
	return append(list, a.get("env"))
}

// environment sets the variables of the app, and those that pm2 adds.
func (a *pm2App) environment() {
	o := a.entry("env")
	if a.jlist {
		o.change("variables of the shell in which pm2 was started are left out")
	}
	taken := map[string]bool{}
	add := func(name, value string) {
		if taken[name] {
			return
		}
		taken[name] = true
		switch why := unprintable(value); {
		case !shellName.MatchString(name):
			o.drop(name+" is no name for a variable", "")
		case why != "":
			o.drop(name+": "+why, "write env_file = FILE, whose double quotes may go over several lines")
		default:
			a.env.add(name, value)
		}
	}
	if n := a.get("port"); !n.isEmptyScalar() {
		add("PORT", a.portText(n.String()))
	}
	for _, env := range a.environments() {
		if env == nil {
			continue
		}
		for _, k := range env.keys {
			switch {
			case k.value.kind == nullNode:
			case k.name == "PORT":
				add(k.name, a.portText(k.value.String()))
			case k.name == a.get("increment_var").String() && a.instances > 1 && digits.MatchString(k.value.text):
				add(k.name, "{{instance "+k.value.text+"}}") // it begins with that
			default:
				add(k.name, literal(jsonText(k.value)))
			}
		}
	}
	if n := a.get("increment_var"); !n.isEmptyScalar() {
		add(n.String(), a.number())
	}
	instanceVar := "NODE_APP_INSTANCE"
	if n := a.get("instance_var"); !n.isEmptyScalar() {
		instanceVar = n.String()
	}
	if a.instances > 1 || a.get("instance_var") != nil || !strangers.MatchString(path.Base(a.interpreter())) {
		add(instanceVar, a.number())
	}
	if strings.Contains(a.interpreter(), "python") {
		add("PYTHONUNBUFFERED", "1")
	}
	a.entry("script").set(a.s, "command", words(a.env.command(a.words)...))
	a.entry("script").sigPipe(a.s, a.raw)
	a.entry("script").passed(a.s, a.raw, func(name string) bool {
		return taken[name] || slices.Contains(inherited, name)
	})
	o.set(a.s, "environment", strings.Join(a.env.list, " "))
}

// strangers are interpreters whose programs know nothing of node's NODE_APP_INSTANCE.
var strangers = regexp.MustCompile(`^(python|ruby|php|perl)[0-9.]*$`)

var digits = regexp.MustCompile(`^[0-9]{1,9}$`)

// number is the number of an instance, from 0.
func (a *pm2App) number() string {
	if a.instances > 1 {
		return "{{instance 0}}"
	}
	return "0"
}

// portText is a port, one after the other for instances of a cluster.
func (a *pm2App) portText(text string) string {
	if port, err := strconv.Atoi(text); err == nil && a.instances > 1 && a.cluster && port > 0 && port+a.instances-1 <= 65535 {
		return fmt.Sprintf("{{port %d}}", port)
	}
	return literal(text)
}

// jsonText is a value as pm2 puts it into the environment: objects as JSON.
func jsonText(n *node) string {
	switch n.kind {
	case listNode:
		parts := make([]string, len(n.items))
		for i, item := range n.items {
			parts[i] = jsonValue(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case mapNode:
		parts := make([]string, len(n.keys))
		for i, k := range n.keys {
			parts[i] = strconv.Quote(k.name) + ":" + jsonValue(k.value)
		}
		return "{" + strings.Join(parts, ",") + "}"
	case nullNode:
		return "null"
	}
	return n.text
}

func jsonValue(n *node) string {
	if n.kind == textNode {
		return strconv.Quote(n.text)
	}
	return jsonText(n)
}

func (a *pm2App) namespace(o *outcome, n *node) {
	name := n.String()
	if name == "default" || name == "" {
		return
	}
	group := nameOfGroup(name)
	a.groups.add(group, a.s.Name, n.place)
	o.Became = append(o.Became, "[group "+group+"]")
	if group != name {
		o.change("names of groups hold letters, digits and _")
	}
}
