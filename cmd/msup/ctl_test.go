package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"msup/policy"
	"msup/units"
)

// transcript is what supervisorctl 4.2.5 has printed.
func transcript(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "ctl", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// transcribed are the programs that supervisord had then: those of testdata/ctl/status.txt.
func transcribed(now time.Time) []process {
	rules := policy.Rules{Autorestart: policy.OnFailure, StartPeriod: time.Second, StartRetries: new(0)}
	running := func(pid uint32) units.Status {
		return units.Status{PID: pid, State: policy.State{Phase: policy.Running, Started: now, Active: now.Add(-9 * time.Second)}}
	}
	ended := func(phase policy.Phase, cause policy.Cause, ran time.Duration) units.Status {
		return units.Status{State: policy.State{Phase: phase, Started: now, Since: now, Last: &policy.Exit{Cause: cause, Code: 2, Ran: ran}}}
	}
	once := rules
	once.Autorestart = policy.Never
	atOnce := rules
	atOnce.StartPeriod = 0
	in := func(group, name string, r policy.Rules, s units.Status) process {
		return process{group: group, name: name, program: units.Program{Name: name, Path: "/nonexistent/prog", Argv: []string{"/nonexistent/prog"}, Rules: r, Autostart: name != "manual"}, status: s}
	}
	alone := func(name string, r policy.Rules, s units.Status) process { return in(name, name, r, s) }
	return []process{
		alone("web", rules, running(12086)),
		alone("manual", rules, units.Status{State: policy.State{Phase: policy.Stopped, Since: now}}),
		alone("missing", rules, ended(policy.Failed, policy.CauseExec, 0)),
		alone("quick", rules, ended(policy.Failed, policy.CauseExit, 3*time.Millisecond)),
		alone("slowstart", once, ended(policy.Failed, policy.CauseExit, 3*time.Second)),
		in("pool", "pool_00", rules, running(12081)),
		in("pool", "pool_01", rules, running(12082)),
		in("both", "one", rules, running(12076)),
		in("both", "two", rules, running(12078)),
		alone("a-very-long-name-of-a-program-indeed", rules, running(12075)),
		alone("failing", rules, ended(policy.Killed, policy.CauseSignal, 3*time.Millisecond)),
		alone("oksoon", atOnce, ended(policy.Exited, policy.CauseExit, 3*time.Millisecond)),
	}
}

func TestCtlStatusAsSupervisorctl(t *testing.T) {
	now := time.Date(2026, 11, 26, 8, 51, 0, 0, time.Local)
	got, want := statusLines(byName(transcribed(now)), now), transcript(t, "status.txt")
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCtlAvailAsSupervisorctl(t *testing.T) {
	all := transcribed(time.Now())
	slices.SortStableFunc(all, func(a, b process) int { return strings.Compare(a.name, b.name) })
	for i, want := range transcript(t, "avail.txt") {
		// There are no priorities here.
		if got := availLine(all[i], true); got != strings.TrimSuffix(want, "999:999")+"-" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestCtlStates(t *testing.T) {
	never := policy.Rules{Autorestart: policy.Never, StartPeriod: time.Second}
	always := policy.Rules{Autorestart: policy.Always, StartPeriod: time.Second}
	for _, c := range []struct {
		what  string
		rules policy.Rules
		state policy.State
		want  string
	}{
		{"nobody knows", always, policy.State{}, "UNKNOWN"},
		{"it waits", always, policy.State{Phase: policy.Backoff}, "BACKOFF"},
		{"it was RUNNING and is left", never, policy.State{Phase: policy.Failed, Last: &policy.Exit{Cause: policy.CauseExit, Ran: time.Minute}}, "EXITED"},
		{"killed for memory, and left", never, policy.State{Phase: policy.Killed, Last: &policy.Exit{Cause: policy.CauseOOM, Ran: time.Minute}}, "EXITED"},
		{"it was RUNNING, its restarts are used up", always, policy.State{Phase: policy.Failed, Last: &policy.Exit{Cause: policy.CauseExit, Ran: time.Minute}}, "FATAL"},
		{"it ended too early", never, policy.State{Phase: policy.Failed, Last: &policy.Exit{Cause: policy.CauseExit, Ran: time.Millisecond}}, "FATAL"},
		{"it could not be executed", never, policy.State{Phase: policy.Failed, Last: &policy.Exit{Cause: policy.CauseExec}}, "FATAL"},
		{"it could not be tried", never, policy.State{Phase: policy.Failed}, "FATAL"},
	} {
		p := process{program: units.Program{Rules: c.rules}, status: units.Status{State: c.state}}
		if got := supervisordState(p); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestTimedelta(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0:00:00", 5*time.Second + 999*time.Millisecond: "0:00:05", 70 * time.Minute: "1:10:00",
		25 * time.Hour: "1 day, 1:00:00", 50*time.Hour + 61*time.Second: "2 days, 2:01:01",
	} {
		if got := timedelta(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestCtlNames(t *testing.T) {
	program := func(name, base, group string, env ...string) units.Program {
		return units.Program{Name: name, Base: base, InGroup: group, Environment: env}
	}
	project := units.Project{Programs: []units.Program{
		program("web", "", ""),
		program("pool@1", "pool", "", "SUPERVISOR_PROCESS_NAME=pool_00", "SUPERVISOR_GROUP_NAME=pool"),
		program("pool@2", "pool", "", "SUPERVISOR_PROCESS_NAME=pool_01", "SUPERVISOR_GROUP_NAME=pool"),
		program("mail", "", "out_going", "SUPERVISOR_GROUP_NAME=out-going"),
		program("own@1", "own", ""),
		program("cron", "", "jobs"),
	}}
	all := processesOf(project, []units.Status{{Name: "cron", PID: 7}})
	if all[5].status.PID != 7 || all[0].status.PID != 0 {
		t.Error("a status belongs to another program")
	}
	for spec, want := range map[string]string{
		"web": "web", "web:web": "web", "web:*": "web", "pool:pool_01": "pool:pool_01", "pool:*": "pool:pool_00 pool:pool_01", "pool:": "pool:pool_00 pool:pool_01",
		"out-going:mail": "out-going:mail", "own:own@1": "own:own@1", "jobs:cron": "jobs:cron",
		"pool": "", "mail": "", "web:x": "", "cron": "", "*": "", "out_going:mail": "",
	} {
		var got []string
		for _, p := range parseWanted(spec).of(all) {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", spec, got, want)
		}
	}
}

func TestCtlChanges(t *testing.T) {
	prog := func(name, group string) units.Program { return units.Program{Name: name, InGroup: group} }
	now := units.Project{Programs: []units.Program{prog("web", ""), prog("a", "pair"), prog("b", "pair"), prog("old", "")}}
	then := units.Project{Programs: []units.Program{prog("web", ""), prog("a", "pair"), prog("c", "pair"), prog("new", "")}}
	plan := units.Plan{Programs: []units.ProgramPlan{
		{Name: "c", Effect: units.EffectAdd},
		{Name: "new", Effect: units.EffectAdd},
		{Name: "b", Effect: units.EffectRemove},
		{Name: "old", Effect: units.EffectRemove},
	}}
	g := changesOf(plan, now, then)
	want := "new: available, old: disappeared, pair: changed"
	if got := strings.Join(g.lines(), ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if others := g.but([]string{"pair"}); strings.Join(others, " ") != "old new" {
		t.Errorf("others than pair: %v", others)
	}
	if got := changesOf(units.Plan{}, now, now).lines(); len(got) != 1 || got[0] != "No config updates to processes" {
		t.Errorf("no change: %v", got)
	}
	plan = units.Plan{Programs: []units.ProgramPlan{{Name: "web", Effect: units.EffectLive}}}
	if got := changesOf(plan, now, now).lines(); len(got) != 1 || got[0] != "web: changed" {
		t.Errorf("a live change: %v", got)
	}
}

// A file of another format may be one that only the supervisor can read.
func TestCtlPlanned(t *testing.T) {
	now := units.Project{Programs: []units.Program{{Name: "web"}, {Name: "old"}}}
	plan := units.Plan{Programs: []units.ProgramPlan{
		{Name: "web", Effect: units.EffectLive},
		{Name: "old", Effect: units.EffectRemove},
		{Name: "new", Effect: units.EffectAdd, Starts: true},
		{Name: "pool@1", Effect: units.EffectAdd},
		{Name: "pool@2", Effect: units.EffectAdd},
	}}
	got := strings.Join(changesOf(plan, now, planned(now, plan)).lines(), ", ")
	if want := "new: available, old: disappeared, pool: available, web: changed"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(now.Programs) != 2 {
		t.Error("the project itself has changed")
	}
}

func TestCtlStartResult(t *testing.T) {
	exec := &policy.Exit{Cause: policy.CauseExec, Code: 203}
	for _, c := range []struct {
		phase  policy.Phase
		last   *policy.Exit
		path   string
		want   string
		status int
	}{
		{policy.Running, nil, "", "web: started", 0},
		{policy.Exited, nil, "", "web: started", 0},
		{policy.Backoff, nil, "", "web: ERROR (spawn error)", ctlNotRunning},
		{policy.Failed, exec, "/nonexistent/prog", "web: ERROR (no such file)", ctlFailed},
		{policy.Failed, exec, "/bin/sh", "web: ERROR (spawn error)", ctlNotRunning},
		{policy.Stopped, nil, "", "web: ERROR (abnormal termination)", ctlNotRunning},
		{policy.Starting, nil, "", "web: ERROR (waits for db, which is STOPPED)", ctlNotRunning},
		{"", nil, "", "web: ERROR (no such process)", ctlFailed},
	} {
		var out strings.Builder
		session := &ctl{out: &out}
		now := process{group: "web", name: "web", program: units.Program{Name: "web", Path: c.path}}
		after := now
		after.status.State = policy.State{Phase: c.phase, Last: c.last, Reason: "waits for db, which is STOPPED"}
		session.startResult(now, c.phase, []process{after})
		if out.String() != c.want+"\n" || session.status != c.status {
			t.Errorf("%s: %q, exit status %d; want %q, %d", c.phase, out.String(), session.status, c.want, c.status)
		}
	}
}
