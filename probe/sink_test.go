package probe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"msup/probe"
)

func TestSink(t *testing.T) {
	for script, want := range map[string]string{
		"":                             "",
		"echo one; echo two >&2; echo": "two",
		"printf 'no end'":              "no end",
		"yes x | head -c 300000; echo; echo last; for i in $(seq 90); do echo; done": "last",
		"printf '\\033[1m\\r\\n'": "\uFFFD[1m",
	} {
		path := filepath.Join(t.TempDir(), "probes", "web.ready")
		for range 2 { // one that was left behind is in nobody's way
			s, err := probe.NewSink(path)
			if err != nil {
				t.Fatal(err)
			}
			out, err := os.OpenFile(s.Path(), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/bin/sh", "-c", script)
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			out.Close()
			if got := s.Close(); got != want {
				t.Errorf("%s: %q, want %q", script, got, want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("the FIFO is still there")
			}
			if err := os.WriteFile(path, []byte(strings.Repeat("x", 10)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
