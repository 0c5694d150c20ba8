package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// fakeGroups is a tree of control groups with what the kernel would count in it.
type fakeGroups struct {
	t   *testing.T
	dir string
}

func (f fakeGroups) set(group string, ooms, kills int, local bool) {
	f.t.Helper()
	dir := filepath.Join(f.dir, group)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
	name := "memory.events"
	if local {
		name = "memory.events.local"
	}
	text := fmt.Sprintf("low 0\nhigh 0\nmax 9\noom %d\noom_kill %d\n", ooms, kills)
	for name, text := range map[string]string{name: text, "memory.max": "1048576\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			f.t.Fatal(err)
		}
	}
}

func TestBlame(t *testing.T) {
	const slice, group, a, b = "msup.slice/msup-shop.slice", "msup.slice/msup-shop.slice/msup-shop-g.slice",
		"msup.slice/msup-shop.slice/msup-shop-g.slice/a.service", "msup.slice/msup-shop.slice/msup-shop-g.slice/b.service"
	own := units.Blame{NotSlice: true} // or there was no kill
	machine := units.Blame{NotOwn: true, NotSlice: true}
	of := func(slice string) units.Blame {
		return units.Blame{Slice: slice, Limit: new(uint64(1 << 20)), NotOwn: true}
	}
	for _, tt := range []struct {
		name  string
		happs func(f fakeGroups, later func(time.Duration))
		a, b  units.Blame
	}{
		{"its own limit", func(f fakeGroups, _ func(time.Duration)) { f.set(a, 4, 3, false) }, own, own},
		{"the group's", func(f fakeGroups, _ func(time.Duration)) { f.set(group, 3, 0, true); f.set(a, 1, 3, false) }, of("msup-shop-g.slice"), own},
		{"the project's", func(f fakeGroups, _ func(time.Duration)) { f.set(slice, 3, 0, true); f.set(a, 1, 3, false) }, of("msup-shop.slice"), own},
		{"nobody's here", func(f fakeGroups, _ func(time.Duration)) { f.set(a, 1, 3, false) }, machine, own},
		{"the group's, and the unit is gone", func(f fakeGroups, _ func(time.Duration)) {
			f.set(group, 3, 0, true)
			os.RemoveAll(filepath.Join(f.dir, a))
		}, of("msup-shop-g.slice"), own},
		{"gone for another reason, long after", func(f fakeGroups, later func(time.Duration)) {
			f.set(group, 3, 0, true)
			f.set(b, 1, 3, false)
			later(time.Minute)
			os.RemoveAll(filepath.Join(f.dir, a))
		}, own, of("msup-shop-g.slice")},
		{"one kill is explained once", func(f fakeGroups, _ func(time.Duration)) {
			f.set(group, 3, 0, true)
			f.set(b, 1, 3, false)
			f.set(a, 4, 3, false)
		}, own, of("msup-shop-g.slice")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fakeGroups{t, t.TempDir()}
			// What was before does not count.
			for _, dir := range []string{"msup.slice", slice, group} {
				f.set(dir, 2, 0, true)
			}
			f.set(a, 1, 2, false)
			f.set(b, 1, 2, false)
			now := time.Unix(1000, 0)
			bl := blamerAt(f.dir)
			bl.now = func() time.Time { return now }
			bl.begin("a.service", "/"+a)
			bl.begin("b.service", "/"+b)
			tt.happs(f, func(d time.Duration) {
				bl.told([]string{filepath.Join(f.dir, group), filepath.Join(f.dir, b)})
				now = now.Add(d)
			})
			if none := bl.of("c.service"); none != (units.Blame{}) {
				t.Errorf("one that nobody has seen: %+v", none)
			}
			bl.told([]string{filepath.Join(f.dir, a), filepath.Join(f.dir, b), filepath.Join(f.dir, group), filepath.Join(f.dir, slice)})
			if diff := cmp.Diff([]units.Blame{tt.a, tt.b}, []units.Blame{bl.of("a.service"), bl.of("b.service")}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
