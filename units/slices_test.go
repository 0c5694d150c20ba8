package units_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/units"

	"github.com/google/go-cmp/cmp"
)

const (
	mib       = uint64(1 << 20)
	shopSlice = "msup-shop.slice"
	shopFront = "msup-shop-front.slice"
	shopUnit  = "msup@shop.service"
)

// shop is a project with a limit, a group with one and a group without.
func shop(change ...func(*units.Project)) units.Project {
	in := func(group string) func(*units.Program) {
		return func(p *units.Program) {
			p.InGroup = group
			p.Unit = units.UnitName("shop", p.Name, units.Service)
		}
	}
	p := units.Project{
		Name: "shop", File: "/x/msup.conf",
		Programs: []units.Program{program("web", in("front")), program("worker", in("back")), program("alone", in(""))},
		Limits:   units.Limits{MemoryMax: new(512 * mib), SwapMax: new(uint64(0))},
		Groups: []units.Group{
			{Name: "front", Description: "what is seen", Limits: units.Limits{CPUPercent: new(uint64(50)), TasksMax: new(uint64(20))}},
			{Name: "back", Description: "msup group back of project shop"},
		},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func TestSlices(t *testing.T) {
	list := units.Slices(shop())
	var got []string
	for _, s := range list {
		got = append(got, s.Unit)
	}
	if diff := cmp.Diff([]string{shopSlice, shopFront, "msup-shop-back.slice"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want := []units.Property{
		{Name: "Description", Value: "what is seen"},
		{Name: "After", Value: []string{shopUnit}},
		{Name: "CPUAccounting", Value: true},
		{Name: "MemoryAccounting", Value: true},
		{Name: "TasksAccounting", Value: true},
		{Name: "CPUQuotaPerSecUSec", Value: uint64(500_000)},
		{Name: "TasksMax", Value: uint64(20)},
	}
	if diff := cmp.Diff(want, list[1].Properties()); diff != "" {
		t.Errorf("properties, -want +got:\n%s", diff)
	}
	want = []units.Property{
		{Name: "Description", Value: "what is seen"},
		{Name: "MemoryMax", Value: units.Infinity},
		{Name: "MemoryHigh", Value: units.Infinity},
		{Name: "MemorySwapMax", Value: units.Infinity},
		{Name: "CPUQuotaPerSecUSec", Value: uint64(500_000)},
		{Name: "CPUWeight", Value: units.Infinity},
		{Name: "IOWeight", Value: units.Infinity},
		{Name: "TasksMax", Value: uint64(20)},
	}
	if diff := cmp.Diff(want, list[1].Settings()); diff != "" {
		t.Errorf("settings, -want +got:\n%s", diff)
	}
}

// Every limit that a slice is made with can be lifted.
func TestSliceSettingsHaveEveryLimit(t *testing.T) {
	one := new(uint64(1))
	s := units.Slice{Limits: units.Limits{MemoryMax: one, MemoryHigh: one, SwapMax: one, CPUPercent: one, CPUWeight: one, IOWeight: one, TasksMax: one}}
	lifted := units.Slice{}.Settings()
	for _, p := range s.Properties() {
		_, isLimit := p.Value.(uint64)
		if isLimit && !slices.ContainsFunc(lifted, func(l units.Property) bool { return l.Name == p.Name && l.Value == units.Infinity }) {
			t.Errorf("%s is set and never lifted", p.Name)
		}
	}
}

func TestEnsureSlice(t *testing.T) {
	limited := units.Slices(shop())[1]
	free := units.Slices(shop(func(p *units.Project) { p.Limits = units.Limits{} }))[0]
	other := func(s units.Slice) *fakeUnit {
		return &fakeUnit{facts: units.Facts{Unit: s.Unit, LoadState: "loaded", ActiveState: "active"}}
	}
	made := func(s units.Slice, supervisor string) *fakeUnit {
		u := other(s)
		u.facts.Transient, u.props = true, asMap(s.Properties())
		if supervisor != "" {
			u.facts.Supervisors = []string{supervisor}
		}
		return u
	}
	for _, tt := range []struct {
		name   string
		slice  units.Slice
		before *fakeUnit
		calls  string // of systemd
		err    string
	}{
		{"it is not there", limited, nil, "start msup-shop-front.slice", ""},
		{"it has come into being", limited, other(limited), "start msup-shop-front.slice", ""},
		{"it is as it shall be", limited, made(limited, shopUnit), "", ""},
		{"without limits it comes into being", free, nil, "", ""},
		{"with the units in it", free, other(free), "", ""},
		{
			"it has another limit", limited, func() *fakeUnit {
				u := made(limited, shopUnit)
				u.props["TasksMax"] = uint64(10)
				return u
			}(), "set msup-shop-front.slice", "",
		},
		{
			"it has a limit that is no more", free, func() *fakeUnit {
				u := made(free, shopUnit)
				u.props["MemoryMax"] = mib
				return u
			}(), "set msup-shop.slice", "",
		},
		{"another project's", limited, made(limited, "msup.service"), "", "msup-shop-front.slice belongs to the default project of msup"},
		{"somebody's", limited, made(limited, ""), "", "msup-shop-front.slice exists and is not msup's: a transient slice"},
		{
			"a unit file", limited, func() *fakeUnit {
				u := other(limited)
				u.facts.FragmentPath = "/etc/x.slice"
				return u
			}(), "", "msup-shop-front.slice has a unit file, /etc/x.slice: its limits belong there",
		},
		{
			"a unit file, and no limits", units.Slice{Unit: "msup-shop-back.slice", Group: "back", Supervisor: shopUnit}, func() *fakeUnit {
				u := other(units.Slice{Unit: "msup-shop-back.slice"})
				u.facts.FragmentPath = "/etc/x.slice"
				return u
			}(), "", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake := newFake()
			var calls []string
			fake.trace = func(s string) { calls = append(calls, strings.TrimPrefix(s, "systemd: ")) }
			if tt.before != nil {
				fake.units[tt.slice.Unit] = tt.before
			}
			err := units.EnsureSlice(t.Context(), fake, tt.slice)
			if (err == nil) != (tt.err == "") || err != nil && (!errors.Is(err, units.ErrForeignSlice) || !strings.HasSuffix(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if got := strings.Join(calls, ", "); got != tt.calls {
				t.Errorf("calls %q, want %q", got, tt.calls)
			}
			if tt.err != "" || tt.calls == "" {
				return
			}
			// Whatever was, it has all limits now and nothing more is to do.
			calls = nil
			if err := units.EnsureSlice(t.Context(), fake, tt.slice); err != nil || len(calls) > 0 {
				t.Errorf("again: %v, %v", err, calls)
			}
			for _, p := range tt.slice.Settings() {
				if got := fake.units[tt.slice.Unit].props[p.Name]; got != p.Value && (got != nil || p.Value != units.Infinity) {
					t.Errorf("%s is %v, want %v", p.Name, got, p.Value)
				}
			}
		})
	}
}

// The slices are made before the first program is started, and are gone when all is down.
func TestSlicesComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := startProject(t, fake, nil, nil, shop())
		r.after(time.Second)
		r.wantPhases("web RUNNING, worker RUNNING, alone RUNNING")
		for unit, slice := range map[string]string{"web": shopFront, "worker": "msup-shop-back.slice", "alone": shopSlice} {
			at := slices.Index(fake.started, units.UnitName("shop", unit, units.Service))
			for _, first := range []string{slice, shopSlice} {
				if i := slices.Index(fake.started, first); i < 0 || i > at {
					t.Errorf("%s before %s: %v", unit, first, fake.started)
				}
			}
		}
		if got := fake.units["msup-shop-web.service"].facts.Slice; got != shopFront {
			t.Errorf("web is in %s", got)
		}
		r.do(units.Down)
		if err := <-r.done; !errors.Is(err, units.ErrDown) {
			t.Errorf("Run: %v", err)
		}
		if len(fake.units) > 0 {
			t.Errorf("left: %v", fake.units)
		}
	})
}

// A supervisor that takes over changes what differs, and nothing else; programs run on.
func TestSlicesTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := startProject(t, fake, nil, nil, shop())
		r.after(time.Second)
		r.stop()
		var calls []string
		fake.trace = func(s string) { calls = append(calls, s) }
		r2 := startProject(t, fake, r.saved, nil, shop())
		r2.after(time.Second)
		if len(calls) > 0 {
			t.Errorf("nothing has changed, and: %v", calls)
		}
		r2.stop()
		r3 := startProject(t, fake, r2.saved, nil, shop(func(p *units.Project) { p.Limits, p.Groups[0].Limits.TasksMax = units.Limits{}, new(uint64(5)) }))
		r3.after(time.Second)
		slices.Sort(calls)
		if diff := cmp.Diff([]string{"systemd: set " + shopFront, "systemd: set " + shopSlice}, calls); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := fake.units[shopSlice].props["MemoryMax"]; got != units.Infinity {
			t.Errorf("MemoryMax=%v", got)
		}
		r3.stop()
	})
}

// The last definition of a slice holds, although systemd is just doing what an earlier one
// wanted.
func TestSliceLimitsThereAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := startProject(t, fake, nil, nil, shop())
		r.after(time.Second)
		fake.set(func() { fake.setLate = time.Second })
		redefine := func(tasks uint64) {
			project := shop(func(p *units.Project) { p.Groups[0].Limits.TasksMax = &tasks })
			if _, err := r.sup.Redefine(t.Context(), units.Redefinition{Project: project}); err != nil {
				t.Error(err)
			}
		}
		redefine(5)
		r.after(100 * time.Millisecond)
		redefine(20)
		r.after(time.Minute)
		if got := fake.property(shopFront, "TasksMax"); got != uint64(20) {
			t.Errorf("TasksMax=%v, want 20", got)
		}
		r.stop()
	})
}

// A slice that somebody has stopped is made again before the next program comes into it.
func TestSliceVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := startProject(t, fake, nil, nil, shop())
		r.after(time.Second)
		if err := fake.Stop(t.Context(), shopFront); err != nil {
			t.Fatal(err)
		}
		r.after(time.Second)
		if got := r.phases(); !strings.HasPrefix(got, "web STOPPED") {
			t.Errorf("got %s", got)
		}
		r.do(units.Start, "web")
		r.after(time.Second)
		if u := fake.units[shopFront]; u == nil || u.props["TasksMax"] != uint64(20) {
			t.Errorf("the slice is not made again: %+v\n%s", u, r.log())
		}
		r.stop()
	})
}

// Without the slice its programs do not start: their limit would not hold. Others do, and
// the next start tries again.
func TestSliceCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.units[shopFront] = &fakeUnit{facts: units.Facts{Unit: shopFront, LoadState: "loaded", ActiveState: "active", FragmentPath: "/etc/x.slice"}}
		r := startProject(t, fake, nil, nil, shop())
		r.after(time.Minute)
		r.wantPhases("web FAILED, worker RUNNING, alone RUNNING")
		if !strings.Contains(r.log(), "web STARTING -> FAILED: cannot make msup-shop-front.slice: ") {
			t.Errorf("log:\n%s", r.log())
		}
		fake.set(func() { delete(fake.units, shopFront) })
		r.do(units.Start, "web")
		r.after(time.Second)
		if got := r.phases(); !strings.HasPrefix(got, "web RUNNING") {
			t.Errorf("got %s\n%s", got, r.log())
		}
		r.stop()
	})
}

// One that has a unit file and is not loaded looks as if its name were free.
func TestSliceWithUnloadedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.sliceErr = units.ErrUnitExists
		front := units.Slices(shop())[1]
		if err := units.EnsureSlice(t.Context(), fake, front); !errors.Is(err, units.ErrForeignSlice) || !strings.HasSuffix(err.Error(), "has a unit file: its limits belong there") {
			t.Errorf("error %v", err)
		}
		if err := units.EnsureSlice(t.Context(), fake, units.Slice{Unit: front.Unit, Group: "front"}); err != nil {
			t.Errorf("without limits: %v", err)
		}
	})
}

// One that is just coming into being has a job: it is made when that is done.
func TestSliceIsComingIntoBeing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.sliceErr = units.ErrUnitExists
		fake.implicit(shopFront)
		go func() {
			time.Sleep(time.Second)
			fake.set(func() { fake.sliceErr = nil })
		}()
		if err := units.EnsureSlice(t.Context(), fake, units.Slices(shop())[1]); err != nil || !fake.units[shopFront].facts.Transient {
			t.Errorf("error %v, %+v", err, fake.units[shopFront])
		}
	})
}

// The connection is lost while a slice is made: the programs wait for it to come back.
func TestSliceAndLostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.sliceErr = units.ErrDisconnected
		r := startProject(t, fake, nil, nil, shop())
		r.after(10 * time.Millisecond)
		fake.disconnect()
		fake.set(func() { fake.sliceErr = nil })
		r.after(time.Second)
		if got := r.phases(); !strings.HasPrefix(got, "web STARTING") {
			t.Errorf("got %s", got)
		}
		fake.reconnect()
		r.after(time.Second)
		r.wantPhases("web RUNNING, worker RUNNING, alone RUNNING")
		r.stop()
	})
}

// msup.slice is the parent of all projects': when the project without a name goes down, the
// others keep it, and not its limits. A group's slice that is another project's stays.
func TestCommonSliceOutlivesItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		project := shop(func(p *units.Project) { p.Name = units.DefaultProject })
		for i := range project.Programs {
			project.Programs[i].Unit = units.UnitName(project.Name, project.Programs[i].Name, units.Service)
		}
		fake.units[shopSlice] = &fakeUnit{facts: units.Facts{Unit: shopSlice, LoadState: "loaded", ActiveState: "active", Transient: true, Supervisors: []string{shopUnit}}}
		r := startProject(t, fake, nil, nil, project)
		r.after(time.Second)
		if got := fake.units["msup.slice"].props["MemoryMax"]; got != 512*mib {
			t.Errorf("MemoryMax=%v", got)
		}
		r.do(units.Down)
		<-r.done
		if got := fake.units["msup.slice"].props["MemoryMax"]; got != units.Infinity {
			t.Errorf("MemoryMax=%v", got)
		}
		if fake.units["msup-front.slice"] != nil || fake.units["msup-back.slice"] != nil || fake.units[shopSlice] == nil {
			t.Errorf("left: %v", fake.units)
		}
	})
}
