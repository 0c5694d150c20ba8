//go:build linux

package integration

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// place is where scripts run.
type place struct {
	scripts string // folder below testdata
	share   string // has msup and the examples
	sandbox bool   // a systemd of our own, to which anything may be done
	bare    bool   // no systemd
}

// runScripts runs the scripts of a place, in parallel. Each has its project, named like it, so that they do not
// collide.
func runScripts(t *testing.T, p place) {
	bin := filepath.Join(p.share, "bin")
	// For exec.LookPath, which scripts' commands use too.
	if err := os.Setenv("PATH", bin+":"+os.Getenv("PATH")); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	scripts, err := fs.Sub(testdata, "testdata/"+p.scripts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, scripts); err != nil {
		t.Fatal(err)
	}
	races := newRaces(t, p)
	if p.sandbox {
		t.Cleanup(func() { nothingLeftAtAll(t) })
	}
	testscript.Run(t, testscript.Params{
		Dir:                 folder,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                commands(),
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "sandbox":
				return p.sandbox, nil
			case "root":
				return os.Geteuid() == 0, nil
			case "memory":
				controllers, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
				return strings.Contains(string(controllers), "memory"), nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Setup: func(env *testscript.Env) error { return setUp(env, p, races) },
	})
}

// setUp prepares the folder and the environment of a script, and its end.
func setUp(env *testscript.Env, p place, races string) error {
	// Programs that run as another user have to reach the folder.
	if err := os.Chmod(filepath.Dir(env.WorkDir), 0o755); err != nil {
		return err
	}
	name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
	project := strings.ReplaceAll(name, "-", "")
	// GOTRACEBACK is testscript's own; a user has none.
	for name, value := range map[string]string{
		"PROJECT": project, "HOME": env.WorkDir, "EXAMPLES": filepath.Join(p.share, "examples"),
		"PATH": os.Getenv("PATH"), "TERM": "xterm", "LANG": "C.UTF-8", "GORACE": races, "AS": "",
	} {
		env.Setenv(name, value)
	}
	s := &script{project: project, vars: env.Vars}
	env.Values[scriptKey{}] = s
	if p.bare {
		return nil
	}
	t := env.T().(testing.TB)
	env.Defer(func() {
		s.endTerminal()
		if t.Failed() {
			t.Logf("systemd at the failure:\n%s", s.systemdSays(env.WorkDir))
		}
		s.down(t)
	})
	return nil
}

// down ends the project of a script, and looks for what is left of it.
func (s *script) down(t testing.TB) {
	// The script has mostly done so itself, or shows that it does not run: the status says nothing.
	_, _ = exec.Command("msup", "down", "--kill", "-p", s.project).CombinedOutput()
	left := s.leftovers()
	for deadline := time.Now().Add(5 * time.Second); left != "" && time.Now().Before(deadline); left = s.leftovers() {
		time.Sleep(50 * time.Millisecond)
	}
	if left == "" {
		return
	}
	if !t.Failed() {
		t.Errorf("left behind after msup down:\n%s", left)
	}
	for _, verb := range []string{"stop", "reset-failed"} {
		args := append([]string{verb, "--no-block"}, s.unitPatterns()...)
		_ = exec.Command("systemctl", args...).Run()
	}
}

// unitPatterns match the units of the project, the slice among them.
func (s *script) unitPatterns() []string {
	if s.project == "default" {
		// Its slice is that of all projects, and there while any of them runs: nothingLeftAtAll looks at it.
		return []string{"msup.service", "msup-web.service", "msup-worker.service", "msup-memhog.service", "msup-toosmall.service", "msup:order.slice"}
	}
	return []string{"msup@" + s.project + ".service", "msup-" + s.project + "-*", "msup-" + s.project + ".slice", "msup:" + s.project + ":*"}
}

// leftovers lists what is left of the project: units that systemd has loaded, the folder with FIFOs and the socket.
func (s *script) leftovers() string {
	args := append([]string{"list-units", "--all", "--plain", "--no-legend", "--full"}, s.unitPatterns()...)
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	left := string(out)
	if err != nil {
		left += err.Error()
	}
	folder := filepath.Join("/run/msup", s.project)
	if entries, err := os.ReadDir(folder); err == nil {
		left += folder + "\n"
		for _, e := range entries {
			left += filepath.Join(folder, e.Name()) + "\n"
		}
	}
	return left
}

// systemdSays helps to understand a failure.
func (s *script) systemdSays(work string) string {
	var all strings.Builder
	show := func(args ...string) {
		out, _ := exec.Command(args[0], args[1:]...).CombinedOutput()
		fmt.Fprintf(&all, "$ %s\n%s", strings.Join(args, " "), out)
	}
	show("msup", "status", "-p", s.project)
	show(append([]string{"systemctl", "list-units", "--all", "--no-legend"}, s.unitPatterns()...)...)
	show("journalctl", "-n", "30", "--no-pager", "-u", "msup@"+s.project+".service")
	if s.project != "default" {
		show("journalctl", "-n", "40", "--no-pager", "-u", "msup-"+s.project+"-*")
	}
	show("tail", "-n", "30", filepath.Join(work, "supervisor.log"))
	return all.String()
}

// nothingLeftAtAll looks for what all scripts together have left.
func nothingLeftAtAll(t *testing.T) {
	out, err := exec.Command("systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", "msup*").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("units left behind: %v\n%s", err, out)
	}
	if exists("/run/msup") {
		t.Error("/run/msup is left behind")
	}
}

// newRaces makes the folder for the reports of the race detector, and has them fail the test. It returns GORACE for msup;
// systemd gives it to supervisors.
func newRaces(t *testing.T, p place) string {
	if !p.sandbox {
		return ""
	}
	folder := filepath.Join("/run", "races")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	races := "atexit_sleep_ms=10 log_path=" + folder + "/race"
	if out, err := exec.Command("systemctl", "set-environment", "GORACE="+races).CombinedOutput(); err != nil {
		t.Fatalf("cannot set GORACE: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		reports, _ := filepath.Glob(folder + "/*")
		for _, path := range reports {
			text, _ := os.ReadFile(path)
			t.Errorf("the race detector in msup reports:\n%s", text)
		}
	})
	return races
}
