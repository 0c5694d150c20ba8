package dbus

import (
	"bytes"
	"encoding/binary"
	"testing"

	godbus "github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"msup/units"
)

type jobProperty struct {
	ID   uint32
	Path godbus.ObjectPath
}

// properties of all shapes that systemd's change signals have, and more.
var changes = []map[string]any{
	{},
	{"Result": "oom-kill", "ExecMainCode": int32(2), "ExecMainStatus": int32(-9), "MainPID": uint32(77), "StatusText": "serves", "ControlGroup": "/msup.slice/x"},
	{"ActiveState": "failed", "SubState": "failed", "InvocationID": []byte{0xab, 0xcd}, "ActiveEnterTimestamp": uint64(1_000_000), "Job": jobProperty{7, "/j"}},
	{"LastTriggerUSec": uint64(5_000_000), "LastTriggerUSecMonotonic": uint64(7), "NextElapseUSecRealtime": uint64(9_000_000), "NextElapseUSecMonotonic": uint64(0)},
	{"InvocationID": []byte{}, "Transient": true, "Slice": "msup.slice", "FragmentPath": "", "LoadState": "loaded"},
	{"A": byte(1), "B": int16(1), "C": uint64(3), "D": 1.5, "E": []string{"a", "bc"}, "F": []uint64{1}, "G": []uint64{}, "ActiveState": "active"},
	{"A": [][]any{}, "B": map[string]string{"x": "y"}, "C": []jobProperty{{1, "/a"}, {2, "/b"}}, "D": godbus.MakeVariant([]string{"x"}), "SubState": "dead"},
	{"A": godbus.SignatureOf("x"), "B": []jobProperty{}, "C": []byte("abc"), "D": godbus.MakeVariant(godbus.MakeVariant(byte(1))), "MainPID": uint32(1)},
	{"ActiveState": uint32(1), "MainPID": "1", "Job": []string{"x"}, "InvocationID": "x", "ExecMainCode": uint64(1)},
}

// The short way and godbus give the same facts.
func TestChangedFacts(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, props := range changes {
			m := map[string]godbus.Variant{}
			for k, v := range props {
				m[k] = godbus.MakeVariant(v)
			}
			b := encode(t, signal(string(unitPath("msup-a.service")), "PropertiesChanged", unitIface, m, []string{"After"}), order)
			h, err := parseFixed(b)
			if err != nil {
				t.Fatal(err)
			}
			iface, got, ok := changedFacts(h, b)
			if iface != unitIface || !ok {
				t.Errorf("%v: %q %v", props, iface, ok)
			}
			if diff := cmp.Diff(slowly(t, b), got); diff != "" {
				t.Errorf("%v (-godbus +got):\n%s", props, diff)
			}
		}
	}
}

// slowly reads the facts of a change signal with godbus.
func slowly(t testing.TB, b []byte) units.Facts {
	msg, err := godbus.DecodeMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var f units.Facts
	if len(msg.Body) > 1 {
		props, _ := msg.Body[1].(map[string]godbus.Variant)
		setFacts(&f, props)
	}
	return f
}

func TestChangedFactsOfOtherBodies(t *testing.T) {
	for _, body := range [][]any{{}, {"x"}, {uint32(1), uint32(2)}, {unitIface, map[string]string{"a": "b"}, []string{}}, {unitIface, map[string]godbus.Variant{}}} {
		b := encode(t, signal("/x", "PropertiesChanged", body...), binary.LittleEndian)
		h, err := parseFixed(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := changedFacts(h, b); ok {
			t.Errorf("%v: taken for a change signal", body)
		}
	}
}

func FuzzChangedFacts(f *testing.F) {
	for _, props := range changes {
		m := map[string]godbus.Variant{}
		for k, v := range props {
			m[k] = godbus.MakeVariant(v)
		}
		f.Add(encode(f, signal("/x", "PropertiesChanged", unitIface, m, []string{"After"}), binary.LittleEndian))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 16 {
			return
		}
		if h, err := parseFixed(b); err == nil && h.size == len(b) {
			changedFacts(h, b) // must not panic
		}
	})
}

func BenchmarkChangedFacts(b *testing.B) {
	m := map[string]godbus.Variant{}
	for k, v := range changes[2] {
		m[k] = godbus.MakeVariant(v)
	}
	for _, k := range []string{"ConditionTimestamp", "AssertTimestamp", "StateChangeTimestamp", "InactiveExitTimestamp", "ActiveExitTimestamp"} {
		m[k], m[k+"Monotonic"] = godbus.MakeVariant(uint64(1)), godbus.MakeVariant(uint64(1))
	}
	msg := encode(b, signal("/x", "PropertiesChanged", unitIface, m, []string{}), binary.LittleEndian)
	h, _ := parseFixed(msg)
	b.Run("short", func(b *testing.B) {
		for b.Loop() {
			changedFacts(h, msg)
		}
	})
	b.Run("godbus", func(b *testing.B) {
		for b.Loop() {
			slowly(b, msg)
		}
	})
}
