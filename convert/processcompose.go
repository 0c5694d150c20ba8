package convert

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// ProcessCompose is the format of process-compose, as version 1.122 has it.
const ProcessCompose Format = "process-compose"

var (
	processesKey = regexp.MustCompile(`(?m)^processes[ \t]*:`)
	composeNames = []string{"compose.yml", "compose.yaml", "process-compose.yml", "process-compose.yaml"}
	// overrideNames are looked for beside a file of composeNames.
	overrideNames = []string{"compose.override.yml", "compose.override.yaml", "process-compose.override.yml", "process-compose.override.yaml"}
)

func isProcessCompose(name string, content []byte) bool {
	ext := filepath.Ext(name)
	return (ext == ".yml" || ext == ".yaml") && (processesKey.Match(content) || strings.HasPrefix(name, "process-compose"))
}

// pcProject is a configuration of process-compose while it is converted.
type pcProject struct {
	*input
	root   *node
	vars   map[string]any
	shell  [2]string // the shell and the argument before the command
	dotenv *envFile  // .env, if there is one
	// dotenvShared: it stands in [defaults]; dotenvAsFile: as env_file.
	dotenvShared, dotenvAsFile bool
	dotenvTold                 bool
	names                      map[string]string // of programs, by the name of the process
	split                      map[string]int    // processes whose replicas are programs of their own
	process                    map[string]*node  // by its name
	awaited                    map[string]bool   // processes whose end others wait for
	used                       map[string]bool   // variables that were replaced and reported
	unset                      map[int][]string  // variables that nothing stands for, by line of the file that is read
	loading                    []string          // files that extend each other
}

func convertProcessCompose(in *input) {
	pc := &pcProject{input: in, shell: [2]string{"bash", "-c"}, names: map[string]string{}, split: map[string]int{}, used: map[string]bool{}}
	dir := filepath.Dir(in.paths[0])
	var err error
	if pc.dotenv, err = in.readEnvFile(filepath.Join(dir, ".env"), godotenv); err != nil {
		in.fail(Place{File: in.shown(filepath.Join(dir, ".env"))}, config.Diagnostic{Message: err.Error()})
	}
	paths := in.paths
	if len(paths) == 1 && slices.Contains(composeNames, filepath.Base(paths[0])) {
		for _, name := range overrideNames {
			if path := filepath.Join(dir, name); in.files.exists(path) {
				paths = append(paths, path)
				break
			}
		}
	}
	for _, path := range paths {
		root, ok := pc.load(path, false)
		if !ok {
			return
		}
		pc.root = in.merge(pc.root, root, "")
	}
	if !pc.extendAll() {
		return
	}
	in.document.Comments = pc.root.head
	pc.convert(Place{in.shown(in.paths[0]), 1})
}

// load reads a file and those it extends.
func (pc *pcProject) load(path string, extended bool) (*node, bool) {
	shown := Place{File: pc.shown(path)}
	if slices.Contains(pc.loading, path) {
		pc.fail(shown, config.Diagnostic{Section: "extends", Message: "the file extends itself"})
		return nil, false
	}
	pc.loading = append(pc.loading, path)
	defer func() { pc.loading = pc.loading[:len(pc.loading)-1] }()
	data, err := pc.readMain(path)
	if err != nil {
		pc.fail(shown, config.Diagnostic{Message: err.Error()})
		return nil, false
	}
	root, ok := pc.parse(path, data)
	if !ok {
		return nil, false
	}
	if root.kind != mapNode {
		pc.fail(Place{shown.File, 1}, config.Diagnostic{Message: "the file is " + root.kindWords() + ", not a mapping with processes"})
		return nil, false
	}
	if extended {
		pc.anchor(root, filepath.Dir(path))
	}
	base := root.get("extends")
	if base == nil {
		return root, true
	}
	file := base.String()
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(path), file)
	}
	parent, ok := pc.load(filepath.Clean(file), true)
	if !ok {
		return nil, false
	}
	return pc.merge(parent, root, ""), true
}

// parse replaces the variables of a file and reads it.
func (pc *pcProject) parse(path string, data []byte) (*node, bool) {
	pc.unset = map[int][]string{}
	text, err := replaceVariables(string(data), func(name string, line int) string { return pc.variable(path, name, line) })
	if se, ok := errors.AsType[*substError](err); ok {
		pc.fail(Place{pc.shown(path), se.line}, config.Diagnostic{Message: se.msg})
		return nil, false
	}
	root, ok := pc.tree(path, []byte(text), parseYAML)
	if ok {
		pc.settle(root, "")
	} else {
		last := &pc.problems[len(pc.problems)-1]
		last.Hint = pc.brokenBy(data, pc.unset[last.Line])
	}
	if ok && root.get("disable_env_expansion").isTrue() {
		return pc.tree(path, data, parseYAML)
	}
	return root, ok
}

// brokenBy says what has made YAML of a file that is none any more; "" if it was none.
func (pc *pcProject) brokenBy(data []byte, unset []string) string {
	if len(unset) > 0 {
		return "nothing was put in the place of variables that are not set: " + strings.Join(unset, ", ")
	}
	if _, err := parseYAML("", data); err != nil {
		return ""
	}
	return `process-compose replaces variables before it reads the YAML, and takes \\ for \ then; disable_env_expansion: true keeps it from that`
}

// variable is the value of a variable of a file: that of .env, else that of the environment, for
// which a mark stands until it is known where it is used.
func (pc *pcProject) variable(path, name string, line int) string {
	value, ok := pc.dotenv.get(name)
	from := ".env"
	switch {
	case ok:
	case name == "PWD":
		value, ok, from = filepath.Dir(pc.paths[0]), true, "a shell in the folder of the file, where process-compose is started"
	default:
		if value, ok = pc.lookup(name); ok {
			from = environmentName
		}
	}
	if !ok {
		pc.unset[line] = append(pc.unset[line], name)
	}
	if !pc.used[name] {
		pc.used[name] = true
		o := pc.outcome(Place{pc.shown(path), line}, "environment", "", "${"+name+"}")
		if ok {
			o.change("replaced by its value in %s", from)
			if from == environmentName && !pc.Direct {
				o.change("in environment it stays a variable, {{env %s}}", name)
			}
		} else {
			o.change("the variable is not set: nothing is put in its place, or what stands behind :-")
		}
		o.done()
	}
	if from == environmentName && !pc.Direct && shellName.MatchString(name) && value != "" {
		return markBegin + "env " + name + markEnd
	}
	return value
}

// environmentName is what reports call the environment of msup.
const environmentName = "the environment"

var envMark = regexp.MustCompile(markBegin + "env ([A-Za-z0-9_]+)" + markEnd)

// settle replaces the marks of variables by their values, but for those in lists of variables,
// where they stay variables: they may be secrets, and no shell splits them.
func (pc *pcProject) settle(n *node, key string) {
	if strings.Contains(n.text, markBegin) {
		n.text = envMark.ReplaceAllStringFunc(n.text, func(m string) string {
			value, _ := pc.lookup(envMark.FindStringSubmatch(m)[1])
			return value
		})
	}
	if key == "environment" && n.kind == listNode {
		for _, item := range n.items {
			if name, value, ok := strings.Cut(item.text, "="); ok && strings.Contains(name, markBegin) {
				pc.settle(item, "")
			} else if ok && envMark.MatchString(value) {
				for _, m := range envMark.FindAllStringSubmatch(value, -1) {
					pc.env(m[1]) // it is asked for
				}
			}
		}
		return
	}
	for _, item := range n.items {
		pc.settle(item, "")
	}
	for i := range n.keys {
		pc.settle(n.keys[i].value, n.keys[i].name)
	}
}

// anchor has the processes of a file that is extended run in its folder.
func (pc *pcProject) anchor(root *node, dir string) {
	processes := root.get("processes")
	if processes == nil {
		return
	}
	for _, k := range processes.keys {
		if k.value.kind != mapNode {
			continue
		}
		at, where := dir, k.value.get("working_dir")
		place := k.place
		if where != nil {
			place = where.place
			if at = where.String(); !filepath.IsAbs(at) {
				at = filepath.Join(dir, at)
			}
		}
		k.value.put(nodeKey{name: "working_dir", place: place, value: &node{kind: textNode, text: at, place: place}})
	}
}

// below is a path of the file's: relative ones start at its folder.
func (pc *pcProject) below(path string) string { return below(filepath.Dir(pc.paths[0]), path) }

// isEmpty reports whether a value is the one that holds without it.
func (n *node) isEmpty() bool {
	switch n.kind {
	case nullNode:
		return true
	case listNode:
		return len(n.items) == 0
	case mapNode:
		return len(n.keys) == 0
	}
	return n.text == "" || n.text == "0" || n.isFalse()
}

// isTrue reports whether a value is true, as YAML 1.1 has it.
func (n *node) isTrue() bool {
	return n.isScalar() && slices.Contains([]string{"true", "yes", "on", "y"}, strings.ToLower(n.text))
}

func (n *node) isFalse() bool {
	return n.isScalar() && slices.Contains([]string{"false", "no", "off", "n"}, strings.ToLower(n.text))
}

// convert makes the document of the merged files.
func (pc *pcProject) convert(place Place) {
	processes := pc.root.get("processes")
	if processes == nil || processes.kind != mapNode || len(processes.keys) == 0 {
		pc.fail(place, config.Diagnostic{Message: "there are no processes in it", Hint: "processes: is a mapping of names to what they run"})
		return
	}
	programs := 0
	for _, k := range processes.keys {
		n, _ := strconv.Atoi(k.value.get("replicas").String())
		programs += max(n, 1)
	}
	if pc.tooMany(place, programs) {
		return
	}
	name := filepath.Base(filepath.Dir(pc.paths[0]))
	if n := pc.root.get("name"); n.isScalar() && !n.isEmpty() {
		name = n.String()
		place = n.place
	}
	first := Place{pc.shown(pc.paths[0]), 1}
	if name = nameOfProject(name); name != "" {
		_ = pc.document.section(projectSection, "", place).set(place, "project", name) // it is letters, digits and _
	}
	defaults := pc.document.section(defaultsSection, "", Place{})
	o := pc.outcome(first, "process-compose", "", "")
	o.set(defaults, "autorestart", "never") // unless a process says otherwise
	o.inherit(defaults, inherited...)
	o.done()
	pc.useDotenv(processes, defaults)
	known := pcProjectKeys()
	for _, k := range pc.root.keys {
		if k.name == "processes" {
			continue
		}
		o := pc.outcome(k.place, "process-compose", k.name, k.value.String())
		i := slices.IndexFunc(known, func(p projectKey) bool { return p.name == k.name })
		switch {
		case strings.HasPrefix(k.name, "x-"):
		case i < 0:
			var names []string
			for _, p := range known {
				names = append(names, p.name)
			}
			o.drop("process-compose itself does not know the key", didYouMean(k.name, append(names, "processes")))
		case known[i].convert == nil:
			o.drop(known[i].why, known[i].instead)
		default:
			known[i].convert(pc, o, k.value)
		}
		o.done()
	}
	pc.process, pc.awaited = map[string]*node{}, map[string]bool{}
	for _, k := range processes.keys {
		pc.process[k.name] = k.value
		for _, dep := range dependencies(k.value) {
			if strings.HasPrefix(dep.value.get("condition").String(), "process_completed") {
				pc.awaited[dep.name] = true
			}
		}
	}
	pc.ring(processes)
	taken := newNames()
	for _, k := range processes.keys {
		pc.names[k.name] = taken.program(k.name)
	}
	var all []*pcProcess
	for _, k := range processes.keys {
		all = append(all, pc.processes(k)...)
	}
	for _, p := range all {
		p.convert()
	}
	pc.groups(all)
	pc.hoistLog(all)
}

// hoistLog puts what all programs with a log file have into [defaults].
func (pc *pcProject) hoistLog(all []*pcProcess) {
	var files []*Section
	for _, p := range all {
		if p.s.get("stdout") != "" {
			files = append(files, p.s)
		}
	}
	if len(files) == len(all) {
		pc.document.share(files, "stdout", "stderr", "log_prefix")
	}
	pc.document.share(files, "log_max_size", "log_backups", "log_max_age", "log_compress", "log_timestamps", "log_mode")
}

func didYouMean(name string, known []string) string {
	if near := config.Suggest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// useDotenv gives programs the variables of .env.
func (pc *pcProject) useDotenv(processes *node, defaults *Section) {
	if pc.dotenv == nil {
		return
	}
	for _, k := range processes.keys {
		if k.value.get("is_dotenv_disabled").isTrue() {
			return // each has it for itself, see environment
		}
	}
	pc.dotenvShared, pc.dotenvAsFile = true, pc.useEnvFile(pc.dotenv, defaults)
}

// groups makes groups of namespaces.
func (pc *pcProject) groups(all []*pcProcess) {
	m := members{}
	for _, p := range all {
		if p.group != "" {
			m.add(nameOfGroup(p.group), p.s.Name, p.place)
		}
	}
	m.write(pc.document)
}
