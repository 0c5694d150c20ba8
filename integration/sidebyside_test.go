//go:build linux

package integration

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"msup/integration/sandbox"
)

// TestSideBySide runs the same files of supervisord's on a real supervisord and on msup, at the same time, and compares
// what programs observe and what their ctl prints. Where they differ the README says so: see differences.
func TestSideBySide(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		for _, program := range []string{"supervisord", "supervisorctl"} {
			if _, err := exec.LookPath(program); err != nil {
				if os.Getenv("MSUP_REQUIRE") == "1" {
					t.Fatalf("%v: integration/install-deps.sh --tests installs it", err)
				}
				t.Skip(err)
			}
		}
		inSandbox(t, booted{kind: sandbox.Namespaces, subtests: []string{"observed"}, parallel: 1, timeout: 2 * time.Minute})
		return
	}
	t.Run("observed", sideBySide)
}

// side is one of the two.
type side struct {
	name  string // supervisord or msup
	dir   string // of the main file; the others are in folders beside it
	start func(s *side, config string) (*exec.Cmd, error)
	// ctl carries out command lines of supervisorctl, one after the other.
	ctl func(s *side, config string, lines []string) ([]said, error)
	env []string

	seen  map[string]string // what was observed
	waits []float64         // before program fatal was tried again, in seconds
	err   error
}

// said is what a command has printed, and its exit status.
type said struct {
	text   string
	status int
}

// The files, by the name of their folder.
const (
	mainConfig   = "main"
	orderConfig  = "order"
	brokenConfig = "broken"
)

func sideBySide(t *testing.T) {
	msup := filepath.Join(os.Getenv(insideEnv), "bin", "msup")
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LOGNAME=root",
		"FROM_ABOVE=above", "INHERITED=yes",
	}
	sides := []*side{
		{name: "supervisord", env: env, ctl: supervisorctl, start: startSupervisord},
		{name: "msup", env: env, ctl: func(s *side, config string, lines []string) ([]said, error) {
			var all []said
			for _, line := range lines {
				cmd := s.command(append([]string{msup, "ctl", "-c", s.file(config)}, strings.Fields(line)...)...)
				out, err := cmd.Output()
				if _, ok := errors.AsType[*exec.ExitError](err); !ok && err != nil {
					return nil, err
				}
				all = append(all, said{string(out), cmd.ProcessState.ExitCode()})
			}
			return all, nil
		}, start: func(s *side, config string) (*exec.Cmd, error) {
			return nil, s.run(msup, "up", "-d", "-c", s.file(config))
		}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	done := make(chan *side)
	for _, s := range sides {
		s.dir = filepath.Join("/run/sidebyside", s.name)
		s.seen = map[string]string{}
		go func() {
			s.err = s.observe(ctx)
			done <- s
		}()
	}
	for range sides {
		<-done
	}
	for _, s := range sides {
		if s.err != nil {
			t.Errorf("%s: %v", s.name, s.err)
		}
	}
	if t.Failed() {
		return
	}
	compare(t, sides[0], sides[1])
}

// compare looks for differences that are not known, and for known ones that there are not.
func compare(t *testing.T, sup, msup *side) {
	// The n-th wait is n seconds, and up to one more, because supervisord looks once a second whether the time is up.
	for i, wait := range msup.waits {
		const late = 4 // for a busy machine
		if least := float64(i + 1); wait < least-0.1 || sup.waits[i] < least-0.1 || wait > sup.waits[i]+late || sup.waits[i] > wait+late {
			t.Errorf("wait %d before a program is tried again: %.1f s by supervisord, %.1f s by msup", i+1, sup.waits[i], wait)
		}
	}
	all := map[string]bool{}
	for _, s := range []*side{sup, msup} {
		for key := range s.seen {
			all[key] = true
		}
	}
	met := map[int]bool{}
	same := 0
	for _, key := range slices.Sorted(maps.Keys(all)) {
		a, b := sup.seen[key], msup.seen[key]
		if a == b {
			same++
			continue
		}
		i := slices.IndexFunc(differences, func(d difference) bool { return d.explains(key, a, b) })
		if i < 0 {
			t.Errorf("%s:\n  supervisord: %q\n  msup:        %q", key, a, b)
			continue
		}
		met[i] = true
	}
	for i, d := range differences {
		if !met[i] {
			t.Errorf("this is no difference: %s | %s", d.supervisord, d.msup)
		}
	}
	t.Logf("%d observations are the same, %d are not", same, len(all)-same)
	if same < 150 {
		t.Errorf("only %d observations are the same", same)
	}
}

// startSupervisord starts it in the foreground, with its standard output in a file.
func startSupervisord(s *side, config string) (*exec.Cmd, error) {
	cmd := s.command("supervisord", "-n", "-c", s.file(config))
	out, err := os.Create(filepath.Join(s.dir, config, "own-output"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, cmd.Start()
}

// supervisorctls is supervisorctl's own main function for each line: a Python that starts for each takes its time.
const supervisorctls = `
import sys
from supervisor import supervisorctl
for line in sys.argv[2:]:
    status = 0
    try:
        supervisorctl.main(["-c", sys.argv[1]] + line.split())
    except SystemExit as e:
        status = e.code
    print("\0%d" % status, flush=True)
`

func supervisorctl(s *side, config string, lines []string) ([]said, error) {
	out, err := s.command(append([]string{"python3", "-c", supervisorctls, s.file(config)}, lines...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("supervisorctl: %w\n%s", err, out)
	}
	var all []said
	text := ""
	for line := range strings.Lines(string(out)) {
		if _, status, ended := strings.Cut(line, "\x00"); ended {
			n, err := strconv.Atoi(strings.TrimSpace(status))
			if err != nil {
				return nil, err
			}
			all, text = append(all, said{text, n}), ""
			continue
		}
		text += line
	}
	if len(all) != len(lines) {
		return nil, fmt.Errorf("supervisorctl has answered %d of %d lines: %s", len(all), len(lines), out)
	}
	return all, nil
}

func (s *side) file(config string) string { return filepath.Join(s.dir, config, "supervisord.conf") }

// command is one that is typed elsewhere than where the file is.
func (s *side) command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = "/", s.env
	return cmd
}

// run runs a command and keeps its exit status: 3 says that a program gave up.
func (s *side) run(args ...string) error {
	out, err := s.command(args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() <= 3 {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// write puts the files and the program that observes into folders.
func (s *side) write() error {
	for _, config := range []string{mainConfig, orderConfig, brokenConfig} {
		dir := filepath.Join(s.dir, config)
		seen := filepath.Join(dir, "seen")
		for _, d := range []string{seen, filepath.Join(dir, "auto")} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		if err := os.Chmod(seen, 0o777); err != nil { // for programs of other users
			return err
		}
		for from, to := range map[string]string{"child": "child", config + ".conf": "supervisord.conf"} {
			data, err := testdata.ReadFile("testdata/sidebyside/" + from)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, to), data, 0o755)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// observe starts everything, waits until it has settled, uses ctl, stops everything, and gathers what was seen.
func (s *side) observe(ctx context.Context) error {
	if err := s.write(); err != nil {
		return err
	}
	var started []*exec.Cmd
	defer func() {
		for _, cmd := range started {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		s.killLeft()
	}()
	// Two files at once; the main one last, which is waited for anyway.
	errs := make(chan error)
	configs := []string{brokenConfig, orderConfig, mainConfig}
	commands := make([]*exec.Cmd, len(configs))
	for i, config := range configs {
		go func() {
			var err error
			commands[i], err = s.start(s, config)
			errs <- err
		}()
	}
	var err error
	for range configs {
		err = errors.Join(err, <-errs)
	}
	for _, cmd := range commands {
		if cmd != nil {
			started = append(started, cmd)
		}
	}
	if err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.countStarts()
	if err := s.useCtl(); err != nil {
		return err
	}
	if err := s.stopped(ctx); err != nil {
		return err
	}
	return s.gather()
}

// settle waits until all programs have come to what they come to.
func (s *side) settle(ctx context.Context) error {
	want := map[string]int{"fatal": 4, "always": 4, "unexpected": 3, "soon": 2, "zero-unexpected": 2, "killed": 2, "at-once-bad": 4, "family.kid": 1, "pool-04": 1}
	for {
		missing := ""
		for name, n := range want {
			if got := strings.Count(s.read(mainConfig, "seen", name), " start\n"); got < n {
				missing = fmt.Sprintf("%s has started %d times, not %d", name, got, n)
			}
		}
		for _, name := range []string{"failing", "first", "second", "third"} {
			if s.read(orderConfig, "seen", name) == "" {
				missing = name + " has not started"
			}
		}
		if missing == "" {
			break
		}
		select {
		case <-ctx.Done():
			return errors.New(missing)
		case <-time.After(100 * time.Millisecond):
		}
	}
	// What was started last has to be RUNNING, or given up, which status shows.
	for {
		answer, err := s.ctl(s, mainConfig, []string{"status"})
		if err != nil {
			return err
		}
		text := answer[0].text
		if !strings.Contains(text, " STARTING ") && !strings.Contains(text, " BACKOFF ") && strings.Contains(text, "usr1") {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not settled:\n%s", text)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *side) read(path ...string) string {
	data, _ := os.ReadFile(filepath.Join(append([]string{s.dir}, path...)...))
	return string(data)
}

// useCtl types verbs, and keeps what is printed and the exit statuses.
func (s *side) useCtl() error {
	type lines []string
	ctl := func(config, when string, all lines) error {
		answers, err := s.ctl(s, config, all)
		for i, a := range answers {
			text := strings.SplitAfter(s.plain(a.text), "\n")
			if !strings.HasPrefix(all[i], "status") {
				slices.Sort(text) // of several programs they come as these end
			}
			key := fmt.Sprintf("%s ctl %s%s", config, all[i], when)
			s.seen[key] = strings.Join(text, "")
			s.seen[key+" (exit status)"] = strconv.Itoa(a.status)
		}
		return err
	}
	err := ctl(mainConfig, "", lines{
		"status", "status manual", "status web nosuch:*", "start manual usr1 nosuch", "start hopeless", "start nosuch:*", "stop nosuch:*", "stop manual never",
		"restart usr1 pool:*", "signal CONT pool:*", "signal NONSENSE usr1", "pid never nosuch", "tail -20 both", "tail -20 both stderr", "tail auto",
		"tail nosuch", "nonsense", "avail",
	})
	if err != nil {
		return err
	}
	// Another file: a program that has another name, one that has to be restarted, and one of which what changes takes effect at once.
	text := s.read(mainConfig, "supervisord.conf")
	for old, changed := range map[string]string{
		"[program:manual]":                             "[program:added]",
		"stays\nstopsignal=USR1":                       "stays 0.1\nstopsignal=USR1",
		"command=%(here)s/child %(program_name)s deaf": "autorestart=true\ncommand=%(here)s/child %(program_name)s deaf",
	} {
		if !strings.Contains(text, old) {
			return fmt.Errorf("the file has no %q", old)
		}
		text = strings.Replace(text, old, changed, 1)
	}
	if err := os.WriteFile(filepath.Join(s.dir, mainConfig, "supervisord.conf"), []byte(text), 0o600); err != nil {
		return err
	}
	return errors.Join(
		ctl(mainConfig, "", lines{"reread", "update"}), ctl(mainConfig, " again", lines{"reread", "update"}),
		ctl(mainConfig, " at the end", lines{"stop all", "status"}), ctl(orderConfig, "", lines{"shutdown"}), ctl(brokenConfig, "", lines{"status"}),
	)
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

// stopped waits until what was stopped has ended.
func (s *side) stopped(ctx context.Context) error {
	for {
		all := true
		for _, name := range []string{"first", "second", "third"} {
			all = all && strings.Contains(s.read(orderConfig, "seen", name), " left\n")
		}
		if all {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the programs with an order have not stopped")
		case <-time.After(100 * time.Millisecond):
		}
	}
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
