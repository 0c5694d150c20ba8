package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestLocalEvents(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"memory.events":       "low 0\nhigh 0\nmax 31\noom 3\noom_kill 2\noom_group_kill 0\n",
		"memory.events.local": "low 0\nhigh 0\nmax 5\noom 1\noom_kill 0\noom_group_kill 0\n",
		"memory.max":          "max\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Events(dir)
	if err != nil || *all.OOM != 3 || *all.OOMKill != 2 {
		t.Errorf("Events: %+v, %v", all, err)
	}
	own, err := LocalEvents(dir)
	if err != nil || *own.OOM != 1 || *own.OOMKill != 0 {
		t.Errorf("LocalEvents: %+v, %v", own, err)
	}
	if n, err := MemoryMax(dir); n != Infinity || err != nil {
		t.Errorf("MemoryMax: %d, %v", n, err)
	}
	if _, err := LocalEvents(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
	if _, err := MemoryMax(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}
