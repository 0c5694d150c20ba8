package convert

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"msup/config"
)

// PM2 is the format of pm2's ecosystem files, as version 7.0 has them, and what pm2 jlist prints.
const PM2 Format = "pm2"

var (
	pm2Script = regexp.MustCompile(`\.config\.[cm]?js$|^(ecosystem|pm2|processes)\b.*\.[cm]?js$`)
	pm2File   = regexp.MustCompile(`^(ecosystem|pm2)\b.*\.(json|ya?ml)$`)
	pm2Old    = regexp.MustCompile(`^process(es)?\.(json|ya?ml)$`) // its first name
	appsKey   = regexp.MustCompile(`(?m)^[ \t]*"?apps"?[ \t]*:`)
	scriptKey = regexp.MustCompile(`(^|[\s{,"'-])script["']?\s*:`) // of apps without a list, or of one
	pm2Apps   = regexp.MustCompile(`"pm2"\s*:\s*[{\[]`)            // a package.json may have them
	jlistKey  = regexp.MustCompile(`"pm2_env"[ \t\n]*:`)
)

func isPM2(name string, content []byte) bool {
	switch ext := filepath.Ext(name); {
	case pm2Script.MatchString(name):
		return true
	case ext == ".json":
		// pm2 writes jlist on one line, where the key stands somewhere.
		return pm2File.MatchString(name) || name != "package.json" && scriptKey.Match(content) || appsKey.Match(content) || pm2Apps.Match(content) || jlistKey.Match(content) || bytes.Contains(content, []byte(`"apps"`))
	case ext == ".yml" || ext == ".yaml":
		return pm2File.MatchString(name) || (appsKey.Match(content) || pm2Old.MatchString(name)) && scriptKey.Match(content)
	}
	return false
}

func convertPM2(in *input) {
	path := in.paths[0]
	data, err := in.readMain(path)
	if err != nil {
		in.fail(Place{File: in.shown(path)}, config.Diagnostic{Message: err.Error()})
		return
	}
	parse := parseJSON
	switch ext := filepath.Ext(path); {
	case ext == ".yml" || ext == ".yaml":
		parse = parseYAML
	case strings.HasSuffix(ext, "js"):
		if data, err = in.runScript(path); err != nil {
			in.fail(Place{File: in.shown(path)}, config.Diagnostic{Message: err.Error(), Hint: in.scriptHint(in.shown(path))})
			return
		}
	}
	root, ok := in.tree(path, data, parse)
	if !ok {
		return
	}
	apps := appsOf(root)
	if len(apps) == 0 {
		in.fail(Place{in.shown(path), 1}, config.Diagnostic{Message: "there are no apps in it", Hint: `apps: is a list of what pm2 runs, each with a script; pm2 jlist prints one of what runs`})
		return
	}
	if in.tooMany(Place{in.shown(path), 1}, len(apps)) {
		return
	}
	in.document.Comments = root.head
	pm := &pm2{input: in, dir: filepath.Dir(path), names: newNames(), groups: members{}}
	if apps[0].get("pm2_env") != nil {
		apps = pm.running(apps)
	} else if name := nameOfProject(filepath.Base(pm.dir)); name != "" {
		_ = in.document.section(projectSection, "", Place{in.shown(path), 1}).set(Place{in.shown(path), 1}, "project", name)
	}
	for _, k := range root.keys {
		if k.name == "apps" || root.get("apps") == nil {
			continue
		}
		o := in.outcome(k.place, "pm2", k.name, k.value.String())
		switch k.name {
		case "deploy":
			o.drop("msup does not deploy", "")
		case "pm2", "module_conf":
			o.drop("it is about pm2 itself", "")
		default:
			o.drop("pm2 itself does not know the key", "")
		}
		o.done()
	}
	defaults := in.document.section(defaultsSection, "", Place{})
	o := in.outcome(Place{in.shown(path), 1}, "pm2", "", "")
	for _, kv := range [][2]string{
		// What pm2 does by itself, constants.js and lib/God.js.
		{"stop_signal", "INT"}, {"stop_timeout", "1600ms"}, {"autorestart", "always"}, {"restart_delay", "0"},
	} {
		o.set(defaults, kv[0], kv[1])
	}
	// systemd sets HOME and USER for a program with a user.
	users := slices.ContainsFunc(apps, func(app *node) bool { return app.get("uid") != nil || app.get("user") != nil })
	if users {
		o.inherit(defaults, "PATH", "LANG")
	} else {
		o.inherit(defaults, inherited...)
	}
	o.done()
	for _, app := range apps {
		pm.app(app)
	}
	if users {
		for _, name := range []string{"HOME", "USER"} {
			in.env(name) // it is asked for
		}
		for _, s := range in.document.programs() {
			if s.get("user") == "" {
				_ = s.set(Place{}, "pass_environment", "HOME USER")
			}
		}
	}
	pm.groups.write(in.document)
	in.document.share(in.document.programs(), "stop_timeout", "autorestart", "max_restarts", "restart_reset", "restart_delay", "restart_backoff", "restart_delay_max", "log_timestamps", "user", "group")
}

// appsOf are the apps of a file: those of apps, or else of pm2, of a list, or the one that the file is.
func appsOf(root *node) []*node {
	list := root
	for _, name := range []string{"pm2", "apps"} {
		if apps := root.get(name); apps != nil && (apps.kind == listNode || apps.kind == mapNode) {
			list = apps
		}
	}
	switch {
	case list.kind == listNode:
		var apps []*node
		for _, item := range list.items {
			if item.kind == mapNode {
				apps = append(apps, item)
			}
		}
		return apps
	case list.kind == mapNode && len(list.keys) > 0 && (list.get("script") != nil || list.get("cmd") != nil || list.get("command") != nil || list != root):
		return []*node{list}
	}
	return nil
}

// maxScriptOutput bounds what a script may print.
const maxScriptOutput = maxFile

// runScript has node print what a .config.js exports, if the user allows it.
func (in *input) runScript(path string) ([]byte, error) {
	if in.Exec == nil {
		return nil, errors.New("it is a program, and msup runs none to read a configuration")
	}
	// Both kinds of modules can be imported.
	const print = "import(require('url').pathToFileURL(process.argv[1])).then(m => console.log(JSON.stringify(m.default ?? m)))"
	out, err := in.Exec("node", "-e", print, path)
	if err != nil {
		return nil, fmt.Errorf("node cannot run it: %w", err)
	}
	if len(out) > maxScriptOutput {
		return nil, fmt.Errorf("what it exports is larger than %d MiB", maxScriptOutput>>20)
	}
	return out, nil
}

// scriptHint says how to make JSON of a script.
func (in *input) scriptHint(path string) string {
	base := filepath.Base(path)
	name := strings.TrimSuffix(strings.TrimSuffix(base, filepath.Ext(base)), ".config")
	hint := fmt.Sprintf("node -p 'JSON.stringify(require(\"./%s\"), null, 2)' > %s.config.json makes JSON of it, once", base, name)
	if filepath.Ext(base) == ".mjs" { // which not every node requires
		hint = fmt.Sprintf("node -e 'import(\"./%s\").then(m => console.log(JSON.stringify(m.default, null, 2)))' > %s.config.json makes JSON of it, once", base, name)
	}
	if in.Exec == nil {
		hint += "; msup import --allow-exec runs it"
	}
	return hint
}
