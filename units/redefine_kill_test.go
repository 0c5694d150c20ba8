package units_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"msup/policy"
	"msup/units"
)

// Definitions change again and again, and supervisors are killed on the way: before what they
// have decided is written down, or behind that and before it is done. In the end what runs is
// what the last definitions want, one copy each, with their limits.
func TestRedefinedAndKilledAtAnyMoment(t *testing.T) {
	withSeeds(t, 8, redefineAndKill)
}

func redefineAndKill(t *testing.T, seed uint64) {
	l := newLives(t, seed)
	fake, random := l.fake, l.random
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
			if def, ok := known[name]; ok && file.Program(name) == nil && l.saved != nil {
				if old, ok := l.saved.Programs[name]; ok && (old.State.Phase.Up() || old.State.Phase == policy.Backoff) {
					def.Removed, def.Autostart = true, false
					project.Programs = append(slices.Clip(project.Programs), def)
				}
			}
		}
		note(project)
		return project
	}
	for range 40 {
		l.live(found(), 1+random.IntN(14), func(ctx context.Context, sup *units.Supervisor) {
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
		})
	}
	fake.set(func() { fake.cut = false })
	r := start(t, fake, l.saved, found().Programs...)
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
				t.Errorf("%s is left, %s\n%s", name, u.facts.ActiveState, l.log.String())
			}
		}
	})
	r.stop()
}
