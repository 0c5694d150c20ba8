package convert

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pm2Running are keys of pm2_env that an app has too, and what they are called there.
var pm2Running = [][2]string{
	{"name", "name"},
	{"pm_exec_path", "script"},
	{"args", "args"},
	{"exec_interpreter", "exec_interpreter"},
	{"node_args", "node_args"},
	{"pm_cwd", "cwd"},
	{"exec_mode", "exec_mode"},
	{"env", "env"},
	{"instance_var", "instance_var"},
	{"increment_var", "increment_var"},
	{"uid", "uid"},
	{"gid", "gid"},
	{"namespace", "namespace"},
	{"autorestart", "autorestart"},
	{"stop_exit_codes", "stop_exit_codes"},
	{"max_restarts", "max_restarts"},
	{"min_uptime", "min_uptime"},
	{"restart_delay", "restart_delay"},
	{"exp_backoff_restart_delay", "exp_backoff_restart_delay"},
	{"max_memory_restart", "max_memory_restart"},
	{"kill_timeout", "kill_timeout"},
	{"treekill", "treekill"},
	{"shutdown_with_message", "shutdown_with_message"},
	{"wait_ready", "wait_ready"},
	{"listen_timeout", "listen_timeout"},
	{"cron_restart", "cron_restart"},
	{"pm_out_log_path", "out_file"},
	{"pm_err_log_path", "error_file"},
	{"pm_log_path", "log_file"},
	{"merge_logs", "merge_logs"},
	{"disable_logs", "disable_logs"},
	{"log_date_format", "log_date_format"},
	{"log_type", "log_type"},
	{"watch", "watch"},
	{"ignore_watch", "ignore_watch"},
}

// session are variables of the shell in which pm2 was started, which say nothing of the app.
var session = regexp.MustCompile(`^(HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|_|TERM|TERM_.*|COLORTERM|LANG|LANGUAGE|LC_.*|LS_COLORS|LESS.*|MAIL|HOSTNAME|HISTSIZE|HISTCONTROL|EDITOR|VISUAL|PAGER|` +
	`DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|SSH_.*|SUDO_.*|XDG_.*|DBUS_.*|GPG_.*|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_.*|MOTD_SHOWN|WINDOWID|TMUX.*|STY|PS1|` +
	`npm_.*|NVM_.*|PM2_.*|pm_id|unique_id|NODE_APP_INSTANCE|_VOLTA_.*)$`)

// withNumberAtEnd is a log file that has the number of a process.
var withNumberAtEnd = regexp.MustCompile(`-[0-9]+(\.log)$`)

// running makes apps of what pm2 jlist prints: a process for each instance, with all of its
// environment.
func (pm *pm2) running(processes []*node) []*node {
	pm.jlist = true
	var apps []*node
	at := map[string]*node{}
	count := map[string]int{}
	for _, p := range processes {
		env := p.get("pm2_env")
		name := env.get("name").String()
		if count[name]++; count[name] > 1 {
			continue
		}
		app := &node{kind: mapNode, place: p.place}
		for _, k := range pm2Running {
			if v := env.get(k[0]); v != nil && v.kind != nullNode {
				app.keys = append(app.keys, nodeKey{name: k[1], place: v.place, value: v})
			}
		}
		pm.withoutSession(app)
		for _, key := range []string{"out_file", "error_file", "log_file"} {
			pm.ownLog(app, key)
		}
		if status := env.get("status").String(); status == "stopped" || status == "errored" {
			app.put(nodeKey{name: "autostart", place: p.place, value: &node{kind: boolNode, text: "false", place: p.place}})
		}
		at[name] = app
		apps = append(apps, app)
	}
	for name, app := range at {
		if n := count[name]; n > 1 {
			app.put(nodeKey{name: "instances", place: app.place, value: &node{kind: numberNode, text: strconv.Itoa(n), place: app.place}})
		}
	}
	return apps
}

// withoutSession takes the variables of a shell out of the environment of an app.
func (pm *pm2) withoutSession(app *node) {
	i := slices.IndexFunc(app.keys, func(k nodeKey) bool { return k.name == "env" })
	if i < 0 {
		return
	}
	env := *app.keys[i].value
	env.keys = slices.DeleteFunc(slices.Clone(env.keys), func(k nodeKey) bool { return session.MatchString(k.name) })
	app.keys[i].value = &env
}

// ownLog leaves out a log file in pm2's own folder, and the number in the name of another.
func (pm *pm2) ownLog(app *node, key string) {
	n := app.get(key)
	if n == nil {
		return
	}
	if strings.Contains(n.text, "/.pm2/logs/") {
		o := pm.outcome(n.place, app.get("name").String(), key, n.text)
		o.change("it is pm2's own file: output is in the journal, msup logs shows it")
		o.done()
		*app = *app.without(key)
		return
	}
	own := *n
	own.text = withNumberAtEnd.ReplaceAllString(filepath.Clean(n.text), "$1")
	app.put(nodeKey{name: key, place: n.place, value: &own})
}
