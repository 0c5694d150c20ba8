//go:build linux

package torture

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The stacks that systemd's journal has are counted by what has created them.
func TestGoroutines(t *testing.T) {
	const reader = "\nmsup/dbus.read()\n\t/x/conn.go:1 +0x1\ncreated by msup/dbus.Connect in goroutine 1\n\t/x/conn.go:2 +0x1\n\n"
	got := goroutinesIn("SIGQUIT: quit\nPC=0x1 m=0 sigcode=0\n\ngoroutine 0 gp=0x1 m=0 mp=0x2 [idle]:\nruntime.futex()\n\n" +
		"goroutine 1 gp=0xc0001 m=nil [chan receive, 3 minutes]:\nmain.main()\n\t/x/main.go:1 +0x1\n\n" +
		"goroutine 21 gp=0xc0002 m=nil [IO wait]:" + reader + "goroutine 25 [IO wait]:" + reader)
	if want := map[string]int{"nobody": 1, "msup/dbus.Connect": 2}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// It is what this Go's runtime prints.
func TestGoroutinesOfARuntime(t *testing.T) {
	if os.Getenv("TORTURE_DIE") != "" {
		for range 5 {
			go func() { select {} }()
		}
		panic("for the dump") // what the runtime prints then is the subject
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestGoroutinesOfARuntime$")
	cmd.Env = append(os.Environ(), "TORTURE_DIE=1", "GOTRACEBACK=system")
	out, err := cmd.CombinedOutput()
	all := goroutinesIn(string(out))
	if got := fmt.Sprint(all); err == nil || !strings.Contains(got, "torture.TestGoroutinesOfARuntime:5") {
		t.Errorf("%v: %s\n%s", err, got, out)
	}
}
