package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"msup/control"
	"msup/policy"
	"msup/units"
)

// supervisorOf is one of project default that answers as the test says, and reload, set or scale
// once not at all: it ends before.
type supervisorOf struct {
	plans    []units.Plan // one after the other, the last one again and again
	snapshot units.Snapshot
	asked    []string // what it was to change
}

func (s *supervisorOf) start(t *testing.T, programs ...units.Program) *app {
	t.Helper()
	home := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", home)
	t.Chdir(home)
	dir := filepath.Join(home, "msup", units.DefaultProject)
	file := filepath.Join(home, "msup.conf")
	project, _ := json.Marshal(runningProject{Project: units.Project{Name: units.DefaultProject, File: file, Programs: programs}})
	for _, err := range []error{
		os.MkdirAll(dir, 0o700),
		os.WriteFile(file, []byte("program web\ncommand = /bin/sleep 1\n"), 0o600),
		os.WriteFile(filepath.Join(dir, projectFile), project, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(dir, control.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s}
	go server.Serve(l) // it ends with the test
	t.Cleanup(func() { server.Close() })
	return &app{user: true, stdin: os.Stdin}
}

func (s *supervisorOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch r.URL.Path {
	case "/v1/plan":
		answer = s.plans[0]
		if len(s.plans) > 1 {
			s.plans = s.plans[1:]
		}
	case "/v1/watch":
		answer = control.Line{Snapshot: &s.snapshot}
	case "/v1/status":
		answer = control.Report{}
	default:
		var req struct{ ID string }
		_ = json.NewDecoder(r.Body).Decode(&req)
		if s.asked = append(s.asked, req.ID); len(s.asked) == 1 {
			panic(http.ErrAbortHandler) // it is killed before it answers: the connection just ends
		}
		answer = control.Applied{Snapshot: s.snapshot}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// A supervisor that is killed before it answers has taken a reload or not: what the next one would
// change tells.
func TestReloadThatIsNotAnswered(t *testing.T) {
	restart := func(id, name string) units.Plan {
		return units.Plan{ID: id, Programs: []units.ProgramPlan{{Name: name, Effect: units.EffectRestart, Stops: true}}}
	}
	for name, tt := range map[string]struct {
		plans       []units.Plan
		asked, says string
	}{
		"taken":     {[]units.Plan{restart("a", "web"), {}}, "a", "reloaded: 1 restart"},
		"not taken": {[]units.Plan{restart("a", "web"), restart("b", "web")}, "a b", "reloaded: 1 restart"},
		// The configuration is another one by now.
		"changed": {[]units.Plan{restart("a", "web"), restart("b", "db")}, "a b", "reloaded: 1 restart"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &supervisorOf{plans: tt.plans, snapshot: units.Snapshot{Ready: true}}
			for _, name := range []string{"web", "db"} {
				s.snapshot.Programs = append(s.snapshot.Programs, units.Status{Name: name, State: policy.State{Phase: policy.Running, Reason: "started"}})
			}
			a := s.start(t)
			var stdout, stderr bytes.Buffer
			a.stdout, a.stderr = &stdout, &stderr
			if err := a.reload(t.Context(), true); err != nil {
				t.Error(err)
			}
			if got := strings.Join(s.asked, " "); got != tt.asked || !strings.Contains(stdout.String(), tt.says) {
				t.Errorf("asked for %s and says\n%s%s", got, &stdout, &stderr)
			}
		})
	}
}

// What may be asked for twice is.
func TestSetThatIsNotAnswered(t *testing.T) {
	s := &supervisorOf{snapshot: units.Snapshot{Ready: true}}
	a := s.start(t, units.Program{Name: "web"})
	var stdout bytes.Buffer
	a.stdout, a.stderr = &stdout, &stdout
	req := control.SetRequest{Settings: []units.Setting{{Key: "max_restarts", Value: "7"}}}
	if err := a.set(t.Context(), []string{"web"}, req); err != nil || len(s.asked) != 2 || !strings.Contains(stdout.String(), "max_restarts = 7") {
		t.Errorf("%v, asked %d times, says %s", err, len(s.asked), &stdout)
	}
}

// msup up has everything up again that starts by itself, also what ran, or runs, and is not waited
// for any more.
func TestMissing(t *testing.T) {
	tgt := &target{}
	var snap units.Snapshot
	add := func(name, awaits string, s policy.State) {
		tgt.project.Programs = append(tgt.project.Programs, units.Program{Name: name, Autostart: true, Rules: policy.Rules{Awaits: awaits}})
		snap.Programs = append(snap.Programs, units.Status{Name: name, State: s})
	}
	add("up", "", policy.State{Phase: policy.Running})
	add("done", "", policy.State{Phase: policy.Exited})
	add("down", "", policy.State{Phase: policy.Stopped})
	add("failed", "", policy.State{Phase: policy.Failed})
	add("waits", "every 5m", policy.State{Phase: policy.Exited, Armed: true})
	add("ran", "every 5m", policy.State{Phase: policy.Exited})
	add("runs", "every 5m", policy.State{Phase: policy.Running})
	add("stopping", "every 5m", policy.State{Phase: policy.Stopping})
	add("never", "every 5m", policy.State{Phase: policy.Stopped})
	got := tgt.missing(newView(snap, nil))
	if want := map[units.Verb][]string{units.Start: {"down", "failed"}, units.Arm: {"ran", "runs", "never"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
