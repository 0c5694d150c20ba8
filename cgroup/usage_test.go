package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// unit61 is the control group of a service with MemoryMax=30M, CPUQuota=50% and TasksMax=64
// on Linux 6.1, as the kernel prints it.
var unit61 = map[string]string{
	"cgroup.controllers": "cpuset cpu io memory pids\n",
	"memory.current":     "31453184\n",
	"memory.peak":        "31457280\n",
	"memory.max":         "31457280\n",
	"memory.events":      "low 0\nhigh 7\nmax 412\noom 3\noom_kill 2\noom_group_kill 0\n",
	"cpu.stat": "usage_usec 1503214\nuser_usec 1391005\nsystem_usec 112209\ncore_sched.force_idle_usec 0\n" +
		"nr_periods 31\nnr_throttled 29\nthrottled_usec 1449102\nnr_bursts 0\nburst_usec 0\n",
	"cpu.max":      "50000 100000\n",
	"pids.current": "3\n",
	"pids.max":     "64\n",
}

func tree(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func change(base map[string]string, changes map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, base)
	for k, v := range changes {
		if v == "" {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

func TestRead(t *testing.T) {
	p := func(n uint64) *uint64 { return &n }
	full := Usage{
		Memory: Memory{
			Current: p(31453184), Peak: p(31457280), Max: p(31457280),
			Events: MemoryEvents{High: p(7), Max: p(412), OOM: p(3), OOMKill: p(2)},
		},
		CPU: CPU{
			UsageUsec: p(1503214), UserUsec: p(1391005), SystemUsec: p(112209),
			NrPeriods: p(31), NrThrottled: p(29), ThrottledUsec: p(1449102),
			QuotaUsec: p(50000), PeriodUsec: p(100000),
		},
		Pids: Pids{Current: p(3), Max: p(64)},
	}
	noPeak := full
	noPeak.Memory.Peak = nil
	noLimits := full
	noLimits.Memory.Max, noLimits.CPU.QuotaUsec, noLimits.Pids.Max = p(Infinity), p(Infinity), p(Infinity)
	tests := []struct {
		name  string
		files map[string]string
		want  Usage
	}{
		{"limited, 6.1", unit61, full},
		{"before 5.19", change(unit61, map[string]string{"memory.peak": ""}), noPeak},
		{"no limits", change(unit61, map[string]string{"memory.max": "max\n", "cpu.max": "max 100000\n", "pids.max": "max\n"}), noLimits},
		{
			"hybrid host: no controllers, 6.18",
			map[string]string{"cpu.stat": "usage_usec 210\nuser_usec 0\nsystem_usec 210\nnice_usec 0\ncore_sched.force_idle_usec 0\n"},
			Usage{CPU: CPU{UsageUsec: p(210), UserUsec: p(0), SystemUsec: p(210)}},
		},
		{"nothing", nil, Usage{}},
		{"largest number", map[string]string{"memory.current": "18446744073709551615\n"}, Usage{Memory: Memory{Current: p(math.MaxUint64)}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read(tree(t, filepath.Join(t.TempDir(), "msup-web.service"), tt.files))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %s\nwant %s", dump(got), dump(tt.want))
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ name, file, text, want string }{
		{"no number", "memory.current", "12x\n", `cannot parse %s/memory.current: bad number "12x" in "12x\n"`},
		{"empty", "memory.max", "\n", `cannot parse %s/memory.max: bad number "" in "\n"`},
		{"negative", "pids.current", "-1\n", `cannot parse %s/pids.current: bad number "-1" in "-1\n"`},
		{"too large", "pids.max", "18446744073709551616\n", `cannot parse %s/pids.max: bad number "18446744073709551616" in "18446744073709551616\n"`},
		{"key without value", "memory.events", "low 0\noom_kill\n", `cannot parse %s/memory.events: no value on line "oom_kill" in "low 0\noom_kill\n"`},
		{"bad value", "cpu.stat", "usage_usec soon\n", `cannot parse %s/cpu.stat: bad number "soon" in "usage_usec soon\n"`},
		{"no period", "cpu.max", "50000\n", `cannot parse %s/cpu.max: no period in "50000\n"`},
		{"no length", "cpu.max", "50000 0\n", `cannot parse %s/cpu.max: impossible period in "50000 0\n"`},
		{"huge", "cpu.stat", strings.Repeat("a 1\n", 1024), `cannot read %s/cpu.stat: file too large`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, t.TempDir(), change(unit61, map[string]string{tt.file: tt.text}))
			u, err := Read(dir)
			if want := fmt.Sprintf(tt.want, dir); err == nil || err.Error() != want {
				t.Errorf("error %v\nwant  %s", err, want)
			}
			if u.Memory.Peak == nil || *u.Memory.Peak != 31457280 {
				t.Error("the good files were not read")
			}
		})
	}
}

func TestReadMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "msup-gone.service")
	_, err := Read(dir)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want fs.ErrNotExist and the path", err)
	}
	if _, err = Controllers(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

// TestReadKernel reads a real control group, whatever this machine has.
func TestReadKernel(t *testing.T) {
	mount, err := Mount()
	if errors.Is(err, ErrNoMount) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	u, err := Read(mount)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(mount, dump(u))
}

func dump(u Usage) string {
	var b strings.Builder
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		for i := range v.NumField() {
			name, f := path+v.Type().Field(i).Name, v.Field(i)
			switch {
			case f.Kind() == reflect.Struct:
				walk(name+".", f)
			case !f.IsNil():
				fmt.Fprintf(&b, " %s=%d", name, f.Elem().Uint())
			}
		}
	}
	walk("", reflect.ValueOf(u))
	return b.String()
}

// FuzzParse gives every parser every text: none may panic, and what is not an error must
// not be divided by zero later.
func FuzzParse(f *testing.F) {
	for _, text := range unit61 {
		f.Add([]byte(text))
	}
	f.Add([]byte("max 100000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, file := range files {
			var u Usage
			err := file.parse(&u, text)
			if err == nil && u.CPU.QuotaUsec != nil && (u.CPU.PeriodUsec == nil || *u.CPU.PeriodUsec == 0) {
				t.Errorf("%s: quota without a period in %q", file.name, text)
			}
		}
	})
}

// BenchmarkRead500 is what one "msup status" of 500 programs reads: every unit once.
func BenchmarkRead500(b *testing.B) {
	root := b.TempDir()
	dirs := make([]string, 500)
	for i := range dirs {
		dirs[i] = tree(b, fmt.Sprintf("%s/msup.slice/msup-p%03d.service", root, i), unit61)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, dir := range dirs {
			if _, err := Read(dir); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func TestReadUseLeavesOutLimitsOnly(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"memory.current": "1\n", "memory.peak": "2\n", "memory.max": "3\n", "memory.events": "high 0\nmax 0\noom 0\noom_kill 4\n",
		"cpu.stat": "usage_usec 5\nuser_usec 5\nsystem_usec 0\nthrottled_usec 6\n", "cpu.max": "max 100000\n",
		"pids.current": "7\n", "pids.max": "max\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := Read(dir)
	if err != nil || want.Memory.Max == nil || want.CPU.QuotaUsec == nil || want.Pids.Max == nil {
		t.Fatalf("Read: %+v %v", want, err)
	}
	want.Memory.Max, want.CPU.QuotaUsec, want.CPU.PeriodUsec, want.Pids.Max = nil, nil, nil, nil
	got, err := ReadUse(dir)
	if !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("ReadUse: %+v, %v, want %+v", got, err, want)
	}
}
