package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/policy"
	prober "msup/probe"
	"msup/property"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// rendered is a program that has much to quote.
func rendered() units.Program {
	return units.Program{
		Name: "web", Unit: "msup-web.service", Type: units.Service, Description: `100% of it \`,
		Path: "/usr/bin/web", Argv: []string{"web", "$HOME", "100%", `a\b`, `"q" 'r'`, "", ";"},
		Directory: "/srv/a b", User: "www-data", Environment: []string{"A=1", "B=$x %y"}, EnvFiles: []units.EnvFile{{Path: "/etc/web.env", Optional: true}},
		Autostart: true, StopSignal: 2, StopTimeout: 1500 * time.Millisecond,
		Rules: policy.Rules{
			Autorestart: policy.OnFailure, RestartDelay: time.Second, RestartBackoff: 2, RestartDelayMax: time.Minute, RestartJitter: 0.1,
			MaxRestarts: 5, RestartReset: time.Minute, Success: policy.Codes(0, 2), RestartNeverOn: policy.Codes(64), OnOOM: policy.OOMStop,
		},
		Limits: units.Limits{MemoryMax: new(uint64(64 << 20)), SwapMax: new(uint64(0)), CPUPercent: new(uint64(150)), NoFile: new(uint64(4096))},
		Stdout: "/srv/100%.log", Log: units.Log{MaxSize: 1 << 20, Backups: 3, Compress: true, MaxAge: 48 * time.Hour, Markers: true},
		Sandbox: "standard",
		Systemd: []property.Setting{{Name: "ProtectHome", Value: "read-only"}, {Name: "ExecStartPre", Value: "-/bin/echo $A 100%"}, {Name: "After", Value: "db.service"}},
	}
}

func of(project string, version int) units.Runtime {
	return units.Runtime{Project: project, Version: version}
}

func TestRender(t *testing.T) {
	scope := rendered()
	scope.Type, scope.Unit, scope.Systemd, scope.Sandbox = units.Scope, "msup-web.scope", nil, ""
	export := func(p units.Program, version int, user bool) (string, error) {
		x, err := exportUnit(p, dependencies{}, "shop", version, user)
		return x.name + "\n" + x.file.String(), err
	}
	unlimited := rendered()
	unlimited.Rules = policy.Rules{Autorestart: policy.Always}
	unlimited.Autostart, unlimited.Stdout = false, ""
	once := rendered()
	once.Rules.Oneshot, once.MaxRuntime, once.StartTimeout = true, 10*time.Minute, time.Second
	aged := rendered()
	aged.Rules.MaxAge, aged.Rules.MaxAgeSpread, aged.MaxRuntime = 24*time.Hour, 0.2, 48*time.Hour
	hooks := rendered()
	hooks.Hooks = units.Hooks{
		BeforeStart:   []units.Hook{{Path: "/usr/bin/check", Argv: []string{"check", "$HOME", "a b"}, MayFail: true}},
		BeforeStop:    []units.Hook{{Path: "/usr/bin/drain", Argv: []string{"drain"}}},
		StopCommand:   []units.Hook{{Path: "/usr/bin/ctl", Argv: []string{"/usr/bin/ctl", "stop", "100%"}}},
		ReloadCommand: []units.Hook{{Path: "/bin/kill", Argv: []string{"/bin/kill", "-HUP", "1"}}},
	}
	told := rendered()
	told.Ready, told.Alive = units.Probe{Spec: prober.Spec{Kind: prober.Notify}}, units.Probe{Spec: prober.Spec{Kind: prober.Watchdog, Where: "30s", Every: 30 * time.Second}}
	told.StartTimeout, told.Rules.Ready = 90*time.Second, told.Ready.String()
	told.Actions = units.Actions{Failed: &units.Hook{Path: "/usr/bin/page", Argv: []string{"page", "a b"}}, OOM: &units.Hook{Path: "/bin/true", Argv: []string{"true"}, MayFail: true}}
	line := rendered()
	line.Ready, line.Stdout = units.Probe{Spec: prober.Spec{Kind: prober.Log, Where: `port \d+`}}, ""
	line.Alive = units.Probe{Spec: prober.Spec{Kind: prober.TCP, Where: "127.0.0.1:80"}, Interval: time.Second, Timeout: time.Second, Threshold: 3}
	line.Rules.Ready, line.Rules.ReadyTimeout = line.Ready.String(), 90*time.Second
	needs := []units.Program{rendered(), once, rendered(), rendered(), rendered()}
	for i, name := range []string{"web", "migrate", "db", "my-cache", "front"} {
		needs[i].Name, needs[i].Unit = name, "msup-"+name+".service"
	}
	needs[0].Needs = []units.Need{{Of: "migrate", Condition: policy.OnCompleted}, {Of: "db", Condition: policy.OnReady}, {Of: "my-cache", Condition: policy.OnStarted, Optional: true}}
	needs[4].Needs, needs[4].OnDependency = []units.Need{{Of: "web", Condition: policy.OnStarted}}, policy.RestartAtEnd
	exportNeeds := func(i int) (string, error) {
		x, err := exportUnit(needs[i], *dependenciesOf(needs)[needs[i].Name], "shop", 252, false)
		return x.name + "\n" + x.file.String(), err
	}
	scheduled := rendered()
	scheduled.Schedule = units.Schedule{Calendar: []string{"Mon..Fri 08:30", "*-*-* 03:00 Europe/Berlin"}, Every: 90 * time.Minute, Spread: time.Minute, CatchUp: true}
	listens := rendered()
	listens.Listen = units.Listen{
		Addresses: []units.Address{{Network: units.ListenTCP, Where: "8080"}, {Network: units.ListenUnix, Where: "/run/web.sock"}, {Network: units.ListenUDP, Where: "[::1]:53"}},
		Mode:      new(uint32(0o660)), Owner: "root:www-data", OnDemand: true, IdleStop: time.Minute,
	}
	for name, render := range map[string]func() (string, error){
		"render-listen":     func() (string, error) { return renderUnit(listens, of("default", 252), "/run/msup/default") },
		"render-run-listen": func() (string, error) { return runLine(listens, of("default", 254), false) },
		"export-listen": func() (string, error) {
			service, err := export(listens, 252, false)
			return service + "\n" + exportSocket(listens, "default").text, err
		},
		"render-schedule":     func() (string, error) { return renderUnit(scheduled, of("default", 252), "/run/msup/default") },
		"render-run-schedule": func() (string, error) { return runLine(scheduled, of("default", 252), false) },
		"export-schedule": func() (string, error) {
			service, err := export(scheduled, 252, false)
			x := exportTimer(scheduled, "shop")
			return service + "\n" + x.name + "\n" + x.file.String(), err
		},
		"render-needs": func() (string, error) {
			rt := of("default", 252)
			rt.Joints = units.JointsOf("default", needs)[0]
			return renderUnit(needs[0], rt, "/run/msup/default")
		},
		"export-needs":     func() (string, error) { return exportNeeds(0) },
		"export-needed":    func() (string, error) { return exportNeeds(1) },
		"export-follows":   func() (string, error) { return exportNeeds(4) },
		"render-told":      func() (string, error) { return renderUnit(told, of("default", 252), "/run/msup/default") },
		"render-line":      func() (string, error) { return renderUnit(line, of("default", 252), "/run/msup/default") },
		"export-told":      func() (string, error) { return export(told, 252, false) },
		"export-line":      func() (string, error) { return export(line, 252, false) },
		"render-252":       func() (string, error) { return renderUnit(rendered(), of("default", 252), "/run/msup/default") },
		"render-254":       func() (string, error) { return renderUnit(rendered(), of("default", 254), "/run/msup/default") },
		"render-aged":      func() (string, error) { return renderUnit(aged, of("default", 252), "/run/msup/default") },
		"render-oneshot":   func() (string, error) { return renderUnit(once, of("default", 252), "/run/msup/default") },
		"export-aged":      func() (string, error) { return export(aged, 252, false) },
		"export-oneshot":   func() (string, error) { return export(once, 252, false) },
		"render-hooks-252": func() (string, error) { return renderUnit(hooks, of("default", 252), "/run/msup/default") },
		"render-hooks-254": func() (string, error) { return renderUnit(hooks, of("default", 254), "/run/msup/default") },
		"run-hooks":        func() (string, error) { return runLine(hooks, of("default", 252), false) },
		"export-hooks":     func() (string, error) { return export(hooks, 252, false) },
		"render-scope":     func() (string, error) { return renderUnit(scope, of("default", 254), "/run/msup/default") },
		"run-252":          func() (string, error) { return runLine(rendered(), of("default", 252), false) },
		"run-254":          func() (string, error) { return runLine(rendered(), of("default", 254), true) },
		"run-scope":        func() (string, error) { return runLine(scope, of("default", 254), false) },
		"export-252":       func() (string, error) { return export(rendered(), 252, false) },
		"export-254":       func() (string, error) { return export(rendered(), 254, true) },
		"export-scope":     func() (string, error) { return export(scope, 252, false) },
		"export-unlimited": func() (string, error) { return export(unlimited, 252, false) },
		"logrotate":        func() (string, error) { return logrotateText([]units.Program{rendered(), rendered()}), nil },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := render()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "render", name+".golden")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; write it with go test ./cmd/msup -update", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What is sent comes back from the text, whatever is in the definition: the unit file says
// the same.
func TestRenderSaysWhatIsSent(t *testing.T) {
	for _, version := range []int{252, 254} {
		p := rendered()
		joints := units.Joints{Own: "msup-web:needed.slice", Needs: []string{"msup-db:needed.slice"}}
		text, err := renderUnit(p, units.Runtime{Project: "default", Version: version, Joints: joints}, "/run/msup/default")
		if err != nil {
			t.Fatal(err)
		}
		var settings []property.Setting
		for line := range strings.Lines(text) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && !strings.HasPrefix(line, "#") {
				settings = append(settings, property.Setting{Name: name, Value: value}.Literal())
			}
		}
		back, err := property.Properties(settings, version)
		if err != nil {
			t.Fatal(err)
		}
		rt := units.Runtime{Project: "default", Version: version, Joints: joints}
		rt.Stdout, rt.Stderr = fifosOf(p, "/run/msup/default")
		sent := map[string][]any{}
		for _, s := range units.Properties(p, rt) {
			sent[s.Name] = append(sent[s.Name], s.Value)
		}
		got := map[string][]any{}
		for _, b := range back {
			if b.Name == "ExecStartPre" || b.Name == "After" || b.Name == "ExecStart" {
				continue // compared below
			}
			got[b.Name] = append(got[b.Name], b.Value)
		}
		after := []any{[]string{"msup:order.slice"}, []string{"msup-db:needed.slice"}, []string{"db.service"}}
		if diff := cmp.Diff(after, sent["After"]); diff != "" {
			t.Errorf("After: %s", diff)
		}
		delete(sent, "After")
		delete(sent, "ExecStart")
		delete(sent, "ExecStartPre")
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Errorf("systemd %d (-sent +written):\n%s", version, diff)
		}
	}
}

// A comment is one line, which does not go on on the next.
func TestComment(t *testing.T) {
	for in, want := range map[string]string{"a\nExecStart=/bin/x": "# a ExecStart=/bin/x\n", `a\`: "# a\n", `\\`: "#\n", "": "#\n"} {
		if got := comment(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestWriteAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	files := []outFile{{"a.service", "one"}, {"b.service", "two"}}
	if err := writeAll(dir, files[:1], false); err != nil {
		t.Fatal(err)
	}
	files[0].text = "other"
	if err := writeAll(dir, files, false); err == nil {
		t.Error("a file was overwritten")
	}
	if _, err := os.Stat(filepath.Join(dir, "b.service")); err == nil {
		t.Error("half of the files were written")
	}
	if err := writeAll(dir, files, true); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "a.service")); string(text) != "other" {
		t.Errorf("--force leaves %q", text)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}
