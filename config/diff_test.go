package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

func configOf(t *testing.T, text string) *Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "msup.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// planText is a plan in short.
func planText(p units.Plan) string {
	var b strings.Builder
	line := func(c units.KeyChange) {
		fmt.Fprintf(&b, "  %s %s: %s -> %s\n", c.Effect, c.Key, strings.Join(c.Old, "|"), strings.Join(c.New, "|"))
	}
	for _, c := range p.Changes {
		line(c)
	}
	for _, g := range p.Groups {
		fmt.Fprintf(&b, "group %s %s\n", g.Name, g.Effect)
		for _, c := range g.Changes {
			line(c)
		}
	}
	for _, in := range p.Instances {
		fmt.Fprintf(&b, "instances of %s: %d -> %d", in.Name, in.Old, in.New)
		if in.Overridden {
			b.WriteString(" overridden")
		}
		b.WriteString("\n")
	}
	for _, prog := range p.Programs {
		fmt.Fprintf(&b, "%s %s", prog.Name, prog.Effect)
		for word, on := range map[string]bool{" starts": prog.Starts, " stops": prog.Stops} {
			if on {
				b.WriteString(word)
			}
		}
		if prog.InForce {
			b.WriteString(" in force")
		}
		b.WriteString("\n")
		for _, c := range prog.Changes {
			line(c)
		}
	}
	return b.String()
}

func TestDiff(t *testing.T) {
	const web = "program web\ncommand = /bin/a\ndirectory = /\n"
	tests := []struct {
		name     string
		old, new string
		phase    policy.Phase // of web; "" = RUNNING
		want     string
	}{
		{name: "nothing", old: web, new: "# a note\n" + web},
		{name: "another order, and a default that is written", old: web, new: "program web\ndirectory=/\nautostart = true\ncommand = /bin/a"},
		{name: "policy and limits", old: web, new: web + "max_restarts = 7\nmemory_limit = 64M\ncpu_limit = 0.5\n", want: `web live
  live memory_limit:  -> 64M
  live cpu_limit:  -> 0.5
  live max_restarts:  -> 7
`},
		{name: "in defaults", old: "[defaults]\nmax_restarts = 3\n" + web, new: "[defaults]\nmax_restarts = 4\n" + web, want: `web live
  live max_restarts: 3 -> 4
`},
		{name: "command and a limit", old: web, new: "program web\ncommand = /bin/b\ndirectory = /\nmemory_limit = 1G", want: `web restart stops
  restart command: /bin/a -> /bin/b
  live memory_limit:  -> 1G
`},
		{name: "repeated keys", old: web + "environment = A=1 B=2\n", new: web + "environment = A=1\nenvironment = B=3\n", want: `web restart stops
  restart environment: A=1 B=2 -> A=1|B=3
`},
		{name: "another file", old: web + "stdout = a.log\n", new: web + "stdout = b.log\nlog_max_size = 1M\n", want: `web live
  live stdout: a.log -> b.log
  live log_max_size:  -> 1M
`},
		{name: "a file instead of the journal", old: web, new: web + "stdout = b.log\n", want: `web restart stops
  restart stdout:  -> b.log
`},
		{name: "one file for both instead of two", old: web + "stdout = a\nstderr = b\n", new: web + "stdout = a\nstderr = stdout\n", want: `web restart stops
  restart stderr: b -> stdout
`},
		{name: "the budget that msup keeps", old: web + "stdout = a\nstderr = stdout", new: web + "stdout = a\nstderr = stdout\njournal_rate = 5\n", want: `web live
  live journal_rate:  -> 5
`},
		{name: "the budget that journald keeps", old: web, new: web + "journal_rate = 5\n", want: `web restart stops
  restart journal_rate:  -> 5
`},
		{name: "it has given up", old: web, new: "program web\ncommand = /bin/b\ndirectory = /\n", phase: policy.Failed, want: `web restart starts
  restart command: /bin/a -> /bin/b
`},
		{name: "it waits", old: web, new: "program web\ncommand = /bin/b\ndirectory = /\n", phase: policy.Backoff, want: `web restart
  restart command: /bin/a -> /bin/b
`},
		{name: "it is stopped", old: web, new: "program web\ncommand = /bin/b\ndirectory = /\n", phase: policy.Stopped, want: `web next-start
  restart command: /bin/a -> /bin/b
`},
		{name: "a group with other limits", old: web + "group g\nprograms = web\nmemory_limit = 1G", new: web + "group g\nprograms = web\nmemory_limit = 2G", want: `group g live
  live memory_limit: 1G -> 2G
`},
		{name: "another group", old: web + "group g\nprograms = web", new: web + "group h\nprograms = web", want: `group h add
  add programs:  -> web
group g remove
web restart stops
  restart [group]: g -> h
`},
		{name: "the project's limits", old: "[msup]\nproject = p\n" + web, new: "[msup]\nproject = p\ntasks_limit = 50\n" + web, want: `  live tasks_limit:  -> 50
`},
		{name: "more, fewer and the project", old: "[msup]\nlogfile = a.log\n" + web + "program goes\ncommand = /bin/g", new: "[msup]\nlogfile = b.log\n" + web + "program new\ncommand = /bin/n\nprogram later\ncommand = /bin/l\nautostart = no", want: `  live logfile: a.log -> b.log
new add starts
  add command:  -> /bin/n
later add
  add command:  -> /bin/l
  add autostart:  -> no
goes remove stops
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old, wanted := configOf(t, tt.old), configOf(t, tt.new)
			var running []units.Status
			for _, p := range old.Programs {
				st := units.Status{Name: p.Name, State: policy.State{Phase: policy.Running, Since: time.Unix(1, 0)}, Program: p, Started: p.Settings, Digest: p.Digest}
				if tt.phase != "" && p.Name == "web" {
					st.State.Phase, st.Started = tt.phase, nil
				}
				running = append(running, st)
			}
			if diff := cmp.Diff(tt.want, planText(Diff(old.Project, running, wanted))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// Each key has an effect that agrees with the digest: what needs a restart changes it, what is
// live does not.
func TestEveryKeyHasItsEffect(t *testing.T) {
	for _, k := range keys {
		if k.Section != programSection || k.Name == "command" || k.Name == instancesKey {
			continue
		}
		base := "program web\ncommand = /bin/a\ndirectory = /tmp\nstdout = out\nstderr = err\n"
		if strings.Contains(base, "\n"+k.Name+" =") {
			continue // TestDiff
		}
		old := configOf(t, base)
		file := filepath.Join(t.TempDir(), "msup.conf")
		if err := os.WriteFile(file, []byte(base+k.Name+" = "+k.Example+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		wanted, err := Read(file)
		if err != nil {
			continue // the example needs another key
		}
		if len(wanted.Programs) != 1 {
			t.Fatalf("%s: %d programs", k.Name, len(wanted.Programs))
		}
		same := old.Programs[0].Digest == wanted.Programs[0].Digest
		plan := Diff(old.Project, []units.Status{{Name: "web", State: policy.State{Phase: policy.Running}, Program: old.Programs[0], Digest: old.Programs[0].Digest}}, wanted)
		if len(plan.Programs) != 1 || (plan.Programs[0].Effect == units.EffectLive) != same {
			t.Errorf("%s: same digest %v, plan\n%s", k.Name, same, planText(plan))
		}
	}
}

// A run that was started by an older definition than the one in force.
func TestDiffOfARunThatIsBehind(t *testing.T) {
	one, two := configOf(t, "program web\ncommand = /bin/one\ndirectory=/\n"), configOf(t, "program web\ncommand = /bin/two\ndirectory=/\nmax_restarts = 7\n")
	st := units.Status{Name: "web", State: policy.State{Phase: policy.Running}, Program: two.Programs[0], Started: one.Programs[0].Settings, Digest: one.Programs[0].Digest, Changed: true}
	if got, want := planText(Diff(two.Project, []units.Status{st}, two)), "web restart stops in force\n  restart command: /bin/one -> /bin/two\n"; got != want {
		t.Errorf("plan\n%swant\n%s", got, want)
	}
	st.Started = nil // nobody knows by which
	if got, want := planText(Diff(two.Project, []units.Status{st}, two)), "web restart stops in force\n  restart :  -> \n"; got != want {
		t.Errorf("plan\n%swant\n%s", got, want)
	}
	// The file goes back to what it was started by.
	st.Started = one.Programs[0].Settings
	if got, want := planText(Diff(two.Project, []units.Status{st}, one)), "web live\n  live max_restarts: 7 -> \n"; got != want {
		t.Errorf("plan\n%swant\n%s", got, want)
	}
}

// What a supervisor that took over has found in the file, and not started, is still to be added;
// so is what an earlier reload has removed and is not gone yet.
func TestDiffOfWhatIsStillToBeAdded(t *testing.T) {
	cfg := configOf(t, "program web\ncommand = /bin/one\ndirectory=/\n")
	st := units.Status{Name: "web", State: policy.State{Phase: policy.Stopped}, Program: cfg.Programs[0], Digest: cfg.Programs[0].Digest}
	const add = "web add starts\n  add command:  -> /bin/one\n  add directory:  -> /\n"
	if got := planText(Diff(cfg.Project, []units.Status{st}, cfg)); got != add {
		t.Errorf("never started: plan\n%swant\n%s", got, add)
	}
	stopped := st
	stopped.State.Since = time.Unix(1, 0)
	if got := planText(Diff(cfg.Project, []units.Status{stopped}, cfg)); got != "" {
		t.Errorf("stopped: plan\n%swant none", got)
	}
	manual := st
	manual.Program.Autostart = false
	if got := planText(Diff(cfg.Project, []units.Status{manual}, cfg)); got != "" {
		t.Errorf("not to be started by itself: plan\n%swant none", got)
	}
	leaving := st
	leaving.State, leaving.Leaving = policy.State{Phase: policy.Stopping, Since: time.Unix(1, 0)}, true
	if got := planText(Diff(cfg.Project, []units.Status{leaving}, cfg)); got != add {
		t.Errorf("leaving: plan\n%swant\n%s", got, add)
	}
}

// What is overridden is a change, and yet nothing that the supervisor has not read.
func TestDiffOfAnOverride(t *testing.T) {
	cfg := configOf(t, "program web\ncommand = /bin/one\nmemory_limit = 1G\n")
	for _, value := range []string{"memory_limit=2G", "cpu_limit=0.5"} {
		key, to, _ := strings.Cut(value, "=")
		p, _, err := Override(cfg.Programs[0], key, to)
		if err != nil {
			t.Fatal(err)
		}
		st := units.Status{Name: "web", State: policy.State{Phase: policy.Running}, Program: p, Started: p.Settings, Digest: p.Digest}
		if plan := Diff(cfg.Project, []units.Status{st}, cfg); len(plan.Programs) != 1 || !plan.Programs[0].InForce || plan.Programs[0].Effect != units.EffectLive {
			t.Errorf("%s: plan\n%s", value, planText(plan))
		}
	}
}

func TestPlanID(t *testing.T) {
	one, two := configOf(t, "program web\ncommand = /bin/one\n"), configOf(t, "program web\ncommand = /bin/two\n")
	a, b, c := Diff(units.Project{}, nil, one), Diff(units.Project{}, nil, one), Diff(units.Project{}, nil, two)
	if a.ID != b.ID || a.ID == c.ID || a.ID == "" {
		t.Errorf("IDs %q %q %q", a.ID, b.ID, c.ID)
	}
}

func TestOverride(t *testing.T) {
	p := configOf(t, "program web\ncommand = /bin/a\nmemory_limit = 64M\nmax_restarts = 3\n").Programs[0]
	set := func(p units.Program, key, value string) units.Program {
		t.Helper()
		q, _, err := Override(p, key, value)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q := set(set(set(p, "memory_limit", "128M"), "autorestart", "never"), "memory_limit", "256M")
	if *q.Limits.MemoryMax != 256<<20 || *q.Limits.SwapMax != 0 || q.Rules.Autorestart != policy.Never || q.Digest != p.Digest {
		t.Errorf("overridden: %+v", q)
	}
	if *p.Limits.MemoryMax != 64<<20 || len(p.Overrides) != 0 {
		t.Errorf("the original has changed: %+v", p)
	}
	if diff := cmp.Diff([]units.Setting{{Key: "memory_limit", Value: "256M"}, {Key: "autorestart", Value: "never"}}, q.Overrides); diff != "" {
		t.Errorf("overrides (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]units.Setting{{Key: "command", Value: "/bin/a"}, {Key: "memory_limit", Value: "256M"}, {Key: "autorestart", Value: "never"}, {Key: "max_restarts", Value: "3"}}, q.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if q := set(p, "memory_limit", "infinity"); *q.Limits.MemoryMax != units.Infinity || q.Limits.SwapMax != nil {
		t.Errorf("swap without a limit: %v", q.Limits.SwapMax)
	}
	if q := set(p, "restart_delay", "10m"); q.Rules.RestartDelayMax != 10*time.Minute {
		t.Errorf("delay of 10m is capped at %s", q.Rules.RestartDelayMax)
	}
	if q := set(set(p, "restart_delay", "10m"), "restart_delay", "1"); q.Rules.RestartDelayMax != 5*time.Minute {
		t.Errorf("the cap has stayed at %s", q.Rules.RestartDelayMax)
	}
	for arg, want := range map[string]string{
		"restart_on=osm":      "did you mean oom?",
		"memory_limt=1G":      "unknown key; did you mean memory_limit?",
		"command=/bin/b":      "this cannot change while the program runs; change the configuration; msup reload applies it",
		"stdout=/x":           "this cannot change while the program runs",
		"memory_limit=lots":   `"lots" is not a size`,
		"memory_limit=":       "the value is empty",
		"max_restarts=-1":     "max_restarts:",
		"depends_on=b":        "msup set takes no commands, paths and lists of names",
		"journal_rate=5":      "this cannot change while the program runs",
		"log_max_size=banana": `"banana" is not the size of a file`,
	} {
		key, value, _ := strings.Cut(arg, "=")
		_, _, err := Override(p, key, value)
		var invalid *Error
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
	// Put on top of another definition, as a supervisor that comes back does.
	other := configOf(t, "program web\ncommand = /bin/b\nmemory_limit = 32M\n").Programs[0]
	r, err := Overridden(other, append(q.Overrides, units.Setting{Key: "gone", Value: "1"}))
	if err == nil || !strings.Contains(err.Error(), "gone") || *r.Limits.MemoryMax != 256<<20 || r.Argv[0] != "/bin/b" {
		t.Errorf("%v: %+v", err, r)
	}
}
