package convert

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msup/config"
	"msup/units"
)

// supervisordHeader is a header that supervisord has and msup has not.
var supervisordHeader = regexp.MustCompile(`(?m)^[ \t]*\[(supervisord|supervisorctl|unix_http_server|inet_http_server|(rpcinterface|eventlistener|fcgi-program|ctlplugin):[^\]\n]*)\]`)

// programHeader is a header that both have, in supervisord's spelling.
var programHeader = regexp.MustCompile(`(?m)^[ \t]*\[program:[^\]\n]*\]`)

// msupNames are the names that msup looks for: what is supervisord's in such a file is a mistake.
var msupNames = []string{"msup.conf", "supervisor.conf", "msup.ini"}

// isSupervisord tells a configuration of supervisord by a section that only it has, or, for a
// file that it includes, by what only it has in the section of a program.
func isSupervisord(name string, content []byte) bool {
	if slices.Contains([]string{".yml", ".yaml", ".json", ".toml", ".service"}, filepath.Ext(name)) {
		return false
	}
	if supervisordHeader.Match(content) {
		return true
	}
	theirs, ours := programStyle(content)
	return theirs && !ours && !slices.Contains(msupNames, name)
}

// programStyle reports whether the sections [program:NAME] of a file have what only supervisord
// has, and what only msup has. A plain program has neither: both read it.
func programStyle(content []byte) (theirs, ours bool) {
	if !programHeader.Match(content) {
		return false, false
	}
	for line := range strings.Lines(string(content)) {
		key, value, found := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" || strings.ContainsAny(key[:1], "#;[") || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		supervisords, msups := programKeys[strings.ToLower(key)] != nil || ochinchinaKeys[key] != "", keyOf(programSection, key) != nil
		theirs = theirs || supervisords && !msups || restartWord.MatchString(line) || percentName.MatchString(value)
		ours = ours || msups && !supervisords
	}
	return theirs, ours
}

var (
	// restartWord is a value of autorestart that msup does not take.
	restartWord = regexp.MustCompile(`(?i)^autorestart[ \t]*=[ \t]*(true|false|unexpected)\b`)
	// percentName is a value with a name to be replaced.
	percentName = regexp.MustCompile(`%\((ENV_\w+|here|host_node_name|program_name|group_name|process_num|numprocs)\)`)
)

// supervisordPlace is the path of a file that is supervisord's by its name or folder, as those of
// Debian (/etc/supervisor/conf.d) and Fedora (/etc/supervisord.d) are.
var supervisordPlace = regexp.MustCompile(`(^|/)supervisord[^/]*$|(^|/)supervisord?(\.conf)?(\.d)?/`)

// maybeSupervisord reports whether a file is supervisord's if it is not msup's, which its content
// does not tell.
func maybeSupervisord(name string, content []byte) bool {
	_, ours := programStyle(content)
	return programHeader.Match(content) && !ours && !slices.Contains(msupNames, filepath.Base(name))
}

// supervisord is the conversion of one configuration of supervisord's.
type supervisord struct {
	*input
	file     *iniFile
	global   expansions
	entries  map[*iniKey]*Entry
	lost     map[*iniKey]bool // their value is wrong, or not known
	programs []*program
	shared   []pair   // of [supervisord] environment
	startup  bool     // dependentStartup starts programs
	missed   []string // patterns of [include] that no file matches
	logfile  string   // of [supervisord], as that of a program would be written
	size     int      // of all values that were expanded
}

// program is a program of supervisord's that becomes one of msup's.
type program struct {
	*supervisord
	section *iniSection
	name    string // %(program_name)s
	group   string // %(group_name)s
	process string // the name of its process, with marks
	x       expansions
	env     []pair
	out     *Section
	done    map[string]bool

	numprocs      int
	groupPriority int
	priority      int
	place         int        // in the order of the file
	before        []*program // those of the next lower priority, in another group
}

func convertSupervisord(in *input) {
	c := &supervisord{input: in, entries: map[*iniKey]*Entry{}, lost: map[*iniKey]bool{}}
	c.file = &iniFile{byName: map[string]*iniSection{}, defaults: &iniSection{name: defaultSection}}
	c.read()
	c.global = expansions{
		texts:   map[string]string{"here": filepath.Dir(c.paths[0]), "host_node_name": c.Hostname},
		numbers: map[string]int{}, env: c.lookup,
	}
	c.document.section(projectSection, "", Place{})
	defaults := c.document.section(defaultsSection, "", Place{})
	if len(c.problems) > 0 {
		// What could not be read would be missed again and again; whose project it is must be known
		// to stop it.
		if s := c.file.byName["supervisord"]; s != nil {
			if k := c.keyOf(s, "identifier"); k != nil {
				c.daemonKey(defaults, k)
			}
		}
		return
	}
	if !slices.ContainsFunc(c.file.head, sampleHead.MatchString) {
		c.document.Comments = meaningful(c.file.head)
	}
	c.startup = slices.ContainsFunc(c.file.sections, func(s *iniSection) bool {
		k := s.key("command")
		return k != nil && strings.HasPrefix(s.name, "eventlistener:") && dependentStartup.MatchString(k.value)
	})
	c.daemon()
	c.findPrograms()
	c.order()
	for _, p := range c.programs {
		if p.convert(); c.size > maxExpanded {
			return
		}
	}
	c.waits()
	c.groups()
	c.others()
	c.shareLogs()
	c.hoist()
	for _, k := range c.file.replaced {
		c.note(k, Dropped, nil, "a later line sets it again", "")
	}
	for _, e := range c.entries {
		c.report.add(*e)
	}
	if len(c.programs) == 0 && len(c.problems) == 0 && c.Direct {
		d := config.Diagnostic{Message: "there is no program in it that msup can run", Hint: "a program is [program:NAME] with a command"}
		if c.missed != nil {
			d.Hint = "[include] files has " + strings.Join(c.missed, " ") + ", which no file matches"
		}
		c.fail(Place{File: c.shown(c.paths[0])}, d)
	}
}

// read reads the main file and those that it includes; these include no others.
func (c *supervisord) read() {
	p := &iniParser{in: c.input, file: c.file}
	main := c.paths[0]
	data, err := c.files.readFile(main)
	if err != nil {
		return // it was read a moment ago
	}
	p.parse(main, data, filepath.Dir(main))
	include := c.file.byName["include"]
	if include == nil || len(c.problems) > 0 {
		return
	}
	include = &iniSection{name: include.name, place: include.place, keys: slices.Clone(include.keys)}
	files := include.key("files")
	if files == nil {
		c.fail(include.place, config.Diagnostic{Section: "include", Message: "the section has no files", Hint: "add files = conf.d/*.conf, or remove the section"})
		return
	}
	// Which files there are must be known now.
	x := expansions{texts: map[string]string{"here": filepath.Dir(main), "host_node_name": c.Hostname}, env: c.env}
	patterns, err := x.expand(files.value)
	if err != nil {
		c.wrong(files, err)
		return
	}
	for pattern := range strings.FieldsSeq(patterns) {
		abs := pattern
		if !filepath.IsAbs(abs) {
			abs = globEscaper.Replace(filepath.Dir(main)) + "/" + pattern
		}
		paths, err := c.files.glob(strings.ReplaceAll(abs, "[!", "[^"))
		if err != nil {
			c.fail(files.place, config.Diagnostic{Section: "include", Key: "files", Message: quote(pattern) + " is not a pattern"})
			return
		}
		paths = slices.DeleteFunc(paths, func(p string) bool {
			return strings.HasPrefix(filepath.Base(p), ".") && !strings.HasPrefix(filepath.Base(pattern), ".")
		})
		if len(paths) == 0 {
			c.missed = append(c.missed, pattern)
		}
		for _, path := range paths {
			if slices.Contains(c.files.read, path) {
				continue // to read it again would change nothing
			}
			data, err := c.files.readFile(path)
			if err != nil {
				c.fail(files.place, config.Diagnostic{Section: "include", Key: "files", Message: fmt.Sprintf("cannot read %s: %v", c.shown(path), cause(err))})
				return
			}
			p.parse(path, data, filepath.Dir(path))
		}
	}
	// An included file may have another one, which would take the place of this.
	c.file.replaced = slices.DeleteFunc(c.file.replaced, func(k *iniKey) bool { return k == files })
	if c.missed != nil {
		c.note(files, Changed, nil, "no file matches "+strings.Join(c.missed, " ")+"; what the others have stands here", "")
	} else {
		c.note(files, Kept, nil, "what the files have stands here", "")
	}
	for _, k := range c.file.byName["include"].keys {
		if k != files {
			c.note(k, Dropped, nil, "supervisord itself ignores it", "")
		}
	}
}

// globEscaper makes a folder's name literal in a pattern.
var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// lookup finds a variable of the environment: to be replaced here and now when the
// configuration is to be run, else when the one of msup's is read.
func (c *supervisord) lookup(name string) (string, bool) {
	value, ok := c.env(name)
	switch {
	case ok && strings.Contains(value, mark):
		return "", false
	case c.Direct:
		return value, ok
	case !variableName.MatchString(name):
		return "", false
	}
	return mark + "env " + name + mark, true
}

// variableName is one that msup takes, IEEE 1003.1 section 8.1.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// note says what has become of a key. One of [DEFAULT] is in several programs: what is worse counts.
func (c *supervisord) note(k *iniKey, v Verdict, became []string, why, instead string) {
	e := c.entries[k]
	if e == nil {
		c.entries[k] = &Entry{
			File: k.place.File, Line: k.place.Line, Section: k.section, Key: k.name, Value: k.value,
			Verdict: v, Became: became, Why: why, Instead: instead,
		}
		return
	}
	order := []Verdict{Kept, Changed, Dropped}
	if slices.Index(order, v) > slices.Index(order, e.Verdict) || e.Why == "" && v == e.Verdict {
		e.Verdict, e.Why, e.Instead = v, why, instead
	}
	for _, b := range became {
		if !slices.Contains(e.Became, b) {
			e.Became = append(e.Became, b)
		}
	}
}

// wrong reports a value that supervisord would not take either.
func (c *supervisord) wrong(k *iniKey, err error) {
	c.lost[k] = true
	d := config.Diagnostic{Section: k.section, Key: k.name, Value: oneLine(k.value), Message: err.Error()}
	if missing, ok := errors.AsType[*missingError](err); ok {
		d.Hint = "set it: " + missing.name + "=… msup …"
	} else if _, ok := errors.AsType[*formatError](err); ok {
		d.Hint = "a percent sign that stands for itself is written %%"
	} else if goesOn(k.value) {
		d.Hint = "what is indented belongs to the line above"
	} else if k.note != "" {
		d.Hint = "what stands behind a space and ; or # is a comment"
	}
	c.fail(k.place, d)
}

// goesOn reports whether a value has several lines.
func goesOn(value string) bool { return strings.Contains(value, "\n") }

var errGoesOn = errors.New("it has several lines")

// maxExpanded bounds all values together: [DEFAULT] may be in thousands of programs.
const maxExpanded = 16 << 20

// expand is the value of a key with its names replaced; it may have marks.
func (c *supervisord) expand(k *iniKey, x expansions) (string, bool) {
	// here is the folder of the file that the value stands in.
	value, err := x.with("here", k.dir).expand(k.value)
	if c.size += len(value); c.size > maxExpanded {
		err = fmt.Errorf("all values together come to more than %d MiB", maxExpanded>>20)
	}
	if err != nil {
		c.wrong(k, err)
		return "", false
	}
	return value, true
}

// now is the value of a key that must be known when it is converted: a number, a word.
func (c *supervisord) now(k *iniKey, x expansions) (string, bool) {
	missing := ""
	x.env = func(name string) (string, bool) {
		value, ok := c.env(name)
		if !ok {
			missing = name
		}
		return value, ok
	}
	value, err := x.with("here", k.dir).expand(k.value)
	switch {
	case err == nil && marked(value):
		c.wrong(k, fmt.Errorf("it cannot be another one in each process"))
		return "", false
	case err == nil:
		return value, true
	case missing != "" && !c.Direct && k.name != "user": // without a user it would run as root
		c.lost[k] = true
		c.note(k, Dropped, nil, fmt.Sprintf("the variable %s is not set, and a value of this key is known only with it", missing), "set it: "+missing+"=… msup import …")
		return "", false
	}
	c.wrong(k, err)
	return "", false
}

// put sets a key of the configuration to what a key of the file has become, and takes the
// comments along. It returns the lines, nil if the value cannot be written.
func (c *supervisord) put(s *Section, k *iniKey, name, value string) []string {
	if err := s.set(k.place, name, value); err != nil {
		c.note(k, Dropped, nil, err.Error(), "")
		return nil
	}
	set := &s.Keys[len(s.Keys)-1]
	if i := slices.IndexFunc(s.Keys, func(key Key) bool { return key.Name == name && key.Place == k.place }); i >= 0 && !strings.HasPrefix(name, "environment") {
		set = &s.Keys[i]
	}
	set.Comments = append(set.Comments, meaningful(k.comments)...)
	k.comments = nil
	if len(meaningful([]string{k.note})) > 0 && !strings.ContainsAny(set.Value, "#;") {
		set.Note = k.note
	}
	k.note = ""
	return []string{name + " = " + set.Value}
}

// oldKey is a line that was commented out, or part of supervisord's own sample file.
var oldKey = regexp.MustCompile(`^\[[a-z_-]+(:[^\]]*)?\]|^[a-z_]+ *[=:]|\(def\b|\bdefault\b|^[;#=*-]+$`)

// sampleHead is in the comment above supervisord's own sample files.
var sampleHead = regexp.MustCompile(`(?i)supervisor config file|supervisord\.org`)

// meaningful leaves out comments that mean nothing any more.
func meaningful(comments []string) []string {
	return slices.DeleteFunc(slices.Clone(comments), func(s string) bool { return s == "" || oldKey.MatchString(s) })
}

// kept notes what a key has become without a change of its meaning.
func (c *supervisord) kept(s *Section, k *iniKey, name, value string) {
	if lines := c.put(s, k, name, value); lines != nil {
		c.note(k, Kept, lines, "", "")
	}
}

func (c *supervisord) changed(s *Section, k *iniKey, name, value, why string) {
	if lines := c.put(s, k, name, value); lines != nil {
		c.note(k, Changed, lines, why, "")
	}
}

// findPrograms finds the programs, in the order of the files, and their groups.
func (c *supervisord) findPrograms() {
	// A group takes its programs away from their own names; one in two groups runs twice.
	type member struct {
		group    string
		priority int
	}
	in := map[string][]member{}
	for _, s := range c.file.sections {
		name, ok := strings.CutPrefix(s.name, "group:")
		if !ok {
			continue
		}
		name = strings.TrimSpace(name)
		if !c.goodName(s, name) {
			continue
		}
		programs := c.keyOf(s, "programs")
		if programs == nil {
			c.fail(s.place, config.Diagnostic{Section: s.name, Message: "the group has no programs", Hint: "name them: programs = a,b"})
			continue
		}
		priority := c.integer(s, "priority", 999, c.global)
		value, ok := c.now(programs, c.global)
		if value == "" {
			continue // an empty group
		}
		for p := range strings.SplitSeq(value, ",") {
			p = strings.TrimSpace(p)
			if c.file.byName["program:"+p] == nil && c.file.byName["fcgi-program:"+p] == nil && ok {
				c.fail(programs.place, config.Diagnostic{Section: s.name, Key: "programs", Value: oneLine(value), Message: "there is no program " + quote(p), Hint: c.near(p)})
				continue
			}
			if !slices.ContainsFunc(in[p], func(m member) bool { return m.group == name }) {
				in[p] = append(in[p], member{name, priority})
			}
		}
	}
	taken := map[string]bool{}
	for i, s := range c.file.sections {
		name, ok := strings.CutPrefix(s.name, "program:")
		if !ok {
			continue
		}
		key := name // as groups name it
		if name = strings.TrimSpace(name); !c.goodName(s, name) {
			continue
		}
		priority := c.integer(s, "priority", 999, c.global)
		groups := in[key]
		if groups == nil {
			groups = []member{{"", priority}}
		}
		for n, g := range groups {
			p := &program{supervisord: c, section: s, name: name, group: g.group, groupPriority: g.priority, priority: priority, place: i, done: map[string]bool{}}
			own := name
			if n > 0 {
				own = g.group + "-" + name
			}
			title := unique(taken, unitName(own))
			p.out = &Section{Kind: programSection, Name: title, Place: s.place}
			if n == 0 {
				p.out.Comments = meaningful(s.comments)
			}
			if title != name {
				why := fmt.Sprintf("the program is called %s", title)
				if n > 0 {
					why = fmt.Sprintf("the program is in two groups and runs twice: in group %s it is called %s", g.group, title)
				}
				c.report.add(Entry{File: s.place.File, Line: s.place.Line, Section: s.name, Verdict: Changed, Became: []string{"[" + p.out.title() + "]"}, Why: why})
			}
			c.programs = append(c.programs, p)
		}
	}
}

// near is the name that was meant.
func (c *supervisord) near(name string) string {
	var names []string
	for _, s := range c.file.sections {
		if n, ok := strings.CutPrefix(s.name, "program:"); ok {
			names = append(names, n)
		}
	}
	if s := config.Suggest(name, names); s != "" {
		return "did you mean " + s + "?"
	}
	return ""
}

// goodName checks a name as supervisord does.
func (c *supervisord) goodName(s *iniSection, name string) bool {
	if name != "" && !strings.ContainsAny(name, " :/") {
		return true
	}
	d := config.Diagnostic{Section: s.name, Message: quote(name) + " is no name", Hint: "a name is not empty and holds no space, : and /"}
	if strings.Contains(name, "{{") {
		d.Hint = ofTemplate
	}
	c.fail(s.place, d)
	return false
}

// notInNames are characters that names of units do not have.
var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// maxName is the length of a name that msup takes.
const maxName = 64

// unitName is a name that msup takes for a program.
func unitName(name string) string {
	name = notInNames.ReplaceAllString(name, "_")
	if name == "all" || name == "" || strings.ContainsAny(name[:1], "_.-") {
		name = "x" + name
	}
	return name[:min(len(name), maxName)]
}

// groupName is a name that msup takes for a group, and for a project.
func groupName(name string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(unitName(name))
}

// unique is a name that is not taken yet.
func unique(taken map[string]bool, name string) string {
	for n, base := 2, name; taken[name]; n++ {
		suffix := "_" + strconv.Itoa(n)
		name = base[:min(len(base), maxName-len(suffix))] + suffix
	}
	taken[name] = true
	return name
}

// order sorts the programs by priority: msup starts them in the order of the file. supervisord
// stops one group after the other, each when the last has come to rest, which is what
// depends_on does. Those of one priority stay as they stand.
func (c *supervisord) order() {
	first := map[string]int{}
	for _, p := range c.programs {
		if _, ok := first[p.group]; !ok {
			first[p.group] = p.place
		}
	}
	if !slices.ContainsFunc(c.programs, func(p *program) bool { return p.groupPriority != 999 || p.priority != 999 }) {
		return
	}
	place := func(p *program) int {
		if p.group == "" {
			return p.place
		}
		return first[p.group]
	}
	slices.SortStableFunc(c.programs, func(a, b *program) int {
		return cmp.Or(cmp.Compare(a.groupPriority, b.groupPriority), place(a)-place(b), cmp.Compare(a.priority, b.priority))
	})
	if c.startup {
		return // programs name what they wait for themselves
	}
	var before, same []*program
	for i, p := range c.programs {
		if i > 0 && c.programs[i-1].groupPriority != p.groupPriority {
			before, same = same, nil
		}
		p.before, same = before, append(same, p)
	}
}

// waitsFor is depends_on for those of the next lower priority.
func (p *program) waitsFor() string {
	var names []string
	for _, b := range p.before {
		names = append(names, "?"+b.out.Name)
	}
	return strings.Join(names, " ")
}

// ordered notes what has become of a priority.
func (c *supervisord) ordered(k *iniKey, before []*program) {
	why := "programs are started in the order in which they stand"
	if before != nil {
		why += "; depends_on has them stopped in the opposite one, each when those before it are down"
	}
	c.note(k, Kept, nil, why, "")
}

// groups writes the groups that have a program.
func (c *supervisord) groups() {
	taken := map[string]bool{}
	for _, s := range c.file.sections {
		name, ok := strings.CutPrefix(s.name, "group:")
		programs := c.keyOf(s, "programs")
		if name = strings.TrimSpace(name); !ok || programs == nil {
			continue
		}
		var members []string
		for _, p := range c.programs {
			if p.group == name {
				members = append(members, p.out.Name)
			}
		}
		if members == nil {
			if programs.value == "" {
				c.note(programs, Kept, nil, "a group without programs is none", "")
			} else {
				c.note(programs, Dropped, nil, "msup can run none of them", "")
			}
			for _, k := range s.keys {
				if k != programs {
					c.note(k, c.entries[programs].Verdict, nil, "there is no such group", "")
				}
			}
			continue
		}
		title := unique(taken, groupName(name))
		out := &Section{Kind: groupSection, Name: title, Place: s.place, Comments: meaningful(s.comments)}
		c.document.Sections = append(c.document.Sections, out)
		if title != name {
			c.report.add(Entry{File: s.place.File, Line: s.place.Line, Section: s.name, Verdict: Changed, Became: []string{"[" + out.title() + "]"}, Why: "a group's name has letters, digits and _"})
		}
		c.kept(out, programs, "programs", words(members...))
		for _, k := range c.keysOf(s) {
			switch k.name {
			case "programs":
			case "priority":
				c.ordered(k, c.programs[slices.IndexFunc(c.programs, func(p *program) bool { return p.group == name })].before)
			default:
				c.note(k, Dropped, nil, "supervisord itself ignores it", "")
			}
		}
	}
}

// keyOf is a key of a section, else of [DEFAULT]; nil if there is none.
func (c *supervisord) keyOf(s *iniSection, name string) *iniKey {
	return cmp.Or(s.key(name), c.file.defaults.key(name))
}

// keysOf are the keys of a section, and those of [DEFAULT] that it has not.
func (c *supervisord) keysOf(s *iniSection) []*iniKey {
	keys := slices.Clone(s.keys)
	for _, k := range c.file.defaults.keys {
		if s.key(k.name) == nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// integer is the value of a key that is a whole number.
func (c *supervisord) integer(s *iniSection, name string, otherwise int, x expansions) int {
	k := c.keyOf(s, name)
	if k == nil {
		return otherwise
	}
	value, ok := c.now(k, x)
	if !ok {
		return otherwise
	}
	n, err := pythonInt(value)
	if err != nil {
		c.wrong(k, err)
		return otherwise
	}
	return n
}

// hoisted are keys whose commonest value is put into [defaults], and what holds without them.
var hoisted = []struct{ name, otherwise string }{
	{"start_retries", ""},
	{"start_retry_delay", ""},
	{"restart_delay", "1s"},
	{"max_restarts", "5"},
	{"log_compress", "true"},
	{"systemd.KillMode", "control-group"},
}

// hoist puts what most programs have into [defaults].
func (c *supervisord) hoist() {
	defaults := c.document.find(defaultsSection, "")
	for _, h := range hoisted {
		count := map[string]int{}
		for _, p := range c.programs {
			if v := p.out.get(h.name); v != "" {
				count[v]++
			}
		}
		best := ""
		for _, v := range slices.Sorted(maps.Keys(count)) {
			if count[v] > count[best] {
				best = v
			}
		}
		if best != "" && best != h.otherwise {
			_ = defaults.set(Place{}, h.name, best) // it was set like this in a program
		}
		for _, p := range c.programs {
			if v := p.out.get(h.name); v == best || best == h.otherwise && v == h.otherwise {
				p.out.unset(h.name)
			}
		}
	}
	c.hoistPath(defaults)
	if len(defaults.Keys) > 0 && defaults.Comments == nil {
		defaults.Comments = []string{"what supervisord does where msup has other defaults"}
	}
}

// hoistPath passes PATH to all programs where several need it; with supervisord all have it.
func (c *supervisord) hoistPath(defaults *Section) {
	const key = "pass_environment"
	var need []*program
	for _, p := range c.programs {
		if slices.Contains(strings.Fields(p.out.get(key)), "PATH") {
			need = append(need, p)
		}
	}
	if len(need) < 2 {
		return
	}
	_ = defaults.set(Place{}, key, "PATH")
	for _, p := range need {
		i := slices.IndexFunc(p.out.Keys, func(k Key) bool { return k.Name == key })
		others := slices.DeleteFunc(strings.Fields(p.out.Keys[i].Value), func(s string) bool { return s == "PATH" })
		if p.out.Keys[i].Value = strings.Join(others, " "); len(others) == 0 {
			p.out.unset(key)
		}
	}
	for _, e := range c.entries {
		for i := range e.Became {
			if after, ok := strings.CutPrefix(e.Became[i], key+" = PATH "); ok {
				e.Became[i] = key + " = " + after
			}
		}
	}
}

// project is the name of a project that an identifier becomes, "" for msup's own default.
func project(identifier string) string {
	if identifier == "" || identifier == "supervisor" || identifier == "supervisord" {
		return ""
	}
	name := groupName(identifier)
	if name == units.DefaultProject {
		return ""
	}
	return name
}
