//go:build linux

package integration

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"msup/integration/sandbox"
	"msup/integration/torture"
)

// notYet names the checks of the torture test that msup does not pass yet, and why. What they find is told; it fails only
// `make torture`.
var notYet = map[string]string{}

// TestTorture kills supervisors at random, and much else, and looks for what was lost: see package torture. The short run is a part of
// the tests; TORTURE_FOR=5m makes a long one, TORTURE_SEED=N the decisions of an earlier one.
func TestTorture(t *testing.T) {
	if share := os.Getenv(insideEnv); share != "" {
		tortureInside(t, share)
		return
	}
	length, build := 18*time.Second, []string{"-race"}
	if text := os.Getenv("TORTURE_FOR"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil || length < 15*time.Second {
			t.Fatalf("TORTURE_FOR=%s: want 15s or more, as 5m", text)
		}
		build = nil // the race detector takes memory of its own, and time
	}
	seed := rand.Uint64() >> 32 // short enough to be typed
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 0, 64); err != nil {
			t.Fatalf("TORTURE_SEED=%s: want a number", text)
		}
	}
	t.Logf("TORTURE_SEED=%d TORTURE_FOR=%s", seed, length)
	b := booted{
		kind: sandbox.Namespaces, parallel: 1, timeout: length + 2*time.Minute, build: build, live: true,
		env: []string{"TORTURE_SEED=" + strconv.FormatUint(seed, 10), "TORTURE_FOR=" + length.String()},
		// Victim is static: the sandbox may boot another tree.
		programs: []string{"msup/integration/torture/victim"},
	}
	if os.Getenv("TORTURE_FOR") != "" {
		b.env = append(b.env, "TORTURE_STRICT=1")
	}
	for _, c := range torture.Checks {
		b.subtests = append(b.subtests, c.Name)
	}
	inSandbox(t, b)
}

func tortureInside(t *testing.T, share string) {
	seed, _ := strconv.ParseUint(os.Getenv("TORTURE_SEED"), 10, 64)
	length, _ := time.ParseDuration(os.Getenv("TORTURE_FOR"))
	o := torture.Options{
		Seed: seed, For: length, Dir: "/tmp/torture",
		Msup: filepath.Join(share, "bin", "msup"), Victim: filepath.Join(share, "bin", "victim"),
		Log: t.Logf,
	}
	newRaces(t, place{share: share, sandbox: true})
	result, err := torture.Run(t.Context(), o)
	if result == nil {
		t.Fatal(err)
	} else if err != nil {
		t.Error(err)
	}
	for _, line := range result.Figures {
		t.Log(line)
	}
	for _, c := range torture.Checks {
		t.Run(c.Name, func(t *testing.T) { tellFindings(t, c.Name, c.About, result) })
	}
	if t.Failed() {
		t.Logf("to have it again: TORTURE_SEED=%d TORTURE_FOR=%s", seed, length)
	}
}

// tellFindings fails the check for what it has found.
func tellFindings(t *testing.T, check, about string, result *torture.Result) {
	const most = 5
	n := 0
	for _, f := range result.Findings {
		if f.Check != check {
			continue
		}
		if n++; n <= most {
			t.Logf("%s %s: %s\n\t%s", f.At.Format("15:04:05.000"), f.Program, f.Text, strings.Join(f.Around, "\n\t"))
		}
	}
	switch why, known := notYet[check]; {
	case n == 0:
	case known && os.Getenv("TORTURE_STRICT") == "":
		t.Logf("%d times not so: %s. Not yet: %s", n, about, why)
	default:
		t.Errorf("%d times not so: %s", n, about)
	}
}
