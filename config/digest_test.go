package config

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Of two definitions that differ in what a running program cannot take over, the digests
// differ, and only of those.
func TestDigest(t *testing.T) {
	digest := func(text string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "msup.conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Programs[0].Digest
	}
	base := "program web\ncommand = /bin/sleep 10\ndirectory = /\n"
	tests := []struct {
		name, text string
		same       bool
	}{
		{"a comment", "# about\n" + base, true},
		{"another order", "program web\ndirectory=/\ncommand = /bin/sleep 10\n", true},
		{"the policy", base + "autorestart = never\nmax_restarts = 1\n", true},
		{"autostart in defaults", "[defaults]\nautostart = no\n" + base, true},
		{"what is kept of its log", base + "log_backups = 3\n", true},
		{"the command", "program web\ncommand = /bin/sleep 11\ndirectory = /\n", false},
		{"the environment", base + "environment = A=1\n", false},
		{"the environment in defaults", "[defaults]\nenvironment = A=1\n" + base, false},
		{"a limit", base + "memory_limit = 64M\n", true},
		{"the budget of the journal that journald keeps", base + "journal_rate = 5\n", false},
		{"a setting of systemd's", base + "systemd.ProtectHome = yes\n", false},
		{"one of them in defaults", "[defaults]\nsystemd.ProtectHome = yes\n" + base, false},
		{"one that systemd changes in what runs", base + "systemd.MemoryLow = 16M\n", false},
		{"a sandbox", base + "sandbox = standard\n", false},
		{"a file instead of the journal", base + "stdout = /tmp/out\n", false},
	}
	for _, tt := range tests {
		if got := digest(tt.text) == digest(base); got != tt.same {
			t.Errorf("%s: same digest %v, want %v", tt.name, got, tt.same)
		}
	}
	out := base + "stdout = /tmp/a\nstderr = /tmp/b\n"
	if digest(out) != digest(base+"stdout = /tmp/c\nstderr = /tmp/d\n") {
		t.Error("another file needs a restart")
	}
	if digest(out) == digest(base+"stdout = /tmp/a\nstderr = stdout\n") {
		t.Error("one file for both instead of two needs no restart")
	}
}

// Digests stay what they are from one version to the next: otherwise an upgrade would claim
// that programs run by older definitions.
func TestDigestIsKept(t *testing.T) {
	for text, want := range map[string]string{
		"command = /bin/sleep 10\n": "b8352ffde2185646",
		"command = /bin/sh -c 'a | b'\nenvironment = A=1\nenvironment = B=2\nstdout = /tmp/a\nstderr = stdout\nuser = root\nnice = 5\nmemory_limit = 64M\n": "4ae51b8283240787",
		"command = /bin/sleep 10\nunit_type = scope\nstop_timeout = 3\n":                                                                                    "f4d40a8b91b17dc8",
	} {
		file := filepath.Join(t.TempDir(), "msup.conf")
		if err := os.WriteFile(file, []byte("program web\n"+text+"directory = /\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := cmp.Or(cfg.Programs[0].FormerDigest, cfg.Programs[0].Digest); got != want {
			t.Errorf("%s: digest %s, want %s as it has always been", text, got, want)
		}
	}
}

func TestLiveKeysExist(t *testing.T) {
	for _, name := range slices.Concat(liveKeys, liveLimits) {
		if !slices.ContainsFunc(keys, func(k Key) bool { return k.Section == programSection && k.Name == name }) {
			t.Errorf("no key %s", name)
		}
	}
}
