package units_test

import (
	"context"
	"fmt"
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
)

// Definitions change again and again, and supervisors are killed on the way: before what they
// have decided is written down, or behind that and before it is done. In the end what runs is
// what the last definitions want, one copy each, with their limits.
func TestRedefinedAndKilledAtAnyMoment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MSUP_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	for round := range uint64(8) {
		seed := seed + round
		synctest.Test(t, func(t *testing.T) { redefineAndKill(t, seed) })
		if t.Failed() {
			t.Fatalf("MSUP_SEED=%d", seed)
		}
	}
}

func redefineAndKill(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	inner := rand.New(rand.NewPCG(seed, 1)) // of the supervisors
	names := []string{"a", "b", "c", "d", "e"}
	anyProject := func() units.Project {
		p := units.Project{Name: units.DefaultProject, File: "/x/msup.conf"}
		for _, name := range names {
			if random.IntN(4) > 0 {
				def := program(name, by(fmt.Sprint("version ", random.IntN(3))), limited(uint64(1+random.IntN(5))<<20))
				def.Rules.MaxRestarts, def.Rules.Autorestart = 0, policy.Always
				p.Programs = append(p.Programs, def)
			}
		}
		return p
	}
	fake := newFake()
	var logged strings.Builder
	fake.trace = func(text string) { fmt.Fprintf(&logged, "%s %s\n", time.Now().Format("05.000"), text) }
	var saved *units.Saved
	known := map[string]units.Program{} // what project.json has
	note := func(p units.Project) {
		for _, def := range p.Programs {
			known[def.Name] = def
		}
	}
	file := anyProject()
	// What the configuration no longer has and what is up is kept, as cmd/msup does it.
	found := func() units.Project {
		project := file
		for _, name := range names {
			if def, ok := known[name]; ok && file.Program(name) == nil && saved != nil {
				if old, ok := saved.Programs[name]; ok && (old.State.Phase.Up() || old.State.Phase == policy.Backoff) {
					def.Removed, def.Autostart = true, false
					project.Programs = append(slices.Clip(project.Programs), def)
				}
			}
		}
		note(project)
		return project
	}
	for life := range 40 {
		project := found()
		var dead atomic.Bool
		dying := random.IntN(4) // 0: only from outside
		turns := 1 + random.IntN(14)
		ctx, cancel := context.WithCancel(t.Context())
		var old *units.Saved
		if saved != nil {
			c := *saved
			old = &c
		}
		sup := units.New(units.Config{
			Project: project, Bus: mortal{fakeSystemd: fake, dead: &dead}, Saved: old,
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
				fake.set(func() {
					for _, r := range c.Records {
						fake.traced(fmt.Sprintf("[%d] %s", life, r))
					}
					if len(c.Dropped) > 0 {
						fake.traced(fmt.Sprintf("[%d] dropped %v", life, c.Dropped))
					}
				})
				if saved == nil || inner.IntN(8) == 0 {
					whole := all()
					saved = &whole
				} else {
					saved.Apply(c)
				}
				return nil
			},
		})
		fake.reconnect()
		done := make(chan error, 1)
		go func() { done <- sup.Run(ctx) }()
		for range random.IntN(3) {
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
			file = anyProject()
			note(file)
			var restart []string
			for _, def := range file.Programs {
				restart = append(restart, def.Name)
			}
			_, _ = sup.Redefine(ctx, units.Redefinition{Project: file, Restart: restart, By: "reloaded"}) // it may be dead
		}
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		dead.Store(true)
		cancel()
		<-done
		fake.set(func() { fake.cut = true })
		synctest.Wait()
		for len(fake.events) > 0 {
			<-fake.events
		}
	}
	fake.set(func() { fake.cut = false })
	r := start(t, fake, saved, found().Programs...)
	r.after(time.Second)
	var all []string
	for _, def := range file.Programs {
		all = append(all, def.Name)
	}
	r.redefine(all, file.Programs...)
	r.do(units.Start) // what was added when one was killed has not been started
	r.after(time.Minute)
	for _, def := range file.Programs {
		if st := r.status(def.Name); st.State.Phase != policy.Running || st.Changed || st.Digest != def.Digest {
			t.Errorf("%s is %s by %s, want RUNNING by %s", def.Name, st.State.Phase, st.Digest, def.Digest)
		}
		if got := fake.property(def.Unit, "MemoryMax"); got != *def.Limits.MemoryMax {
			t.Errorf("MemoryMax of %s is %v, want %d", def.Name, got, *def.Limits.MemoryMax)
		}
	}
	fake.set(func() {
		for name, u := range fake.units {
			if !slices.ContainsFunc(file.Programs, func(p units.Program) bool { return p.Unit == name }) && strings.HasSuffix(name, ".service") {
				t.Errorf("%s is left, %s\n%s", name, u.facts.ActiveState, logged.String())
			}
		}
	})
	r.stop()
}
