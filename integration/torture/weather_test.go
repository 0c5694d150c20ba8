//go:build linux

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What is on its way at one moment does not count, what stays does, and what stays although it
// should be on its way.
func TestGoroutines(t *testing.T) {
	const effect = "\nmsup/units.(*Supervisor).look.func1()\n\t/x/executor.go:1 +0x1\ncreated by msup/units.(*Supervisor).do.func2 in goroutine 7\n\t/x/executor.go:2 +0x1\n\n"
	const reader = "\nmsup/dbus.read()\n\t/x/conn.go:1 +0x1\ncreated by msup/dbus.Connect in goroutine 1\n\t/x/conn.go:2 +0x1\n\n"
	dump := "SIGQUIT: quit\nPC=0x1 m=0 sigcode=0\n\ngoroutine 0 gp=0x1 m=0 mp=0x2 [idle]:\nruntime.futex()\n\n" +
		"goroutine 1 gp=0xc0001 m=nil [chan receive, 3 minutes]:\nmain.main()\n\t/x/main.go:1 +0x1\n\n" +
		"goroutine 21 gp=0xc0002 m=nil [IO wait]:" + reader +
		"goroutine 22 [select]:" + effect + "goroutine 23 gp=0xc0003 m=nil [select]:" + effect
	young := goroutinesIn(dump)
	if n := young.lasting(); n != 2 {
		t.Errorf("%d last, want 2: %v", n, young)
	}
	old := goroutinesIn(dump + "goroutine 24 [select, 2 minutes]:" + effect + "goroutine 25 [IO wait]:" + reader)
	if n := old.lasting(); n != 4 {
		t.Errorf("%d last, want 4: %v", n, old)
	}
	want := "for minutes: msup/units.(*Supervisor).do.func2 1 instead of 0, msup/dbus.Connect 2 instead of 1"
	if got := old.more(young); got != want {
		t.Errorf("more: %s\nwant: %s", got, want)
	}
}

// It is what this Go's runtime prints.
func TestGoroutinesOfARuntime(t *testing.T) {
	if os.Getenv("TORTURE_DIE") != "" {
		for range 5 {
			go func() { select {} }()
		}
		panic("for the dump")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestGoroutinesOfARuntime$")
	cmd.Env = append(os.Environ(), "TORTURE_DIE=1", "GOTRACEBACK=system")
	out, err := cmd.CombinedOutput()
	all := goroutinesIn(string(out))
	if got := fmt.Sprint(all); err == nil || !strings.Contains(got, "torture.TestGoroutinesOfARuntime:5") {
		t.Errorf("%v: %s\n%s", err, got, out)
	}
}
