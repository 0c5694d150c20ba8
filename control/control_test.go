package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/control"
	"msup/policy"
	"msup/probe"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// silent is a systemd with no units that takes every call.
type silent struct{ events chan units.BusEvent }

func (s silent) Events() <-chan units.BusEvent { return s.events }

func (silent) Start(context.Context, string, []units.Property, bool, ...units.Aux) error { return nil }

func (silent) StartUnit(context.Context, string) error { return nil }

func (silent) RestartUnit(context.Context, string) error { return nil }

func (silent) Stop(context.Context, string) error { return units.ErrNoSuchUnit }

func (silent) Kill(context.Context, string, string, int32) error { return nil }

func (silent) Reload(context.Context, string) error { return nil }

func (silent) Reset(context.Context, string) error { return nil }

func (silent) List(context.Context, ...string) ([]units.Facts, error)                { return nil, nil }
func (silent) SetProperties(context.Context, string, []units.Property) error         { return nil }
func (silent) Properties(context.Context, string, ...string) (map[string]any, error) { return nil, nil }
func (silent) Version() int                                                          { return 252 }
func (silent) DefaultTasksMax() uint64                                               { return 0 }
func (silent) MaxJobs() int                                                          { return 32 }

func (silent) Read(context.Context, string) (units.Facts, error) {
	return units.Facts{LoadState: "not-found"}, nil
}

func serve(t *testing.T) (*control.Client, <-chan error) {
	t.Helper()
	project := units.Project{Name: "shop", File: "/x/msup.conf", Programs: []units.Program{{
		Name: "web", Unit: "msup-shop-web.service", Type: units.Service, StopSignal: 15,
		Rules: policy.Rules{Autorestart: policy.Never},
	}}}
	bus := silent{make(chan units.BusEvent, 1)}
	bus.events <- units.Connected{}
	sup := units.New(units.Config{Project: project, Bus: bus})
	socket := filepath.Join(t.TempDir(), control.SocketName)
	l, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, served := make(chan error, 1), make(chan struct{})
	server := &control.Server{
		Supervisor: sup, Project: func() units.Project { return project }, Sampler: control.NewSampler(),
		Rotate: func(_ context.Context, programs []string) (files []control.Rotated) {
			for _, p := range programs {
				files = append(files, control.Rotated{File: "/logs/" + p, Error: "cannot rotate /logs/" + p})
			}
			return files
		},
	}
	go func() {
		defer close(served)
		if err := server.Serve(ctx, l); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	go func() {
		ended <- sup.Run(ctx)
		cancel()
	}()
	t.Cleanup(func() { cancel(); <-served })
	return control.NewClient(socket), ended
}

func TestWatchSeesTheLastRecord(t *testing.T) {
	client, ended := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := client.Do(ctx, units.Command{Verb: units.Stop, Programs: []string{"web"}}); err != nil {
		t.Fatal(err)
	}
	snap, records, err := client.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Programs) != 1 || snap.Programs[0].Name != "web" {
		t.Fatalf("snapshot %+v", snap)
	}
	if _, err := client.Do(ctx, units.Command{Verb: units.Down, By: "bye"}); err != nil {
		t.Fatal(err)
	}
	phase := snap.Programs[0].State.Phase
	for r := range records {
		if r.To != "" {
			phase = r.To
		}
	}
	if phase != policy.Stopped {
		t.Errorf("the last record seen was %s", phase)
	}
	if err := <-ended; !errors.Is(err, units.ErrDown) {
		t.Errorf("Run: %v", err)
	}
	if _, err := client.Status(ctx); !errors.Is(err, control.ErrNoSupervisor) {
		t.Errorf("status after the end: %v", err)
	}
}

// Without names all programs are meant; an unknown one is told apart.
func TestRotate(t *testing.T) {
	client, _ := serve(t)
	want := []control.Rotated{{File: "/logs/web", Error: "cannot rotate /logs/web"}}
	for _, names := range [][]string{nil, {"web"}} {
		got, err := client.Rotate(t.Context(), names)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("rotate %q: %+v, %v", names, got, err)
		}
	}
	_, err := client.Rotate(t.Context(), []string{"web", "wob"})
	var unknown *control.NoSuchProgramError
	if !errors.As(err, &unknown) || err.Error() != `no program "wob"` {
		t.Errorf("got %v", err)
	}
}

func TestErrorsCrossTheSocket(t *testing.T) {
	client, _ := serve(t)
	_, err := client.Do(t.Context(), units.Command{Verb: units.Start, Programs: []string{"wob"}})
	var unknown *control.NoSuchProgramError
	if !errors.As(err, &unknown) || err.Error() != `no program "wob"` {
		t.Errorf("got %v", err)
	}
	if _, err := client.Do(t.Context(), units.Command{Verb: "frob"}); err == nil || !strings.Contains(err.Error(), "frob") {
		t.Errorf("got %v", err)
	}
	missing := control.NewClient(filepath.Join(t.TempDir(), "none"))
	if _, err := missing.Status(t.Context()); !errors.Is(err, control.ErrNoSupervisor) {
		t.Errorf("got %v", err)
	}
}

// Every key of the report is there, absent facts as null.
func TestReportShape(t *testing.T) {
	rep := control.Report{Project: "shop", Programs: []control.ProgramReport{control.Describe(units.Program{
		Name: "web", Unit: "msup-shop-web.service", Rules: policy.Rules{Autorestart: policy.OnFailure, MaxRestarts: 5},
	}, units.Status{State: policy.State{Phase: policy.Stopped, Reason: "not started yet"}})}}
	got, err := json.MarshalIndent(rep, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "project": "shop",
 "supervisor": {
  "active": false,
  "pid": null
 },
 "programs": [
  {
   "name": "web",
   "unit": "msup-shop-web.service",
   "base": null,
   "instance": null,
   "group": null,
   "state": "STOPPED",
   "reason": "not started yet",
   "changed": false,
   "removed": false,
   "overrides": [],
   "pending": false,
   "pid": null,
   "since": null,
   "active_since": null,
   "restarts": 0,
   "max_restarts": 5,
   "never_restarted": false,
   "restart_window": null,
   "next_start": null,
   "oneshot": false,
   "schedule": null,
   "max_runtime_due": null,
   "max_age_due": null,
   "result": null,
   "exit_code": null,
   "signal": null,
   "depends_on": [],
   "waits_for": [],
   "listen": null,
   "probed": false,
   "ready": false,
   "healthy": null,
   "probes": [],
   "said": null,
   "hooks": [],
   "actions": [],
   "memory": {
    "current": null,
    "peak": null,
    "limit": null,
    "oom_kills": null
   },
   "cpu": {
    "usage_usec": null,
    "percent": null,
    "limit": null,
    "throttled_usec": null
   },
   "tasks": null,
   "stdout": null,
   "stderr": null,
   "output": [],
   "warnings": []
  }
 ],
 "slice": null,
 "groups": null
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// A supervisor that is killed before it answers is no supervisor for those who read.
func TestKilledBeforeItAnswers(t *testing.T) {
	socket := filepath.Join(t.TempDir(), control.SocketName)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close() // unread input makes it a reset
		}
	}()
	client := control.NewClient(socket)
	for range 20 {
		if _, err := client.Status(t.Context()); !errors.Is(err, control.ErrNoSupervisor) {
			t.Fatalf("Status: %v", err)
		}
	}
	if _, err := client.Do(t.Context(), units.Command{Verb: units.Stop}); !errors.Is(err, control.ErrUnanswered) || errors.Is(err, control.ErrNoSupervisor) {
		t.Errorf("Do: %v; nobody knows whether it was done", err)
	}
}

// A program's probes and commands are told whether or not anything of them is under way.
func TestReportOfProbesAndCommands(t *testing.T) {
	def := units.Program{
		Name:  "web",
		Ready: units.Probe{Spec: probe.Spec{Kind: probe.Notify}, Threshold: 1}, Alive: units.Probe{Spec: probe.Spec{Kind: probe.TCP, Where: "localhost:80"}, Interval: time.Second, Timeout: 500 * time.Millisecond, Threshold: 3},
		Hooks:   units.Hooks{BeforeStart: []units.Hook{{Path: "/bin/check", Argv: []string{"check", "a b"}}}, AfterStop: []units.Hook{{Path: "/bin/tidy", Argv: []string{"tidy"}, MayFail: true}}},
		Actions: units.Actions{Failed: &units.Hook{Path: "/bin/page", Argv: []string{"page"}}, Restart: &units.Hook{Path: "/bin/count", Argv: []string{"count"}}},
	}
	status := func(st units.Status) string {
		r := control.Describe(def, st)
		got, err := json.Marshal([]any{r.Probed, r.Healthy, r.Probes, r.Hooks, r.Actions})
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	const (
		asked = `"probe":"tcp localhost:80","told":false,"tries":%d,"interval":1,"timeout":0.5,`
		hooks = `[{"key":"before_start","command":["/bin/check","a b"],"may_fail":false},{"key":"after_stop","command":["/bin/tidy"],"may_fail":true}],`
	)
	want := `[true,null,[{"of":"ready","probe":"READY=1","told":true,"tries":0,"interval":null,"timeout":null,"passed":false,"in_row":0,"threshold":1,"error":null,"output":null,"latency_usec":null,"at":null},` +
		`{"of":"alive",` + fmt.Sprintf(asked, 0) + `"passed":null,"in_row":0,"threshold":3,"error":null,"output":null,"latency_usec":null,"at":null}],` + hooks +
		`[{"key":"on_failed","command":["/bin/page"],"may_fail":false,"unit":null},{"key":"on_restart","command":["/bin/count"],"may_fail":false,"unit":null}]]`
	if diff := cmp.Diff(want, status(units.Status{State: policy.State{Phase: policy.Stopped}})); diff != "" {
		t.Errorf("stopped (-want +got):\n%s", diff)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want = `[true,false,[{"of":"ready","probe":"READY=1","told":true,"tries":0,"interval":null,"timeout":null,"passed":true,"in_row":0,"threshold":1,"error":null,"output":null,"latency_usec":null,"at":"2026-01-02T03:04:05Z"},` +
		`{"of":"alive",` + fmt.Sprintf(asked, 2) + `"passed":false,"in_row":1,"threshold":3,"error":"refused","output":null,"latency_usec":7,"at":"2026-01-02T03:04:05Z"}],` + hooks +
		`[{"key":"on_failed","command":["/bin/page"],"may_fail":false,"unit":null},{"key":"on_restart","command":["/bin/count"],"may_fail":false,"unit":"msup-web:on-restart:7.service"}]]`
	got := status(units.Status{
		State: policy.State{Phase: policy.Running}, Actions: []units.SavedAction{{Kind: units.ActionRestart, Unit: "msup-web:on-restart:7.service"}},
		Probes: []units.ProbeStatus{
			{Of: "ready", Probe: "READY=1", Told: true, Passed: true, Threshold: 1, At: at},
			{Of: "alive", Probe: "tcp localhost:80", Tries: 2, InRow: 1, Threshold: 3, Error: "refused", Latency: 7, At: at},
		},
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}
}
