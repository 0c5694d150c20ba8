//go:build linux

package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
