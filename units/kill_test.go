package units_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// mortal is the bus of a supervisor that may be dead: what it does then does not happen.
type mortal struct {
	*fakeSystemd
	dead   *atomic.Bool
	starts func(unit string) // called when it starts one; nil = nobody cares
}

var errDead = errors.New("killed")

func (m mortal) Start(ctx context.Context, unit string, props []units.Property, reset bool, aux ...units.Aux) error {
	if m.dead.Load() {
		return errDead
	}
	if m.starts != nil {
		m.starts(unit)
	}
	return m.fakeSystemd.Start(ctx, unit, props, reset, aux...)
}

func (m mortal) StartUnit(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.StartUnit(ctx, unit)
}

func (m mortal) RestartUnit(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.RestartUnit(ctx, unit)
}

func (m mortal) Stop(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.Stop(ctx, unit)
}

func (m mortal) SetProperties(ctx context.Context, unit string, props []units.Property) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.SetProperties(ctx, unit, props)
}

func (m mortal) Reset(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.Reset(ctx, unit)
}

// Supervisors are killed again and again, most of them in the middle of a turn: before what
// it has decided is written down, or behind that and before it is done. Every end of a
// program is in the log once, with its cause, and every restart was due.
func TestKilledAtAnyMoment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MSUP_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	for round := range uint64(6) {
		seed := seed + round
		synctest.Test(t, func(t *testing.T) { killAtAnyMoment(t, seed) })
		if t.Failed() {
			t.Fatalf("MSUP_SEED=%d", seed)
		}
	}
}

func killAtAnyMoment(t *testing.T, seed uint64) {
	t.Logf("MSUP_SEED=%d", seed) // stands there when it fails
	random := rand.New(rand.NewPCG(seed, 0))
	inner := rand.New(rand.NewPCG(seed, 1)) // of the supervisors
	fake := newFake()
	var logged string
	fake.trace = func(text string) { logged += fmt.Sprintf("%s %s\n", time.Now().Format("05.000"), text) }
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
	var saved *units.Saved
	var records []units.Record
	var tooEarly []string
	known := map[string]policy.State{} // that are written down
	starts := func(unit string) {
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
	for life := range 60 {
		var dead atomic.Bool
		dying := random.IntN(4) // 0: only from outside
		turns := 1 + random.IntN(12)
		ctx, cancel := context.WithCancel(t.Context())
		var old *units.Saved
		if saved != nil {
			c := *saved
			old = &c
		}
		sup := units.New(units.Config{
			Project: project,
			Bus:     mortal{fake, &dead, starts}, Saved: old,
			Log: func(units.Record) {},
			Save: func(c units.Change, all func() units.Saved) error {
				if dead.Load() {
					return errDead
				}
				turns--
				if dying > 0 && turns <= 0 {
					dead.Store(true)
					cancel()
					if dying == 1 {
						return errDead // not written down
					}
				}
				if saved == nil || inner.IntN(8) == 0 {
					whole := all()
					saved = &whole
				} else {
					saved.Apply(c)
				}
				records = append(records, c.Records...)
				fake.set(func() {
					for name, p := range saved.Programs {
						known[name] = p.State
					}
					for _, r := range c.Records {
						fake.traced(fmt.Sprintf("[%d] %s", life, r))
					}
				})
				return nil
			},
		})
		fake.reconnect()
		done := make(chan error, 1)
		go func() { done <- sup.Run(ctx) }()
		fake.connect("msup-a.service")
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		fake.connect("msup-c.service")
		dead.Store(true)
		cancel()
		<-done
		fake.set(func() { fake.cut = true })
		if random.IntN(2) == 0 {
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		}
		synctest.Wait()
		for len(fake.events) > 0 {
			<-fake.events
		}
	}
	// What did not end by itself has nothing to tell; what did is told by the next one.
	fake.set(func() { fake.random, fake.cut, fake.prompt = nil, false, true })
	r := startProject(t, fake, saved, nil, project)
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
					t.Errorf("%s was restarted after %s instead of %s\n%s", p.Name, delay, p.Rules.RestartDelay, logged)
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
		t.Errorf("%s\n%s", strings.Join(tooEarly, "\n"), logged)
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("ends (-happened +told):\n%s\n%s", diff, logged)
	}
	if len(fake.wrong) > 0 {
		t.Errorf("systemd was asked for what must not be: %v\n%s", fake.wrong, logged)
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
