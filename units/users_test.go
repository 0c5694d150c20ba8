package units_test

import (
	"os"
	"path/filepath"
	"testing"

	"msup/units"
)

// Users and groups of another place than /etc/passwd come from getent(1).
func TestLookupOwner(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in\n'-- passwd far-away') echo far-away:x:4711:815::/home/far-away:/bin/sh ;;\n" +
		"'-- group far-group') echo far-group:x:4712: ;;\n*) exit 2 ;;\nesac\n"
	if err := os.WriteFile(filepath.Join(bin, "getent"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, tt := range []struct {
		user, group string
		uid, gid    int
		ok          bool
	}{
		{"", "", os.Geteuid(), os.Getegid(), true},
		{"root", "", 0, 0, true},
		{"0", "12", 0, 12, true},
		{"54321", "", 54321, 54321, true},
		{"", "12", os.Geteuid(), 12, true},
		{"far-away", "", 4711, 815, true},
		{"far-away", "far-group", 4711, 4712, true},
		{"nobody-here", "", 0, 0, false},
		{"root", "nogroup-here", 0, 0, false},
	} {
		uid, gid, err := units.LookupOwner(tt.user, tt.group)
		if uid != tt.uid || (gid != tt.gid && tt.ok) || (err == nil) != tt.ok {
			t.Errorf("%s:%s is %d:%d, %v", tt.user, tt.group, uid, gid, err)
		}
	}
}
