package units_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/policy"
	"msup/probe"
	"msup/property"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// full is a program that uses every key.
func full() units.Program {
	return units.Program{
		Name: "web", Unit: "msup-web.service", Type: units.Service, Description: "the web server",
		Path: "/usr/bin/web", Argv: []string{"web", "$HOME", "100%", `a\b`, "$$", ""},
		Directory: "/srv", User: "www", Group: "adm", Umask: new(uint32(0o27)),
		Environment: []string{"A=1", "B=$x y"}, EnvFiles: []units.EnvFile{{Path: "/etc/web.env", Optional: true}},
		Autostart: true, StopSignal: 2, StopTimeout: 1500 * time.Millisecond,
		StartTimeout: 30 * time.Second,
		Rules: policy.Rules{Autorestart: policy.OnFailure, Success: policy.ExitSet{
			Codes: []policy.Range{{From: 64, To: 66}, {From: 0, To: 2}, {From: 65, To: 65}}, Signals: []policy.Signal{10, 12},
		}},
		Limits: units.Limits{
			MemoryMax: new(uint64(64 << 20)), MemoryHigh: new(uint64(48 << 20)), SwapMax: new(uint64(0)),
			CPUPercent: new(uint64(150)), CPUWeight: new(uint64(200)), IOWeight: new(uint64(50)), TasksMax: new(uint64(10)),
			Nice: new(5), NoFile: new(uint64(4096)), OOMScoreAdjust: new(100),
		},
		Stdout: "/logs/out.log", Stderr: "/logs/err.log",
	}
}

func TestProperties(t *testing.T) {
	service := units.Runtime{Project: units.DefaultProject, Version: 252, Stdout: "/run/f.out", Stderr: "/run/f.err"}
	with := func(rt units.Runtime, change func(*units.Runtime)) units.Runtime { change(&rt); return rt }
	project := units.Project{Name: "shop", File: "/srv/msup.conf", Dir: "/srv", Programs: []units.Program{full(), full()}}
	command := units.SupervisorCommand{Project: project, Path: "/usr/bin/msup", Args: []string{"supervise", "--config", "/srv/$x"}, StopTimeout: 40 * time.Second}
	tests := map[string][]units.Property{
		"service-252": units.Properties(full(), service),
		"service-254": units.Properties(full(), with(service, func(rt *units.Runtime) { rt.Version = 254 })),
		"least": units.Properties(units.Program{
			Name: "a", Type: units.Service, Path: "/bin/a", Argv: []string{"a"}, Directory: "/", StopSignal: 15, StopTimeout: 0,
			Rules: policy.Rules{Success: policy.Codes(0)},
		}, units.Runtime{Project: "shop", Version: 252}),
		"systemd": func() []units.Property {
			p := full()
			p.Systemd = []property.Setting{{Name: "ProtectHome", Value: "read-only"}, {Name: "SyslogIdentifier", Value: "shop"}, {Name: "After", Value: "db.service"}, {Name: "ExecStartPre", Value: "-/bin/true $A"}}
			return units.Properties(p, service)
		}(),
		"scope": func() []units.Property {
			p := full()
			p.Type = units.Scope
			return units.Properties(p, units.Runtime{Project: "shop", Version: 252, PID: 42})
		}(),
		"null": func() []units.Property {
			p := full()
			p.Log.JournalRate = 100
			p.Stdout, p.Stderr, p.Limits = os.DevNull, "", units.Limits{MemoryMax: new(units.Infinity), CPUPercent: new(units.Infinity)}
			return units.Properties(p, units.Runtime{Project: units.DefaultProject, Version: 252})
		}(),
		"notify": func() []units.Property {
			p := full()
			notify(&p)
			watchdog(&p)
			return units.Properties(p, service)
		}(),
		"line": func() []units.Property {
			p := full()
			byLine(&p)
			p.Stdout, p.Stderr = "", os.DevNull
			return units.Properties(p, service)
		}(),
		"notify-reload": func() []units.Property {
			p := full()
			notify(&p)
			p.Ready.Kind, p.Systemd = probe.NotifyReload, []property.Setting{{Name: "NotifyAccess", Value: "all"}}
			return units.Properties(p, service)
		}(),
		"supervisor-252":  units.SupervisorProperties(command, 252),
		"supervisor-user": func() []units.Property { c := command; c.User = true; return units.SupervisorProperties(c, 257) }(),
	}
	for name, props := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			seen := map[string]bool{}
			for _, p := range props {
				fmt.Fprintf(&b, "%s %#v\n", p.Name, p.Value)
				if seen[p.Name] && p.Name != "After" { // which the configuration may add to
					t.Errorf("%s twice: systemd would append to the first", p.Name)
				}
				seen[p.Name] = true
			}
			golden(t, filepath.Join("testdata", "properties", name+".golden"), b.String())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with go test ./units -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ project, unit, slice, supervisor string }{
		{units.DefaultProject, "msup-web.service", "msup.slice", "msup.service"},
		{"shop", "msup-shop-web.service", "msup-shop.slice", "msup@shop.service"},
	}
	for _, tt := range tests {
		got := []string{units.UnitName(tt.project, "web", units.Service), units.SliceName(tt.project), units.SupervisorUnit(tt.project)}
		if diff := cmp.Diff([]string{tt.unit, tt.slice, tt.supervisor}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.project, diff)
		}
	}
	instance := units.InstanceName("web", 10)
	for kind, want := range map[units.UnitType]string{units.Service: "msup-shop-web@10.service", units.Scope: "msup-shop-web:10.scope"} {
		if got := units.UnitName("shop", instance, kind); got != want {
			t.Errorf("%s of an instance: %s, want %s", kind, got, want)
		}
	}
	for _, tt := range []struct{ project, group, want string }{
		{units.DefaultProject, "front", "msup-front.slice"}, {"shop", "front", "msup-shop-front.slice"}, {"shop", "", "msup-shop.slice"},
	} {
		if got := units.GroupSlice(tt.project, tt.group); got != tt.want {
			t.Errorf("group %s of %s: got %s, want %s", tt.group, tt.project, got, tt.want)
		}
	}
}

func TestBytes(t *testing.T) {
	tests := []struct {
		n           uint64
		size, limit string
	}{
		{0, "0B", "0B"},
		{1023, "1023B", "1023B"},
		{1024, "1.0K", "1K"},
		{500 << 10, "500.0K", "500K"},
		{30 << 20, "30.0M", "30M"},
		{30<<20 - 1, "30.0M", "30M"},
		{1023 << 20, "1.0G", "1G"},
		{3 << 29, "1.5G", "1.5G"},
		{units.Infinity, "infinity", "infinity"},
	}
	for _, tt := range tests {
		if got := units.Bytes(tt.n); got != tt.size {
			t.Errorf("Bytes(%d) = %s, want %s", tt.n, got, tt.size)
		}
		if got := units.Limit(tt.n); got != tt.limit {
			t.Errorf("Limit(%d) = %s, want %s", tt.n, got, tt.limit)
		}
	}
}

func TestForeign(t *testing.T) {
	tests := []struct {
		name  string
		facts units.Facts
		want  string
	}{
		{"ours", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "msup-shop.slice"}, ""},
		{"unit file", units.Facts{Unit: "msup-shop-web.service", FragmentPath: "/etc/x.service", Slice: "msup-shop.slice"}, "msup-shop-web.service exists and is not msup's: /etc/x.service"},
		{"default project", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "msup.slice"}, "msup-shop-web.service belongs to the default project of msup"},
		{"other project", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "msup-other.slice"}, `msup-shop-web.service belongs to the msup project "other"`},
		{"systemd-run", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "system.slice"}, "msup-shop-web.service exists and is not msup's: a transient unit in system.slice"},
		{"in a group", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "msup-shop-front.slice", Supervisors: []string{"msup@shop.service"}}, ""},
		{"ordered after another too", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "msup-shop.slice", Supervisors: []string{"msup.service", "msup@shop.service"}}, ""},
		{"group shop of the default project", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "msup-shop.slice", Supervisors: []string{"msup.service"}}, "msup-shop-web.service belongs to the default project of msup"},
		{"ours elsewhere", units.Facts{Unit: "msup-shop-web.service", Transient: true, Slice: "system.slice", Supervisors: []string{"msup@shop.service"}}, "msup-shop-web.service exists and is not msup's: a transient unit in system.slice"},
		{"bad", units.Facts{Unit: "msup-shop-web.service", LoadState: "bad-setting"}, "msup-shop-web.service exists and is not msup's (LoadState=bad-setting)"},
	}
	for _, tt := range tests {
		if got := units.Foreign(tt.facts, "shop"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	// Group front and project front have one slice; After= tells.
	f := units.Facts{Unit: "msup-front-1.service", Transient: true, Slice: "msup-front.slice"}
	for supervisor, want := range map[string]string{
		"msup.service": "", "": `msup-front-1.service belongs to the msup project "front"`, "msup@front.service": `msup-front-1.service belongs to the msup project "front"`,
	} {
		f.Supervisors = nil
		if supervisor != "" {
			f.Supervisors = []string{supervisor}
		}
		if got := units.Foreign(f, units.DefaultProject); got != want {
			t.Errorf("after %q: got %q, want %q", supervisor, got, want)
		}
	}
}
