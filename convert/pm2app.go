package convert

import (
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

// quotedWord is a word of args, lib/tools/Config.js.
var quotedWord = regexp.MustCompile(`[^\s"'=]+="[^"]*"|[^\s"'=]+='[^']*'|"([^"]*)"|'([^']*)'|\S+`)

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

// strangers are interpreters whose programs know nothing of node's NODE_APP_INSTANCE.
var strangers = regexp.MustCompile(`^(python|ruby|php|perl)[0-9.]*$`)

var digits = regexp.MustCompile(`^[0-9]{1,9}$`)

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
