package convert

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// pcProcess is a process of process-compose, or one of its replicas.
type pcProcess struct {
	*pcProject
	nodeKey
	s        *Section
	replicas int
	replica  int // the number that templates have; 0 where they have a mark
	marks    bool
	quiet    bool // another replica has been reported
	group    string
	env      environ
	final    map[string]bool // names of its variables
	oneshot  bool
}

// processes makes the programs of a process: one, which may have instances, or one for each
// replica where they differ by more than their number.
func (pc *pcProject) processes(k nodeKey) []*pcProcess {
	n := 1
	if r := k.value.get("replicas"); r != nil {
		count, err := strconv.Atoi(r.String())
		if err != nil || count < 0 || count > maxCount {
			pc.fail(r.place, config.Diagnostic{Section: k.name, Key: "replicas", Value: r.String(), Message: fmt.Sprintf("that is no number from 0 to %d", maxCount)})
		} else if count > 1 {
			n = count
		}
	}
	name := pc.names[k.name]
	p := &pcProcess{pcProject: pc, nodeKey: k, replicas: n, marks: n > 1}
	if n == 1 || p.alike() {
		p.s = pc.document.addProgram(name, k.place)
		return []*pcProcess{p}
	}
	pc.split[k.name] = n
	var all []*pcProcess
	for i := range n {
		one := &pcProcess{pcProject: pc, nodeKey: k, replicas: n, replica: i, quiet: i > 0}
		one.s = pc.document.addProgram(pc.replicaName(k.name, i), k.place)
		all = append(all, one)
	}
	return all
}

// replicaName is what process-compose calls a replica: web-0, web-01.
func (pc *pcProject) replicaName(name string, i int) string {
	return fmt.Sprintf("%s-%0*d", pc.names[name], len(strconv.Itoa(pc.split[name])), i)
}

// templated are the texts of a process in which templates are replaced.
func (p *pcProcess) templated() []string {
	var texts []string
	add := func(n *node) {
		if n.isScalar() {
			texts = append(texts, n.text)
		}
	}
	for _, key := range []string{"working_dir", "log_location", "description"} {
		add(p.value.get(key))
	}
	if !p.value.get("is_template_disabled").isTrue() {
		add(p.value.get("command"))
	}
	if list := p.value.get("environment"); list != nil {
		for _, item := range list.items {
			add(item)
		}
	}
	for _, key := range []string{"readiness_probe", "liveness_probe"} {
		probe := p.value.get(key)
		add(probe.get("exec").get("command"))
		for _, key := range []string{"host", "path", "scheme", "port"} {
			add(probe.get("http_get").get(key))
		}
	}
	return texts
}

// alike reports whether the replicas differ by nothing but their number.
func (p *pcProcess) alike() bool {
	for _, text := range p.templated() {
		marked, err := renderTemplate(text, p.values())
		if err != nil {
			continue // it fails for all
		}
		for i := range p.replicas {
			one := pcProcess{pcProject: p.pcProject, nodeKey: p.nodeKey, replica: i}
			if text, err := renderTemplate(text, one.values()); err != nil || text != withNumber(marked, i) {
				return false
			}
		}
	}
	return true
}

// values are what templates of the process have.
func (p *pcProcess) values() map[string]any {
	values := map[string]any{}
	maps.Copy(values, p.vars)
	maps.Copy(values, valuesOf(p.value.get("vars")))
	values["PC_REPLICA_NUM"] = p.replica
	if p.marks {
		values["PC_REPLICA_NUM"] = replicaNumber(0)
	}
	return values
}

// render replaces the templates of a text; double braces of the result are msup's.
func (p *pcProcess) render(o *outcome, n *node) string {
	text, err := renderTemplate(n.String(), p.values())
	if err != nil {
		p.fail(n.place, config.Diagnostic{
			Section: p.name, Key: o.Key, Value: n.String(), Message: err.Error(),
			Hint: "double braces are a template of process-compose's; is_template_disabled: true takes them as they are",
		})
	}
	if strings.Contains(text, noValue) && !strings.Contains(n.String(), noValue) {
		o.change("its template names what is in no vars: there is %s in its place, as in process-compose", noValue)
	}
	return text
}

// processKey is a key of a process, and what becomes of it. One without a function has no effect.
type processKey struct {
	name         string
	convert      func(p *pcProcess, o *outcome, n *node)
	why, instead string
}

// pcProcessKeys are all keys of a process, in the order in which what becomes of them is written.
func pcProcessKeys() []processKey {
	const terminal = "programs of msup's have no terminal"
	return []processKey{
		{name: "description", convert: func(p *pcProcess, o *outcome, n *node) { o.set(p.s, "description", withMarks(p.render(o, n))) }},
		{name: "command", convert: (*pcProcess).command},
		{name: "entrypoint", convert: (*pcProcess).entrypoint},
		{name: "replicas", convert: (*pcProcess).instances},
		{name: "disabled", convert: (*pcProcess).disabled},
		{name: "is_disabled", convert: (*pcProcess).isDisabled},
		{name: "working_dir", convert: (*pcProcess).directory},
		{name: "is_dotenv_disabled", convert: asItIs},
		{name: "depends_on", convert: (*pcProcess).dependsOn},
		{name: "availability", convert: (*pcProcess).availability},
		{name: "success_exit_codes", convert: (*pcProcess).success},
		{name: "schedule", convert: (*pcProcess).schedule},
		{name: "readiness_probe", convert: (*pcProcess).readiness},
		{name: "ready_log_line", convert: (*pcProcess).readyLine},
		{name: "liveness_probe", convert: (*pcProcess).liveness},
		{name: "shutdown", convert: (*pcProcess).shutdown},
		{name: "log_location", convert: (*pcProcess).logLocation},
		{name: "log_configuration", convert: (*pcProcess).logConfiguration},
		{name: "namespace", convert: (*pcProcess).namespace},
		{name: "vars", convert: func(_ *pcProcess, o *outcome, _ *node) { o.change("they are replaced by their values") }},
		{name: "is_template_disabled", convert: asItIs},
		{name: "is_daemon", convert: (*pcProcess).daemon},
		{name: "launch_timeout_seconds", convert: asItIs}, // how long output is waited for, which msup does not
		{name: "is_foreground", convert: (*pcProcess).foreground},
		{name: "is_elevated", why: "msup runs no sudo", instead: "run msup as root, and give the other programs a user"},
		{name: "is_tty", why: terminal, instead: "script -qec COMMAND /dev/null gives a program one"},
		{name: "is_interactive", why: terminal, instead: "script -qec COMMAND /dev/null gives a program one"},
		{name: "truncate_log", why: "a log file is appended to, and rotated", instead: "msup rotate NAME before a start"},
		{name: "disable_ansi_colors", why: "msup writes what the program writes"},
		{name: "watch", why: "msup watches no files", instead: "a systemd path unit that runs msup restart NAME, or the program's own --watch"},
		{name: "mcp", convert: (*pcProcess).mcp},
		{name: "monitor_for", why: "it is about process-compose's own terminal"},
		{name: "monitor_silence_threshold", why: "it is about process-compose's own terminal"},
	}
}

func asItIs(*pcProcess, *outcome, *node) {}

// convert makes the program.
func (p *pcProcess) convert() {
	entries := len(p.report.Entries)
	p.s.Comments = p.comments
	p.oneshot = p.mustComplete()
	p.environment()
	known := pcProcessKeys()
	if p.value.get("command").isEmptyScalar() && p.value.get("entrypoint") == nil {
		p.fail(p.place, config.Diagnostic{Section: p.name, Message: "the process has no command", Hint: "add command: or entrypoint:"})
		return
	}
	if n := p.s.Name; n != p.name && p.replicas == 1 {
		o := p.outcome(p.place, p.name, "", "")
		o.change("called %s", n)
		o.done()
	}
	for _, k := range known {
		i := slices.IndexFunc(p.value.keys, func(have nodeKey) bool { return have.name == k.name })
		if i < 0 {
			continue
		}
		have := p.value.keys[i]
		o := p.outcome(have.place, p.name, k.name, have.value.String())
		o.comments, o.note = have.comments, have.note
		if k.convert == nil && !have.value.isEmpty() {
			o.drop(k.why, k.instead)
		} else if k.convert != nil && have.value.kind != nullNode {
			k.convert(p, o, have.value)
		}
		o.done()
	}
	for _, k := range p.value.keys {
		if slices.ContainsFunc(known, func(o processKey) bool { return o.name == k.name }) || strings.HasPrefix(k.name, "x-") || slices.Contains([]string{"extends", "environment", "env_file"}, k.name) {
			continue
		}
		var names []string
		for _, o := range known {
			names = append(names, o.name)
		}
		o := p.outcome(k.place, p.name, k.name, k.value.String())
		o.drop("process-compose itself does not know the key", didYouMean(k.name, names))
		o.done()
	}
	p.commonLog()
	if p.oneshot {
		_ = p.s.set(p.place, "oneshot", "true")
		if p.s.get("autorestart") == "" {
			_ = p.s.set(p.place, "autorestart", "never")
		}
	}
	p.s.inOrder()
	if p.quiet {
		p.report.Entries = p.report.Entries[:entries]
	}
}

func (n *node) isEmptyScalar() bool {
	return n == nil || n.kind == nullNode || n.isScalar() && n.text == ""
}

func (p *pcProcess) instances(o *outcome, _ *node) {
	switch {
	case p.marks:
		o.set(p.s, "instances", strconv.Itoa(p.replicas))
		o.change("called %s@1 to %s@%d", p.s.Name, p.s.Name, p.replicas)
	case p.replicas > 1:
		o.change("each is a program of its own, because they differ by more than their number")
	}
}

func (p *pcProcess) disabled(o *outcome, n *node) {
	if n.isTrue() && p.value.get("is_disabled").String() != "false" {
		o.set(p.s, "autostart", "false")
	}
}

func (p *pcProcess) isDisabled(o *outcome, n *node) {
	if n.String() == "true" {
		o.set(p.s, "autostart", "false")
	}
}

func (p *pcProcess) directory(o *outcome, n *node) {
	dir := p.render(o, n)
	if dir == "" {
		return
	}
	o.set(p.s, "directory", withMarks(p.path(p.below(dir))))
}

// workingDir is the folder of the process.
func (p *pcProcess) workingDir() string {
	if n := p.value.get("working_dir"); n.isScalar() && n.text != "" {
		if dir, err := renderTemplate(n.text, p.values()); err == nil {
			return p.below(dir)
		}
	}
	return filepath.Dir(p.paths[0])
}
