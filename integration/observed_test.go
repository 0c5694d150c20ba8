//go:build linux

package integration

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// What programs have written down on one side, the files of their output, and what is left of
// them: all that is compared.

// gather reads what programs have written down, and looks at what is left.
func (s *side) gather() error {
	left := s.left()
	entries, err := os.ReadDir(filepath.Join(s.dir, mainConfig, "seen"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if program, ok := strings.CutSuffix(name, ".facts"); ok {
			s.facts(program)
			continue
		}
		var all []string
		for _, ev := range s.events(mainConfig, name) {
			all = append(all, ev.what)
		}
		s.seen[name+" all"] = strings.Join(all, ", ")
		s.seen[name+" is left behind"] = strconv.FormatBool(left[name])
	}
	s.order()
	s.seen["own output has that of a container"] = strconv.FormatBool(strings.Contains(s.read(mainConfig, "own-output"), "container out 002"))
	auto, _ := filepath.Glob(filepath.Join(s.dir, mainConfig, "auto", "auto-stdout*"))
	s.seen["AUTO files of a program"] = strconv.Itoa(len(auto))
	return s.files()
}

func (s *side) read(path ...string) string {
	data, _ := os.ReadFile(filepath.Join(append([]string{s.dir}, path...)...))
	return string(data)
}

// event is a line that a program has written.
type event struct {
	at   float64
	pid  int
	what string
}

func (s *side) events(config, name string) []event {
	var events []event
	for line := range strings.Lines(s.read(config, "seen", name)) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(words) != 3 {
			continue
		}
		at, _ := strconv.ParseFloat(words[0], 64)
		pid, _ := strconv.Atoi(words[1])
		events = append(events, event{at, pid, words[2]})
	}
	return events
}

// countStarts counts how often programs were started by themselves, and measures what passed between the starts of one
// that fails.
func (s *side) countStarts() {
	entries, _ := os.ReadDir(filepath.Join(s.dir, mainConfig, "seen"))
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".facts") {
			continue
		}
		events := s.events(mainConfig, e.Name())
		s.seen[e.Name()+" starts"] = strconv.Itoa(len(events))
		for i := range events {
			if i > 0 && e.Name() == "fatal" {
				s.waits = append(s.waits, events[i].at-events[i-1].at)
			}
		}
	}
}

// facts are what a program has found around it.
func (s *side) facts(program string) {
	for line := range strings.Lines(s.read(mainConfig, "seen", program+".facts")) {
		what, value, _ := strings.Cut(s.plain(strings.TrimSuffix(line, "\n")), " ")
		if what == "env" {
			name, v, _ := strings.Cut(value, "=")
			what, value = "env "+name, "="+v
		}
		s.seen[program+" "+what] = value
	}
}

// order is what came after what when the programs with priorities were started, and when they were stopped.
func (s *side) order() {
	type step struct {
		event

		name string
	}
	var starts, ends []step
	for _, name := range []string{"first", "second", "third"} {
		for _, ev := range s.events(orderConfig, name) {
			if ev.what == "start" {
				starts = append(starts, step{ev, name})
			} else {
				ends = append(ends, step{ev, name})
			}
		}
	}
	slices.SortFunc(starts, func(a, b step) int { return cmp.Compare(a.pid, b.pid) })
	slices.SortFunc(ends, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	var names []string
	for _, e := range starts {
		names = append(names, e.name)
	}
	s.seen["order of starts"] = strings.Join(names, ", ")
	// The program with the lowest priority fails for seven seconds.
	const long = 3
	failing := s.events(orderConfig, "failing")
	s.seen["starts wait for a program that fails"] = strconv.FormatBool(starts[0].at-failing[0].at > long)
	names = nil
	for i, e := range ends {
		switch {
		case e.what == "left":
		case i > 0 && ends[i-1].what != "left":
			s.seen["order of stops"] = "at once"
			return
		default:
			names = append(names, e.name)
		}
	}
	s.seen["order of stops"] = strings.Join(names, ", then ")
}

// files are the files of output: their lines, which whole, and whose they are.
func (s *side) files() error {
	dir := filepath.Join(s.dir, mainConfig)
	skip := []string{"supervisord.conf", "supervisord.log", "supervisord.pid", "child", "own-output"}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (rel == "seen" || rel == "auto"):
			return fs.SkipDir
		case !d.Type().IsRegular() || slices.Contains(skip, rel):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var lines []string
		for line := range bytes.Lines(data) {
			lines = append(lines, strings.Join(strings.Fields(string(line))[:3], " "))
		}
		s.seen["file "+rel] = strings.Join(lines, ", ")
		if strings.HasPrefix(rel, "rotated.log.") {
			return nil // how many there are depends on how much was written at a time
		}
		owner, err := user.LookupId(strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid)))
		if err != nil {
			return err
		}
		s.seen["file "+rel+" belongs to"] = owner.Username
		s.seen["file "+rel+" mode"] = info.Mode().String()
		return nil
	})
}

// plain takes away what is another one each time.
func (s *side) plain(text string) string {
	text = strings.ReplaceAll(text, s.dir, "DIR")
	for _, r := range []struct{ pattern, by string }{
		{`pid \d+, uptime \d+:\d\d:\d\d`, "pid N, uptime T"},
		{`[A-Z][a-z][a-z] \d\d \d\d:\d\d [AP]M`, "DATE"},
		{`(?m)^[1-9]\d*$`, "N"},
		{`0{20,}`, "0…"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.by)
	}
	return text
}

// left are the programs that still run, by name.
func (s *side) left() map[string]bool {
	left := map[string]bool{}
	s.eachLeft(func(_ int, name string) { left[name] = true })
	return left
}

// killLeft ends them.
func (s *side) killLeft() {
	s.eachLeft(func(pid int, _ string) { _ = syscall.Kill(pid, syscall.SIGKILL) })
}

func (s *side) eachLeft(do func(pid int, name string)) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		data, _ := os.ReadFile(path)
		words := strings.Split(string(data), "\x00")
		i := slices.Index(words, filepath.Join(s.dir, mainConfig, "child"))
		if i < 0 || i+1 >= len(words) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		do(pid, words[i+1])
	}
}
