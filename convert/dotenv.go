package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// envVar is a variable of a file such as .env.
type envVar struct {
	name, value string
	line        int
}

// dialect is a way to read a file of environment variables; there are as many as programs that
// read one. problem says what is wrong in a line.
type dialect func(data []byte) (vars []envVar, problems []envProblem)

type envProblem struct {
	line int
	text string // the line
	why  string
}

// maxEnv bounds the size of all values of a file: in one dialect they can name each other.
const maxEnv = 1 << 20

// foremanLine is lib/foreman/env.rb of foreman; other lines are nothing.
var foremanLine = regexp.MustCompile(`^([A-Za-z_0-9]+)=(.*)$`)

var foremanEscape = regexp.MustCompile(`\\(.)`)

// foremanEnv reads a file as foreman does: KEY=value, no export, no comment behind a value;
// backslashes mean something in double quotes.
func foremanEnv(data []byte) (vars []envVar, problems []envProblem) {
	for i, line := range lines(data) {
		m := foremanLine.FindStringSubmatch(line)
		if m == nil {
			if t := strings.TrimSpace(line); t != "" && t[0] != '#' {
				problems = append(problems, envProblem{i + 1, line, "foreman reads KEY=value and nothing else"})
			}
			continue
		}
		value := m[2]
		switch n := len(value); {
		case n >= 2 && value[0] == '\'' && value[n-1] == '\'':
			value = value[1 : n-1]
		case n >= 2 && value[0] == '"' && value[n-1] == '"':
			value = foremanEscape.ReplaceAllString(strings.ReplaceAll(value[1:n-1], `\n`, "\n"), "$1")
		}
		vars = append(vars, envVar{m[1], value, i + 1})
	}
	return vars, problems
}

// godotenv reads a file as github.com/joho/godotenv 1.5.1 does, which process-compose and overmind
// use: with export, comments, values of several lines and $VAR of the same file. The library
// itself says neither lines nor their order, and its values can double in each line.
func godotenv(data []byte) (vars []envVar, problems []envProblem) {
	p := godotenvParser{data: bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), known: map[string]string{}}
	for p.skip() {
		line := p.line
		name, value, err := p.statement()
		if err == nil && p.size > maxEnv {
			err = fmt.Errorf("the values are larger than %d KiB together", maxEnv>>10)
		}
		if err != nil {
			return p.vars, []envProblem{{line, lineOf(data, line), err.Error()}}
		}
		p.known[name] = value
		p.vars = append(p.vars, envVar{name, value, line})
	}
	return p.vars, nil
}

type godotenvParser struct {
	data  []byte
	line  int // of the begin of data, from 1
	vars  []envVar
	known map[string]string
	size  int // of all values
}

// take removes the first n bytes.
func (p *godotenvParser) take(n int) {
	p.line += bytes.Count(p.data[:n], []byte("\n"))
	p.data = p.data[n:]
}

// skip goes to the next statement, over empty lines and comments.
func (p *godotenvParser) skip() bool {
	if p.line == 0 {
		p.line = 1
	}
	for {
		i := bytes.IndexFunc(p.data, func(r rune) bool { return !unicode.IsSpace(r) })
		if i < 0 {
			return false
		}
		p.take(i)
		if p.data[0] != '#' {
			return true
		}
		end := bytes.IndexByte(p.data, '\n')
		if end < 0 {
			return false
		}
		p.take(end)
	}
}

// isEnvSpace is white space within a line. The library looks at bytes, and so at halves of
// letters, where it looks for the name.
func isEnvSpace(r rune) bool {
	switch r {
	case '\t', '\v', '\f', '\r', ' ', 0x85, 0xa0:
		return true
	}
	return false
}

func (p *godotenvParser) trimLeft() {
	p.take(len(p.data) - len(bytes.TrimLeftFunc(p.data, isEnvSpace)))
}

func (p *godotenvParser) statement() (name, value string, err error) {
	p.trimLeft()
	if rest, ok := bytes.CutPrefix(p.data, []byte("export")); ok && bytes.IndexFunc(rest, isEnvSpace) == 0 {
		p.take(len("export"))
		p.trimLeft()
	}
	end := 0
	for i, c := range p.data {
		r := rune(c)
		if c == '=' || c == ':' {
			name, end = string(p.data[:i]), i+1
			break
		}
		if !isEnvSpace(r) && c != '_' && c != '.' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return "", "", fmt.Errorf("%q cannot stand in the name of a variable", string(r))
		}
	}
	if len(p.data) == 0 {
		return "", "", errors.New("there is no variable")
	}
	p.take(end)
	p.trimLeft()
	value, err = p.value()
	p.size += len(value)
	return strings.TrimRightFunc(name, unicode.IsSpace), value, err
}

func (p *godotenvParser) value() (string, error) {
	if len(p.data) == 0 || p.data[0] != '\'' && p.data[0] != '"' {
		end := bytes.IndexAny(p.data, "\n\r")
		if end < 0 {
			end = len(p.data)
		}
		text := []rune(string(p.data[:end]))
		p.take(end)
		for i := len(text) - 1; i > 0; i-- {
			if text[i] == '#' && isEnvSpace(text[i-1]) {
				text = text[:i]
				break
			}
		}
		return p.expand(strings.TrimFunc(string(text), isEnvSpace))
	}
	quote := p.data[0]
	for i := 1; i < len(p.data); i++ {
		if p.data[i] != quote || p.data[i-1] == '\\' {
			continue
		}
		inner := strings.Trim(string(p.data[:i]), string(quote))
		p.take(i + 1)
		if quote == '\'' {
			return inner, nil
		}
		return p.expand(godotenvEscapes(inner))
	}
	return "", errors.New("a quote is not closed")
}

var (
	anyEscape   = regexp.MustCompile(`\\.`)
	otherEscape = regexp.MustCompile(`\\([^$])`)
	envVariable = regexp.MustCompile(`(\\)?(\$)(\()?\{?([A-Z0-9_]+)?\}?`)
)

func godotenvEscapes(s string) string {
	s = anyEscape.ReplaceAllStringFunc(s, func(m string) string {
		switch m {
		case `\n`:
			return "\n"
		case `\r`:
			return "\r"
		}
		return m
	})
	return otherEscape.ReplaceAllString(s, "$1")
}

// expand replaces variables of the same file, as far as maxEnv allows.
func (p *godotenvParser) expand(s string) (string, error) {
	var b strings.Builder
	at := 0
	for _, m := range envVariable.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(s[at:m[0]])
		at = m[1]
		switch {
		case m[2] >= 0:
			b.WriteString(s[m[0]+1 : m[1]])
		case m[8] >= 0:
			b.WriteString(p.known[s[m[8]:m[9]]])
		default:
			b.WriteString(s[m[0]:m[1]])
		}
		if b.Len() > maxEnv {
			return "", fmt.Errorf("the values are larger than %d KiB together", maxEnv>>10)
		}
	}
	b.WriteString(s[at:])
	return b.String(), nil
}

// lines splits a text into lines.
func lines(data []byte) []string {
	text := strings.TrimSuffix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	return strings.Split(text, "\n")
}

func lineOf(data []byte, line int) string {
	all := lines(data)
	if line < 1 || line > len(all) {
		return ""
	}
	return all[line-1]
}

// alikeLine is a line that systemd, which reads env_file for msup, and all others read in the
// same way, see EnvironmentFile= in systemd.exec(5).
var alikeLine = regexp.MustCompile(`^\s*$|^\s*#.*[^\\]$|^\s*#$|^[A-Za-z_][A-Za-z0-9_]*=("[^"\\$` + "`" + `]*"|'[^'\\]*'|[^"'\\\s][^\\\r]*|)$`)

// readsAlike reports whether msup reads just these variables in a file too.
func readsAlike(data []byte, vars []envVar) bool {
	all := lines(data)
	seen := 0
	for _, line := range all {
		if !alikeLine.MatchString(line) {
			return false
		}
		if name, _, ok := strings.Cut(line, "="); ok && shellName.MatchString(name) {
			seen++
		}
	}
	for _, v := range vars {
		_, raw, _ := strings.Cut(all[v.line-1], "=")
		quoted := raw != "" && (raw[0] == '"' || raw[0] == '\'')
		if quoted {
			raw = raw[1 : len(raw)-1]
		}
		if v.value != raw || !quoted && strings.TrimSpace(raw) != raw {
			return false
		}
	}
	return seen == len(vars)
}

// shellName is a variable that msup's environment takes.
var shellName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envFile is a file of environment variables that was read.
type envFile struct {
	path string // absolute
	vars []envVar
	// alike says that msup reads the same in it.
	alike bool
}

// get is the value of a variable.
func (f *envFile) get(name string) (string, bool) {
	if f == nil {
		return "", false
	}
	for _, v := range slices.Backward(f.vars) {
		if v.name == name {
			return v.value, true
		}
	}
	return "", false
}

// only reports whether all of its variables begin so.
func (f *envFile) only(prefix string) bool {
	return !slices.ContainsFunc(f.vars, func(v envVar) bool { return !strings.HasPrefix(v.name, prefix) })
}

// readEnvFile reads a file of environment variables, nil if it is missing. What is wrong with it
// is in the report.
func (in *input) readEnvFile(path string, read dialect) (*envFile, error) {
	// A folder .env is Python's: nobody reads it as a file.
	info, err := fs.Stat(in.files.fsys, inFS(path))
	if err == nil && !info.Mode().IsRegular() || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	data, err := in.files.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", in.shown(path), cause(err))
	}
	f := &envFile{path: path}
	var problems []envProblem
	f.vars, problems = read(data)
	for _, p := range problems {
		e := in.outcome(Place{in.shown(path), p.line}, filepath.Base(path), "", p.text)
		e.drop(p.why, "")
		e.done()
	}
	f.alike = len(problems) == 0 && readsAlike(data, f.vars)
	return f, nil
}

// useEnvFile gives a section the variables of a file: as env_file where msup reads the same in
// it, else as environment, which the result says.
func (in *input) useEnvFile(file *envFile, s *Section) (asFile bool) {
	f := in.outcome(Place{in.shown(file.path), 1}, filepath.Base(file.path), "", "")
	defer f.done()
	if file.alike {
		f.set(s, "env_file", in.path(file.path))
		return true
	}
	f.change("its variables stand in environment, where systemctl show tells them to every user: env_file would be read in another way")
	for _, v := range file.vars {
		v.set(in, s, in.shown(file.path))
	}
	return false
}

// set adds the variable to the environment of a section. One that cannot be is in the report.
func (v envVar) set(in *input, s *Section, file string) {
	why := ""
	if !shellName.MatchString(v.name) {
		why = "that is no name for a variable"
	} else {
		s.unsetVariable(v.name)
		if err := s.set(Place{file, v.line}, "environment", variable(v.name, literal(v.value))); err != nil {
			why = err.Error()
		}
	}
	if why == "" {
		return
	}
	f := in.outcome(Place{file, v.line}, path.Base(file), v.name, v.value)
	f.drop(why, "write env_file = FILE, whose double quotes may go over several lines")
	f.done()
}

// environ is the environment of a program: an env_file wins over environment, and what must win
// over that is set by env(1) before the command.
type environ struct {
	file   *envFile // used as env_file
	list   []string // KEY=value as written
	before []string // words before the command
}

// add sets a variable to a value whose double braces are those of a template.
func (e *environ) add(name, value string) {
	if old, ok := e.file.get(name); ok && old != value {
		e.before = append(e.before, name+"="+value)
		return
	}
	e.list = append(e.list, variable(name, value))
}

// command is the command with what must stand before it.
func (e *environ) command(argv []string) []string {
	if len(e.before) == 0 {
		return argv
	}
	return append(append([]string{"/usr/bin/env"}, e.before...), argv...)
}
