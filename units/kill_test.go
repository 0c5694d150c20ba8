package units_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// Supervisors are killed again and again, most of them in the middle of a turn: before what
// it has decided is written down, or behind that and before it is done. Every end of a
// program is in the log once, with its cause, and every restart was due.
func TestKilledAtAnyMoment(t *testing.T) {
	withSeeds(t, 6, killAtAnyMoment)
}

func killAtAnyMoment(t *testing.T, seed uint64) {
	l := newLives(t, seed)
	fake, random := l.fake, l.random
	fake.random = rand.New(rand.NewPCG(seed, 2))
	var programs []units.Program
	for _, name := range []string{"a", "b", "c", "d"} {
		p := program(name)
		p.Rules.MaxRestarts, p.Rules.Autorestart = 0, policy.Always
		p.Rules.RestartDelay = time.Duration(random.IntN(3)) * 300 * time.Millisecond
		if name < "c" {
			p.InGroup = "front"
		}
		if name == "b" || name == "d" {
			notify(&p)
		}
		if name == "a" || name == "c" {
			p = listening(t, name, func(q *units.Program) { *q = p })
		}
		programs = append(programs, p)
	}
	// Some depend on these, and one on one of them.
	for _, name := range slices.Sorted(maps.Keys(dependents)) {
		p := program(name, dependents[name])
		p.Rules.MaxRestarts, p.Rules.Autorestart, p.Rules.RestartDelay = 0, policy.Always, 0
		programs = append(programs, p)
	}
	project := units.Project{
		Name: units.DefaultProject, File: "/x/msup.conf", Programs: programs,
		Groups: []units.Group{{Name: "front", Limits: units.Limits{TasksMax: new(uint64(20))}}},
	}
	var records []units.Record
	var tooEarly []string
	known := map[string]policy.State{} // that are written down
	l.wrote = func(c units.Change) {
		records = append(records, c.Records...)
		for name, p := range l.saved.Programs {
			known[name] = p.State
		}
	}
	l.starts = func(unit string) {
		fake.mu.Lock()
		defer fake.mu.Unlock()
		for _, p := range programs {
			for _, n := range p.Needs {
				// What is written down is what the supervisor went by, an instant ago at most.
				st := known[n.Of]
				if p.Unit == unit && !n.Optional && st.Phase != policy.Running && time.Since(st.Since) > 0 {
					tooEarly = append(tooEarly, fmt.Sprintf("%s %s is started, and %s is %s", time.Now().Format("05.000"), p.Name, n, st.Phase))
				}
			}
		}
	}
	for range 60 {
		l.live(project, 1+random.IntN(12), func(context.Context, *units.Supervisor) {
			fake.connect("msup-a.service")
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
			fake.connect("msup-c.service")
		})
		if random.IntN(2) == 0 {
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		}
	}
	// What did not end by itself has nothing to tell; what did is told by the next one.
	fake.set(func() { fake.random, fake.cut, fake.prompt = nil, false, true })
	r := startProject(t, fake, l.saved, nil, project)
	r.after(time.Minute)
	r.stop()
	if u := fake.units["msup-front.slice"]; u == nil || !u.facts.Transient || u.props["TasksMax"] != uint64(20) {
		t.Errorf("the slice of the group is not as it shall be: %+v", u)
	}
	records = append(records, r.records...)

	// Each end has a status of its own; it stands in one record, be it with a phase or in
	// the name of the phase after it.
	told := map[string]int{}
	last := map[string]units.Record{}
	for _, rec := range records {
		if rec.Program == "" {
			continue
		}
		if rec.To == policy.Backoff && dependents[rec.Program] == nil {
			told[rec.Unit+" "+strings.Split(rec.Reason, ",")[0]]++
		}
		if rec.From == policy.Backoff && rec.To == policy.Starting {
			delay := rec.Time.Sub(last[rec.Program].Time)
			for _, p := range programs {
				if p.Name == rec.Program && delay < p.Rules.RestartDelay {
					t.Errorf("%s was restarted after %s instead of %s\n%s", p.Name, delay, p.Rules.RestartDelay, l.log.String())
				}
			}
		}
		last[rec.Program] = rec
	}
	want := map[string]int{}
	for _, end := range fake.ends {
		name, _, _ := strings.Cut(strings.TrimPrefix(end, "msup-"), ".")
		if dependents[name] == nil { // those may be being stopped when they end
			want[end]++
		}
	}
	if len(tooEarly) > 0 {
		t.Errorf("%s\n%s", strings.Join(tooEarly, "\n"), l.log.String())
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("ends (-happened +told):\n%s\n%s", diff, l.log.String())
	}
	if len(fake.wrong) > 0 {
		t.Errorf("systemd was asked for what must not be: %v\n%s", fake.wrong, l.log.String())
	}
}

// dependents are the programs of killAtAnyMoment that depend on others.
var dependents = map[string]func(*units.Program){
	"e": needs("a:ready"),
	"f": func(p *units.Program) {
		needs("e", "?b:ready")(p)
		onDependency(policy.RestartAtEnd)(p)
	},
}
