package main

import (
	"os"
	"path/filepath"
	"testing"

	"msup/doctor"

	"github.com/google/go-cmp/cmp"
)

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The main file of /etc stands before that of /usr; a drop-in comes after it, in the order of
// names, and hides one of its name in a folder that counts less (journald.conf(5)).
func TestReadJournald(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  doctor.Journal
	}{
		{"nothing", nil, doctor.Journal{Interval: "30s", Burst: "10000", Storage: "auto"}},
		{"comments", map[string]string{"etc/systemd/journald.conf": "[Journal]\n#Storage=none\n;RateLimitBurst=1\nRateLimitBurst=\n"}, doctor.Journal{Interval: "30s", Burst: "10000", Storage: "auto"}},
		{"etc wins", map[string]string{
			"usr/lib/systemd/journald.conf": "[Journal]\nRateLimitBurst=5\nStorage=none\n", "etc/systemd/journald.conf": "[Journal]\n  RateLimitBurst = 7\n",
		}, doctor.Journal{Interval: "30s", Burst: "7", Storage: "auto"}},
		{"drop-ins", map[string]string{
			"etc/systemd/journald.conf":                 "[Journal]\nRateLimitBurst=7\nStorage=volatile\n",
			"usr/lib/systemd/journald.conf.d/50-a.conf": "[Journal]\nRateLimitBurst=1\nRateLimitIntervalSec=0\n",
			"etc/systemd/journald.conf.d/50-a.conf":     "[Journal]\nRateLimitBurst=2\n",
			"run/systemd/journald.conf.d/60-b.conf":     "[Journal]\nStorage=persistent\n",
		}, doctor.Journal{Interval: "30s", Burst: "2", Storage: "persistent"}},
	} {
		dir := t.TempDir()
		writeFiles(t, dir, tt.files)
		got := doctor.Journal{Interval: "30s", Burst: "10000", Storage: "auto"}
		if err := readJournald(dir, &got); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tt.name, diff)
		}
	}
}

func TestMemoryAndSwap(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"meminfo": "MemTotal:       1024 kB\nMemFree:  1 kB\nSwapTotal:      8 kB\nHugePages_Total:       0\n", "noswap": "MemTotal: 2 kB\nSwapTotal: 0 kB\n", "odd": "?\n"})
	for name, want := range map[string]struct {
		memory uint64
		swap   *bool
	}{"meminfo": {1 << 20, new(true)}, "noswap": {2048, new(false)}, "odd": {0, nil}, "none": {0, nil}} {
		memory, swap := memoryAndSwap(filepath.Join(dir, name))
		if memory != want.memory || !cmp.Equal(swap, want.swap) {
			t.Errorf("%s: %d, %v", name, memory, swap)
		}
	}
}

func TestSwapLimits(t *testing.T) {
	dir := t.TempDir()
	if got := swapLimits(dir); got != nil {
		t.Errorf("nobody has the controller: %v", *got)
	}
	writeFiles(t, dir, map[string]string{"system.slice/memory.max": "max\n"})
	if got := swapLimits(dir); got == nil || *got {
		t.Error("swap is not counted")
	}
	writeFiles(t, dir, map[string]string{"system.slice/memory.swap.max": "max\n"})
	if got := swapLimits(dir); got == nil || !*got {
		t.Error("swap is counted")
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if d := folder(dir); d.Err != nil || d.Missing || d.Free == nil || *d.Free == 0 {
		t.Errorf("%+v", d)
	}
	if d := folder(filepath.Join(dir, "a", "b")); d.Err != nil || !d.Missing || d.Free == nil {
		t.Errorf("%+v", d)
	}
	writeFiles(t, dir, map[string]string{"file": ""})
	if d := folder(filepath.Join(dir, "file", "b")); d.Err == nil {
		t.Errorf("%+v", d)
	}
}
