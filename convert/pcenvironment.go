package convert

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// This file has the variables of a process of process-compose.

// environment finds out what the program's environment is: .env, then that of the project, then
// env_file, then its own; the later ones win.
func (p *pcProcess) environment() {
	var all []envVar
	files := &envFile{}
	take := func(f *envFile, asFile bool) {
		all = append(all, f.vars...)
		if asFile {
			files.vars = append(files.vars, f.vars...)
		}
	}
	if p.dotenv != nil && !p.value.get("is_dotenv_disabled").isTrue() {
		asFile := p.dotenvAsFile
		if !p.dotenvShared {
			told := len(p.report.Entries)
			asFile = p.useEnvFile(p.dotenv, p.s)
			if p.dotenvTold {
				p.report.Entries = p.report.Entries[:told]
			}
			p.dotenvTold = true
		}
		take(p.dotenv, asFile)
	}
	global := variablesOf(p.root.get("environment"))
	all = append(all, global...)
	if n := p.value.get("env_file"); !n.isEmptyScalar() {
		if f := p.ownEnvFile(n); f != nil {
			take(f, p.useEnvFile(f, p.s))
		}
	}
	o := p.outcome(p.place, p.name, "environment", "")
	if n := p.value.get("environment"); n != nil {
		o = p.outcome(n.place, p.name, "environment", n.String())
	}
	own := append(p.ownVariables(o, p.value.get("environment")), p.assigned()...)
	final := map[string]string{}
	for _, v := range append(all, own...) {
		final[v.name] = v.value
	}
	p.env.file = files
	p.final = map[string]bool{}
	for name := range final {
		p.final[name] = true
	}
	// What an env_file would win over.
	for _, v := range all {
		old, ok := files.get(v.name)
		_, mine := lastOf(own, v.name)
		if ok && !mine && old != final[v.name] && !slices.ContainsFunc(p.env.before, func(w string) bool { return strings.HasPrefix(w, v.name+"=") }) {
			p.env.add(v.name, withMarks(final[v.name]))
		}
	}
	for i, v := range own {
		if at, _ := lastOf(own, v.name); at == i {
			p.s.unsetVariable(v.name)
			p.env.add(v.name, withMarks(v.value))
		}
	}
	text := strings.Join(p.templated(), "\n")
	for _, v := range []envVar{{name: "PC_PROC_NAME", value: p.name}, {name: "PC_REPLICA_NUM", value: p.replicaNumber()}} {
		if _, mine := final[v.name]; !mine && (p.replicas > 1 || strings.Contains(text, v.name)) {
			p.env.add(v.name, withMarks(v.value))
		}
	}
	if len(p.env.list) > 0 {
		o.set(p.s, "environment", strings.Join(p.env.list, " "))
	}
	if p.value.get("environment") != nil {
		o.done()
	}
}

// replicaNumber is the number of the replica as a text, with a mark where it has one.
func (p *pcProcess) replicaNumber() string {
	if p.marks {
		return markBegin + "0" + markEnd
	}
	return strconv.Itoa(p.replica)
}

// lastOf is the last variable of a name.
func lastOf(vars []envVar, name string) (int, bool) {
	for i, v := range slices.Backward(vars) {
		if v.name == name {
			return i, true
		}
	}
	return -1, false
}

// ownVariables are those of the process, templates replaced. What cannot be written is left out.
func (p *pcProcess) ownVariables(o *outcome, n *node) []envVar {
	if n == nil {
		return nil
	}
	var own []envVar
	for _, v := range o.variables(p.s, n) {
		v.value = p.render(o, &node{kind: textNode, text: v.value, place: Place{n.place.File, v.line}})
		if why := unprintable(withMarks(v.value)); why != "" {
			o.drop(v.name+": "+why, "write env_file = FILE, whose double quotes may go over several lines")
			continue
		}
		own = append(own, v)
	}
	return own
}

// ownEnvFile reads the env_file of the process, which is relative to its folder.
func (p *pcProcess) ownEnvFile(n *node) *envFile {
	path := n.String()
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.workingDir(), path)
	}
	o := p.outcome(n.place, p.name, "env_file", n.String())
	f, err := p.readEnvFile(path, godotenv)
	switch {
	case err != nil:
		o.fail("", "%v", err)
	case f == nil:
		o.set(p.s, "env_file", "-"+p.path(path))
		o.change("it is missing; process-compose goes on without it")
	default:
		o.change("see %s", p.shown(path))
		o.Verdict = Kept
	}
	o.done()
	return f
}
