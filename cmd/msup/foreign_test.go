package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that can be none of msup's is refused as a whole, and not line by line.
func TestForeignIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"package.json": "{\n  \"name\": \"web\"\n}\n", "values.yaml": "a: 1\n"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadFile(path); err == nil || !strings.HasSuffix(err.Error(), "this is no configuration that msup knows") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := loadFile(filepath.Join(dir, "missing.json")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing one: %v", err)
	}
}
