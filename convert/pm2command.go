package convert

import (
	"path"
	"path/filepath"
	"strings"
)

// This file has what an app of pm2 executes.

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
