package convert

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// Procfile is the format of foreman, overmind, hivemind, goreman and Heroku.
const Procfile Format = "procfile"

// procName are the names that a Procfile goes by: Procfile, Procfile.dev, dev.Procfile.
var procName = regexp.MustCompile(`(?i)^procfile([._-].*)?$|^.+\.procfile$`)

func isProcfile(name string, _ []byte) bool { return procName.MatchString(name) }

// procEntry is a line NAME: COMMAND.
type procEntry struct {
	name, command string
	line          int
	comments      []string // above it
}

type procfile struct {
	head    []string // comments above everything, and an empty line
	foot    []string // comments below everything
	entries []procEntry
	ignored []procEntry // lines that are nothing; the text is the command
}

// procLine is lib/foreman/procfile.rb of foreman; overmind wants white space behind the colon.
var procLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(.+)$`)

func parseProcfile(data []byte) procfile {
	var p procfile
	var comments []string
	for i, line := range lines(data) {
		text := strings.TrimSpace(line)
		m := procLine.FindStringSubmatch(line)
		switch {
		case m != nil:
			p.entries = append(p.entries, procEntry{m[1], strings.TrimSpace(m[2]), i + 1, withoutEmptyEnd(comments)})
			comments = nil
		case text == "":
			switch {
			case len(comments) == 0:
			case len(p.entries) == 0 && len(p.head) == 0:
				p.head, comments = comments, nil
			default:
				comments = append(withoutEmptyEnd(comments), "")
			}
		case text[0] == '#':
			comments = append(comments, commentText(text))
		default:
			p.ignored = append(p.ignored, procEntry{"", line, i + 1, nil})
		}
	}
	p.foot = withoutEmptyEnd(comments)
	return p
}

// runner is what a Procfile is run by, and what that does in its own way.
type runner struct {
	overmind  bool
	formation map[string]int
	rest      int // of programs that a formation does not name
	base      int // the first port
	baseGiven bool
	step      int // from a program's port to the next one's
	noPort    bool
	envFiles  []string // of variables, the later ones win
	timeout   string
	shell     string
	signals   map[string]string // of programs, instead of INT
	mayDie    []string          // end without a restart; "all"
	only      []string          // only these are started; nil = all
	// inEnvironment are variables that all programs have.
	inEnvironment []string
	never         []string // these are not
}

func convertProcfile(in *input) {
	main := in.paths[0]
	data, err := in.readMain(main)
	if err != nil {
		in.fail(Place{File: in.shown(main)}, config.Diagnostic{Message: err.Error()})
		return
	}
	text := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	p := parseProcfile(text)
	place := Place{in.shown(main), 1}
	if len(p.entries) == 0 {
		in.fail(place, config.Diagnostic{Message: "there is no process in it", Hint: "a process is a line NAME: COMMAND"})
		return
	}
	if in.tooMany(place, len(p.entries)) {
		return
	}
	dir := filepath.Dir(main)
	r := in.runner(dir)
	in.checkFormation(place, r, p.entries)
	in.document.Comments, in.document.Foot = p.head, p.foot
	file := in.outcome(place, "Procfile", "", "")
	if name := nameOfProject(filepath.Base(dir)); name != "" {
		file.set(in.document.section(projectSection, "", place), "project", name)
	}
	defaults := in.document.section(defaultsSection, "", place)
	file.set(defaults, "autorestart", "always")
	file.set(defaults, "stop_timeout", r.timeout)
	if r.overmind {
		file.set(defaults, "stop_signal", "INT")
	}
	if in.Out != dir {
		file.set(defaults, "directory", in.path(dir))
	}
	file.inherit(defaults, inherited...)
	file.change("%s ends all processes when one ends; here each is started again by itself, up to max_restarts times", r.name())
	if len(text) < len(data) {
		file.change("the byte order mark before the first line is left out; foreman ignores the line for it")
	}
	file.done()
	for _, line := range p.ignored {
		f := in.outcome(Place{place.File, line.line}, "Procfile", "", line.command)
		f.drop(r.name()+" ignores the line: it is not NAME: COMMAND with a name of letters, digits, _ and -", "")
		f.done()
	}

	names := newNames()
	used := in.procEnv(dir, r, defaults)
	for i, e := range p.entries {
		in.procEntry(r, e, names.program(e.name), place.File, r.base+i*r.step, used)
	}
	if r.overmind && !r.noPort {
		in.overmindPorts(r, p.entries, defaults)
	}
}

func (r *runner) name() string {
	if r.overmind {
		return "overmind"
	}
	return "foreman"
}

// count is how many of a program are started.
func (r *runner) count(name string) int {
	if slices.Contains(r.never, name) || r.only != nil && !slices.Contains(r.only, name) {
		return 0
	}
	return countOf(r.formation, name, r.rest)
}

// checkFormation refuses a formation that names what there is not.
func (in *input) checkFormation(p Place, r *runner, entries []procEntry) {
	var known []string
	for _, e := range entries {
		known = append(known, e.name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.formation)) {
		if name == "all" || slices.Contains(known, name) {
			continue
		}
		hint := "the processes are " + clip(strings.Join(known, ", "))
		if near := config.Suggest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		in.fail(Place{File: p.File}, config.Diagnostic{Message: fmt.Sprintf("the formation names %s, which is no process", clip(name)), Hint: hint})
	}
}

// procEnv gives the programs the variables of .env. One of them may be PORT, which the ports
// begin with.
func (in *input) procEnv(dir string, r *runner, defaults *Section) *envFile {
	read := dialect(foremanEnv)
	if r.overmind {
		read = godotenv
	}
	if text, ok := in.env("PORT"); ok {
		r.setBase(text)
	}
	used := &envFile{}
	for _, name := range r.envFiles {
		path := below(dir, name)
		file, err := in.readEnvFile(path, read)
		if err != nil {
			in.fail(Place{File: in.shown(path)}, config.Diagnostic{Message: err.Error()})
			continue
		}
		if file == nil || name == overmindEnv && file.only("OVERMIND_") {
			continue
		}
		if text, ok := file.get("PORT"); ok {
			r.setBase(text)
		}
		if in.useEnvFile(file, defaults) {
			used.vars = append(used.vars, file.vars...)
		}
		for _, v := range file.vars {
			r.inEnvironment = append(r.inEnvironment, v.name)
		}
	}
	return used
}

// setBase sets the first port, if it is not given in another way.
func (r *runner) setBase(text string) {
	if port, ok := portOf(text); ok && !r.baseGiven {
		r.base = port
	}
}

// portOf reads a port as Ruby's to_i does, digits and what follows.
func portOf(text string) (int, bool) {
	text = strings.TrimSpace(text)
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		text = text[:end]
	}
	port, err := strconv.Atoi(text)
	return port, err == nil && port > 0
}

// procEntry makes a program of a line.
func (in *input) procEntry(r *runner, e procEntry, name, file string, port int, used *envFile) {
	s := in.document.addProgram(name, Place{file, e.line})
	s.Comments = e.comments
	f := in.outcome(Place{file, e.line}, name, e.name, e.command)
	defer f.done()
	if name != e.name {
		f.change("called %s: %s", name, whyRenamed(e.name))
	}
	vars, command := assignments(r.shell, "-c", e.command)
	argv, changed := shellWords(r.shell, "-c", command)
	if changed != "" {
		f.change("%s", changed)
	}
	count := r.count(e.name)
	environment := environ{file: used}
	for i := range vars {
		vars[i].value = literal(vars[i].value)
	}
	all := append(r.numbers(f, e.name, count, port), vars...)
	for i, v := range all {
		if at, _ := lastOf(all, v.name); at == i {
			environment.add(v.name, v.value)
		}
	}
	defer f.passed(s, argv, func(name string) bool {
		return slices.Contains([]string{"PORT", "PS"}, name) || slices.Contains(inherited, name) || slices.Contains(r.inEnvironment, name) || strings.HasPrefix(name, "OVERMIND_PROCESS_")
	})
	f.set(s, "command", words(environment.command(literals(argv))...))
	f.sigPipe(s, argv)
	switch {
	case count == 0:
		f.set(s, "autostart", "false")
	case count > 1:
		f.set(s, "instances", strconv.Itoa(count))
	}
	if len(environment.list) > 0 {
		f.set(s, "environment", strings.Join(environment.list, " "))
	}
	if e.name == "release" {
		f.set(s, "oneshot", "true")
		f.set(s, "autorestart", "on-failure")
		f.change("it ends, as on Heroku before each release; the others do not wait for it")
	}
	if slices.Contains(r.mayDie, e.name) || slices.Contains(r.mayDie, "all") {
		f.set(s, "autorestart", "never")
	}
	if signal := r.signals[e.name]; signal != "" {
		f.set(s, "stop_signal", signal)
	}
}

// numbers are the variables that tell a process its port and its name.
func (r *runner) numbers(f *outcome, name string, count, port int) []envVar {
	var vars []envVar
	switch {
	case r.noPort:
	case port+max(count, 1)-1 > 65535:
		f.change("it gets no PORT, which would be above 65535")
	case count > 1:
		vars = append(vars, envVar{name: "PORT", value: fmt.Sprintf("{{port %d}}", port)})
	default:
		vars = append(vars, envVar{name: "PORT", value: strconv.Itoa(port)})
	}
	ps := name + ".1"
	switch {
	case count > 1 && r.overmind:
		ps = name + "#{{instance}}"
		f.change("ports of instances are %d, %d, … and not %d apart", port, port+1, overmindStep)
	case count > 1:
		ps = name + ".{{instance}}"
	case r.overmind:
		ps = name
	}
	return append(vars, envVar{name: "PS", value: ps})
}

func whyRenamed(name string) string {
	if name == "all" {
		return "commands use the word all for every program"
	}
	return "names begin with a letter or digit, and each program has its own"
}

func literals(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = literal(s)
	}
	return out
}
