//go:build linux

package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/integration/sandbox"
)

// When the machine goes down, systemd stops the programs, each within its stop_timeout, and the
// supervisor after them: it takes their last words and knows how each ended.
func TestShutdown(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		t.Skip("inside a sandbox")
	}
	if missing := sandbox.Missing(sandbox.Namespaces); len(missing) > 0 {
		if os.Getenv("MSUP_REQUIRE") == "1" {
			t.Fatal(strings.Join(missing, " "))
		}
		t.Skip(strings.Join(missing, " "))
	}
	share := t.TempDir()
	fill(t, share)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(share, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("msup.conf", `
[defaults]
directory = `+share+`
stdout = `+share+`/out.log
autorestart = always
restart_delay = 0
program quick
command = /bin/sh -c 'trap "echo quick says goodbye; exit 0" TERM; while :; do sleep 0.1; done'
program slow
command = /bin/sh -c 'trap "sleep 2; echo slow says goodbye; exit 3" TERM; while :; do sleep 0.1; done'
depends_on = quick
program deaf
command = /bin/sh -c 'trap "echo deaf will not" TERM; while :; do sleep 0.1; done'
stop_timeout = 1s
`)
	write("run", `#!/bin/sh
trap "" TERM
bin/msup up -d -c msup.conf || exit 9
systemctl poweroff --no-block
# The sandbox ends with this command, and systemd would end it at once.
for i in $(seq 100); do
	test "$(grep -c -- "-> STOPPED" supervisor.log)" = 3 && exit 0
	sleep 0.1
done
`)
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, fmt.Errorf("the machine did not go down"))
	defer cancel()
	var console tail
	// How Run ends, its machine being gone, does not matter.
	code, err := sandbox.Run(ctx, sandbox.Options{Kind: sandbox.Namespaces, Share: share, Log: &console},
		[]string{"/bin/sh", "-c", "cd " + share + " && exec ./run"}, nil, os.Stderr, os.Stderr)
	if code == 9 {
		t.Fatalf("msup up failed: %v", err)
	}
	log := read(t, filepath.Join(share, "supervisor.log"))
	out := read(t, filepath.Join(share, "out.log"))
	for _, want := range []string{
		"quick STOPPING -> STOPPED: stopped with systemctl: exit status 0\n",
		"slow STOPPING -> STOPPED: stopped with systemctl: exit status 3\n",
		"deaf STOPPING -> STOPPED: stopped with systemctl: timed out, killed by SIGKILL\n",
	} {
		if strings.Count(log, want) != 1 {
			t.Errorf("not in the transition log once: %s", want)
		}
	}
	for _, want := range []string{"quick says goodbye\n", "slow says goodbye\n", "deaf will not\n"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("not in the output once: %s", want)
		}
	}
	if strings.Index(out, "slow says") > strings.Index(out, "quick says") {
		t.Error("quick was stopped before slow, which depends on it")
	}
	if strings.Contains(log, "BACKOFF") {
		t.Error("a program was restarted while the machine went down")
	}
	if t.Failed() {
		t.Logf("transition log:\n%s\noutput:\n%s\nconsole:\n%s\nRun: %d, %v", log, out, console.String(), code, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
