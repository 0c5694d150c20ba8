package convert

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// What runs a Procfile has settings of its own beside it: foreman in .foreman, overmind in
// .overmind.env, which also tells that it is overmind.

// overmindEnv has overmind's settings, and variables for the programs.
const overmindEnv = ".overmind.env"

// overmindStep is from the port of an instance to the next one's in overmind.
const overmindStep = 10

// runner reads the settings of what runs the Procfiles of a folder.
func (in *input) runner(dir string) *runner {
	r := &runner{base: 5000, step: 100, timeout: "5s", shell: "/bin/sh", envFiles: []string{".env"}}
	overmind := filepath.Join(dir, overmindEnv)
	switch {
	case in.files.exists(overmind):
		r.overmind, r.rest = true, 1
		r.envFiles = []string{overmindEnv, ".env"}
		in.overmindSettings(r, overmind)
	case in.files.exists(filepath.Join(dir, ".foreman")):
		in.foremanSettings(r, filepath.Join(dir, ".foreman"))
	}
	if in.Formation != nil {
		r.formation = in.Formation
	}
	return r
}

// foremanSettings reads .foreman, a YAML file with the options of the command line.
func (in *input) foremanSettings(r *runner, path string) {
	data, err := in.readMain(path)
	if err != nil {
		in.fail(Place{File: in.shown(path)}, config.Diagnostic{Message: err.Error()})
		return
	}
	root, ok := in.tree(path, data, parseYAML)
	if !ok {
		return
	}
	for _, k := range root.keys {
		f := in.outcome(k.place, ".foreman", k.name, k.value.String())
		switch k.name {
		case "formation", "concurrency":
			r.formation, err = ParseFormation(k.value.String())
		case "port":
			r.base, err = wholeNumber(k.value.String())
			r.baseGiven = err == nil
		case "timeout":
			f.time(k.value, func(text string) { r.timeout = text })
		case "procfile", "root", "app":
			f.change("msup takes the file that it is given, and its folder")
		case "env":
			if k.value.kind != nullNode {
				r.envFiles = listOf(k.value.String())
			}
			for _, name := range r.envFiles {
				if name != ".env" && !in.files.exists(below(filepath.Dir(path), name)) {
					f.fail("", "there is no file %s", clip(name))
				}
			}
		case "color", "timestamp":
			f.drop("it is about the terminal", "")
		default:
			f.drop("foreman itself does not know the key", "")
		}
		if err != nil {
			f.fail("", "%v", err)
		}
		f.done()
	}
}

// time reads a number of seconds.
func (f *outcome) time(n *node, use func(string)) {
	d, err := config.ParseDuration(n.String())
	if err != nil || d < 0 {
		f.fail("use a number of seconds", "%s is no time", clip(n.String()))
		return
	}
	use(n.String() + "s")
}

// overmindSettings reads .overmind.env, where OVERMIND_X is --x.
func (in *input) overmindSettings(r *runner, path string) {
	file, err := in.readEnvFile(path, godotenv)
	if err != nil {
		in.fail(Place{File: in.shown(path)}, config.Diagnostic{Message: err.Error()})
		return
	}
	for _, v := range file.vars {
		name, ok := strings.CutPrefix(v.name, "OVERMIND_")
		if !ok {
			continue
		}
		f := in.outcome(Place{in.shown(path), v.line}, ".overmind.env", v.name, v.value)
		r.overmindSetting(f, name, v.value)
		f.done()
	}
}

// overmindSetting takes one option of overmind over.
func (r *runner) overmindSetting(f *outcome, name, value string) {
	var err error
	switch name {
	case "FORMATION":
		r.formation, err = ParseFormation(value)
	case "PORT":
		r.base, err = wholeNumber(value)
		r.baseGiven = err == nil
	case "PORT_STEP":
		r.step, err = wholeNumber(value)
	case "NO_PORT":
		r.noPort = value != "" && value != "0" && value != "false"
	case "TIMEOUT":
		f.time(&node{kind: textNode, text: value}, func(text string) { r.timeout = text })
	case "SHELL":
		r.shell = value
	case "CAN_DIE":
		r.mayDie = append(r.mayDie, listOf(value)...)
	case "ANY_CAN_DIE":
		r.mayDie = append(r.mayDie, "all")
	case "AUTO_RESTART":
		f.change("all are started again, unless they may die")
	case "PROCESSES":
		r.only = listOf(value)
	case "IGNORED_PROCESSES":
		r.never = listOf(value)
	case "STOP_SIGNALS":
		r.signals = map[string]string{}
		for _, pair := range listOf(value) {
			program, signal, _ := strings.Cut(pair, "=")
			if !slices.Contains([]string{"ABRT", "INT", "KILL", "QUIT", "STOP", "TERM", "USR1", "USR2"}, signal) {
				err = fmt.Errorf("%s is no signal of overmind's", clip(signal))
				continue
			}
			r.signals[program] = signal
		}
	case "SKIP_ENV":
		r.envFiles = slices.DeleteFunc(r.envFiles, func(name string) bool { return name == ".env" })
	case "ENV":
		r.envFiles = append(r.envFiles, listOf(value)...)
	case "FORMATION_PORT_STEP":
		f.drop("ports of instances are one apart", "")
	case "PROCFILE", "ROOT":
		f.change("msup takes the file that it is given, and its folder")
	default:
		f.drop("it is about the terminal", "")
	}
	if err != nil {
		f.fail("", "%v", err)
	}
}

// wholeNumber reads a number that may be one of a port.
func wholeNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("%q is no number from 0 to 65535", clip(text))
	}
	return n, nil
}

// listOf splits a list at commas.
func listOf(text string) []string {
	list := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// notInVariable is what overmind replaces in the names of its variables.
var notInVariable = regexp.MustCompile(`[^A-Za-z0-9_]`)

// overmindPorts tells all programs the ports of each other.
func (in *input) overmindPorts(r *runner, entries []procEntry, defaults *Section) {
	var list []string
	for i, e := range entries {
		if port := r.base + i*r.step; r.count(e.name) > 0 && port <= 65535 {
			list = append(list, variable("OVERMIND_PROCESS_"+notInVariable.ReplaceAllString(e.name, "_")+"_PORT", strconv.Itoa(port)))
		}
	}
	if len(list) > 1 {
		_ = defaults.set(defaults.Place, "environment", strings.Join(list, " ")) // digits and names: it can be written
	}
}

// tree parses a file. What is wrong with it is reported.
func (in *input) tree(path string, data []byte, parse func(string, []byte) (*node, error)) (*node, bool) {
	root, err := parse(in.shown(path), data)
	if err == nil {
		return root, true
	}
	place := Place{File: in.shown(path)}
	if te, ok := errors.AsType[*treeError](err); ok {
		place.Line = te.line
	}
	in.fail(place, config.Diagnostic{Message: err.Error()})
	return nil, false
}
