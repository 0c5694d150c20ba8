package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"cgroup.procs": "12\n0\n7\n", "below/cgroup.procs": "99\n", "below/deep/cgroup.procs": "", "cgroup.threads": "13\n"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Processes(dir)
	if slices.Sort(got); err != nil || !slices.Equal(got, []int{7, 12, 99}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Processes(dir + "/gone"); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}
