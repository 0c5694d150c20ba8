package dbus

import (
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"msup/units"
)

func TestLabels(t *testing.T) {
	for name, label := range map[string]string{
		"msup-web.service":           "msup_2dweb_2eservice",
		"msup-web@1.service":         "msup_2dweb_401_2eservice",
		`msup-a\x2db.slice`:          "msup_2da_5cx2db_2eslice",
		"1.service":                  "_31_2eservice",
		"a1.service":                 "a1_2eservice",
		"under_score.service":        "under_5fscore_2eservice",
		"dev-disk-by\\x2duuid.mount": "dev_2ddisk_2dby_5cx2duuid_2emount",
	} {
		if got := escapeLabel(name); got != label {
			t.Errorf("escape %q: %q, want %q", name, got, label)
		}
		if got, ok := unitName(unitPath(name)); got != name || !ok {
			t.Errorf("round trip of %q: %q", name, got)
		}
	}
	for path, want := range map[godbus.ObjectPath]string{
		unitRoot + "a_2":   "a_2",
		unitRoot + "a_zz":  "a_zz",
		unitRoot + "a_2Db": "a-b",
		unitRoot + "a_":    "a_",
		unitRoot + "_":     "",
	} {
		if got, ok := unitName(path); got != want || !ok {
			t.Errorf("unescape %s: %q %v", path, got, ok)
		}
	}
	for _, path := range []godbus.ObjectPath{"/", unitRoot, managerPath, "/org/freedesktop/systemd1/job/1"} {
		if got, ok := unitName(path); ok {
			t.Errorf("%s is the unit %q", path, got)
		}
	}
}

func FuzzLabels(f *testing.F) {
	f.Add("msup-web@1.service")
	f.Fuzz(func(t *testing.T, name string) {
		if !unitPath(name).IsValid() {
			t.Errorf("path of %q: %q", name, unitPath(name))
		}
		if got, _ := unitName(unitPath(name)); got != name {
			t.Errorf("round trip of %q: %q", name, got)
		}
	})
}

// The types systemd takes; a wrong one is System.Error.ENXIO.
func TestPropertySignatures(t *testing.T) {
	type set struct{ Codes, Signals []int32 }
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"s", "s"},
		{true, "b"},
		{uint64(1), "t"},
		{uint32(1), "u"},
		{int32(1), "i"},
		{[]string{"a"}, "as"},
		{[]string(nil), "as"},
		{[]uint32{1}, "au"},
		{[]byte{1}, "ay"},
		{[]units.ExecCommand{{Path: "/x", Argv: []string{"x"}}}, "a(sasb)"},
		{[]units.ExecCommandEx{{Path: "/x"}}, "a(sasas)"},
		{[]units.EnvironmentFile{{Path: "/x"}}, "a(sb)"},
		{set{}, "(aiai)"},
	} {
		p, err := makeProperty(units.Property{Name: "P", Value: tt.value})
		if err != nil || p.Value.Signature().String() != tt.want {
			t.Errorf("%#v: %s, want %s; %v", tt.value, p.Value.Signature(), tt.want, err)
		}
	}
	list, err := properties([]units.Property{{Name: "P", Value: "x"}})
	if got := godbus.SignatureOf("unit", "fail", list, []auxUnit{}).String(); got != "ssa(sv)a(sa(sv))" || err != nil {
		t.Errorf("StartTransientUnit: %s %v", got, err)
	}
}

var odd = []any{
	"", "text", true, byte(1), int16(1), uint16(1), int32(-1), uint32(1), int64(-1), uint64(1) << 63, 1.5,
	godbus.ObjectPath("/x"),
	[]byte{},
	[]byte{1, 2},
	[]string{},
	[]any{},
	[]any{"x", "y"},
	[]any{uint32(7)},
	[][]any{},
	map[string]godbus.Variant{},
	godbus.MakeVariant("x"), nil,
}

func TestFactsOfOddTypes(t *testing.T) {
	for _, name := range []string{
		"LoadState", "ActiveState", "SubState", "Result", "InvocationID", "Job", "MainPID", "StatusText", "ExecMainCode", "ExecMainStatus",
		"ActiveEnterTimestamp", "LastTriggerUSec", "LastTriggerUSecMonotonic", "NextElapseUSecRealtime", "NextElapseUSecMonotonic", "ControlGroup", "Slice", "FragmentPath", "Transient", "Unknown",
	} {
		for _, v := range odd {
			var f units.Facts
			setFact(&f, name, v)
		}
	}
	var f units.Facts
	setFact(&f, "ActiveState", uint32(1))
	setFact(&f, "MainPID", "1")
	setFact(&f, "ActiveEnterTimestamp", ^uint64(0))
	setFact(&f, "Job", []any{"x"})
	if !cmp.Equal(f, units.Facts{}) {
		t.Errorf("facts of odd types: %+v", f)
	}
}

func newDecoder() (*decoder, *[]units.BusEvent) {
	var events []units.BusEvent
	d := &decoder{
		prefix: "msup", runtime: map[godbus.ObjectPath]units.Facts{}, lost: func() {},
		emit: func(ev units.BusEvent) { events = append(events, ev) },
	}
	return d, &events
}

func (d *decoder) deliver(path godbus.ObjectPath, name string, body ...any) {
	d.DeliverSignal("", "", &godbus.Signal{Path: path, Name: name, Body: body})
}

func (d *decoder) deliverChange(unit, iface string, props map[string]any) {
	m := map[string]godbus.Variant{}
	for k, v := range props {
		m[k] = godbus.MakeVariant(v)
	}
	d.deliver(unitPath(unit), changedSignal, iface, m, []string{})
}

func TestSignalsOfOddTypesDoNoHarm(t *testing.T) {
	d, _ := newDecoder()
	d.connected()
	for _, name := range []string{changedSignal, managerIface + ".UnitRemoved", managerIface + ".JobRemoved", managerIface + ".Reloading", driverIface + ".NameOwnerChanged", "x.y"} {
		for _, path := range []godbus.ObjectPath{managerPath, unitPath("msup-a.service"), "/", ""} {
			d.deliver(path, name)
			for _, a := range odd {
				d.deliver(path, name, a)
				for _, b := range odd {
					d.deliver(path, name, a, b)
					d.deliver(path, name, a, b, a, b)
				}
			}
		}
	}
}

func TestServiceAndUnitPartsMakeOneEvent(t *testing.T) {
	d, events := newDecoder()
	d.connected()
	a, b := "msup-a.service", "msup-b.scope"
	d.deliverChange(a, serviceIface, map[string]any{"Result": "oom-kill", "ExecMainCode": int32(2), "ExecMainStatus": int32(9), "MainPID": uint32(0), "StatusText": "bye"})
	d.deliverChange(b, scopeIface, map[string]any{"Result": "timeout"})
	d.deliverChange("other.service", unitIface, map[string]any{"ActiveState": "active"})
	d.deliverChange(a, "org.freedesktop.systemd1.Odd", map[string]any{"Result": "no"})
	d.deliverChange(b, unitIface, map[string]any{"ActiveState": "failed", "Job": struct {
		ID   uint32
		Path godbus.ObjectPath
	}{0, "/"}})
	d.deliverChange(a, unitIface, map[string]any{"ActiveState": "failed", "SubState": "failed", "InvocationID": []byte{0xab, 0xcd}, "ActiveEnterTimestamp": uint64(1_000_000)})
	// A second Unit signal alone must not carry the old Service part.
	d.deliverChange("msup.slice", unitIface, map[string]any{"ActiveState": "active"})
	want := []units.BusEvent{
		units.Connected{},
		units.UnitChanged{Facts: units.Facts{Unit: b, ActiveState: "failed", Result: "timeout"}},
		units.UnitChanged{Facts: units.Facts{
			Unit: a, ActiveState: "failed", SubState: "failed", Result: "oom-kill", InvocationID: "abcd",
			StatusText: "bye", ExecMainCode: 2, ExecMainStatus: 9, ActiveEnter: time.Unix(1, 0),
		}},
		units.UnitChanged{Facts: units.Facts{Unit: "msup.slice", ActiveState: "active"}},
	}
	if diff := cmp.Diff(want, *events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(d.runtime) != 0 {
		t.Errorf("left over: %v", d.runtime)
	}
}

// Of a timer's two next times the earlier one counts: that of a calendar event, or that of the
// monotonic clock.
func TestTimes(t *testing.T) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	in := func(d time.Duration) uint64 { return uint64((time.Duration(now.Nano()) + d).Microseconds()) }
	calendar := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		realtime, monotonic uint64
		want                time.Duration // 0 = none
	}{
		"a calendar event":     {uint64(calendar.UnixMicro()), 0, time.Hour},
		"the monotonic clock":  {0, in(time.Minute), time.Minute},
		"both":                 {uint64(calendar.UnixMicro()), in(2 * time.Hour), time.Hour},
		"both, the other way":  {uint64(calendar.UnixMicro()), in(time.Minute), time.Minute},
		"none":                 {0, 0, 0},
		"infinity stands none": {^uint64(0), ^uint64(0), 0},
	} {
		d, events := newDecoder()
		d.connected()
		d.deliverChange("msup-a:due.timer", timerIface, map[string]any{
			"NextElapseUSecRealtime": tt.realtime, "NextElapseUSecMonotonic": tt.monotonic,
			"LastTriggerUSec": uint64(5_000_000), "LastTriggerUSecMonotonic": uint64(7), "Result": "success",
		})
		d.deliverChange("msup-a:due.timer", unitIface, map[string]any{"ActiveState": "active", "SubState": "waiting"})
		f := (*events)[1].(units.UnitChanged).Facts
		if f.Elapsed != 7 || !f.ElapsedAt.Equal(time.Unix(5, 0)) || f.ActiveState != "active" {
			t.Errorf("%s: %+v", name, f)
		}
		if got := time.Until(f.NextElapse); f.NextElapse.IsZero() != (tt.want == 0) || tt.want != 0 && (got-tt.want).Abs() > 10*time.Second {
			t.Errorf("%s: next in %s, want %s", name, got, tt.want)
		}
	}
}

// What a new connection says before it is announced is not told, but the first part of a
// snapshot whose second part comes after is remembered.
func TestSignalsBeforeConnected(t *testing.T) {
	d, events := newDecoder()
	d.deliver(managerPath, managerIface+".UnitRemoved", "msup-a.service", godbus.ObjectPath("/"))
	d.deliverChange("msup-a.service", serviceIface, map[string]any{"Result": "signal"})
	d.connected()
	d.deliverChange("msup-a.service", unitIface, map[string]any{"ActiveState": "failed"})
	d.mute()
	d.deliver(managerPath, managerIface+".UnitRemoved", "msup-a.service", godbus.ObjectPath("/"))
	want := []units.BusEvent{units.Connected{}, units.UnitChanged{Facts: units.Facts{Unit: "msup-a.service", ActiveState: "failed", Result: "signal"}}}
	if diff := cmp.Diff(want, *events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOwnerOfTheBusName(t *testing.T) {
	d, _ := newDecoder()
	lost := 0
	d.lost = func() { lost++ }
	for _, tt := range []struct {
		name, old, new string
		want           int
	}{
		{busName, "", ":1.1", 0},
		{"org.example", ":1.1", "", 0},
		{busName, ":1.1", "", 1},
		{busName, ":1.1", ":1.2", 1},
	} {
		lost = 0
		d.deliver(driverPath, driverIface+".NameOwnerChanged", tt.name, tt.old, tt.new)
		if lost != tt.want {
			t.Errorf("%q -> %q: lost %d times", tt.old, tt.new, lost)
		}
	}
}

func TestListedUnits(t *testing.T) {
	for _, v := range odd {
		listedUnits([]any{v})
		listedUnits([]any{[][]any{{v}, {v, v, v}}})
	}
	listedUnits(nil)
	got := listedUnits([]any{[][]any{{"a.service", "", "loaded"}, {"b.service", "", "not-found"}, {"c.service", "", "bad-setting"}}})
	if !cmp.Equal(got, []string{"a.service", "c.service"}) {
		t.Errorf("%q", got)
	}
}

func TestMajorVersion(t *testing.T) {
	for s, want := range map[string]int{"252.39-1~deb12u2": 252, "v257": 257, "254": 254, "255~rc1": 255, "": 0, "unknown": 0, "99999999999": 999999} {
		if got := majorVersion(s); got != want {
			t.Errorf("%q: %d", s, got)
		}
	}
}
