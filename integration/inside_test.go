//go:build linux

package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"msup/integration/sandbox"
)

// booted is a sandbox and what to run in it.
type booted struct {
	kind     sandbox.Kind
	scripts  string   // folder below testdata; "" = no scripts
	subtests []string // that are no scripts
	programs []string // packages to build beside msup
	live     bool     // show what the test inside says when it says it
	env      []string // variables for the test inside
	parallel int      // scripts at a time
	build    []string // flags of go build for msup
	timeout  time.Duration
}

// inSandbox runs the test it is called from again, inside a sandbox, and mirrors what happens there.
func inSandbox(t *testing.T, b booted) {
	if missing := sandbox.Missing(b.kind); len(missing) > 0 {
		why := strings.Join(missing, " ")
		if os.Getenv("MSUP_REQUIRE") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	share := t.TempDir()
	fill(t, share, b.build...)
	for _, pkg := range b.programs {
		goBuild(t, "CGO_ENABLED=0", "build", "-o", filepath.Join(share, "bin", path.Base(pkg)), pkg)
	}

	timeout := b.timeout
	if deadline, ok := t.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)-15*time.Second)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), timeout, fmt.Errorf("the sandbox did not end within %v", timeout))
	defer cancel()

	first, rest := selected()
	command := []string{
		testBinary(t, b.kind, share), "-test.v=test2json", "-test.paniconexit0",
		"-test.run=^" + t.Name() + "$" + rest,
		fmt.Sprintf("-test.parallel=%d", b.parallel),
		fmt.Sprintf("-test.timeout=%v", timeout-10*time.Second),
	}
	var console tail
	m := newMirror(t)
	m.live = b.live
	began := time.Now()
	code, err := sandbox.Run(ctx, sandbox.Options{Kind: b.kind, Share: share, Log: &console},
		command, append([]string{insideEnv + "=" + share}, b.env...), m, m)
	m.close()
	t.Logf("%d tests in %v, from boot to end", m.finished, time.Since(began).Round(10*time.Millisecond))
	switch {
	case err != nil:
		t.Errorf("%v", err)
	case code != 0 && !t.Failed():
		t.Errorf("the test inside ended with exit status %d:\n%s", code, m.own())
	}
	for _, name := range b.names(t) {
		if first.MatchString(name) && !m.seen[name] {
			t.Errorf("%s did not run inside", name)
		}
	}
	if t.Failed() {
		t.Logf("the test inside said:\n%s\nthe end of its console:\n%s", m.own(), console.String())
	}
}

// names are those of the subtests that must have run.
func (b booted) names(t *testing.T) []string {
	if b.scripts == "" {
		return b.subtests
	}
	return scriptNames(t, b.scripts)
}

// selected splits the rest off what -run selects: the pattern of a script, and what to pass on with its slash.
func selected() (*regexp.Regexp, string) {
	_, rest, found := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	if !found {
		return regexp.MustCompile(""), ""
	}
	pattern, _, _ := strings.Cut(rest, "/")
	re, err := regexp.Compile(pattern)
	if err != nil {
		re = regexp.MustCompile("")
	}
	return re, "/" + rest
}

// testBinary is the path of a test binary that runs inside: this one, where it can.
func testBinary(t *testing.T, kind sandbox.Kind, share string) string {
	t.Helper()
	if kind == sandbox.UML {
		// This one may have the race detector, which needs more address space than User-mode Linux has.
		path := filepath.Join(share, "integration.test")
		goBuild(t, "CGO_ENABLED=0", "test", "-c", "-o", path, "msup/integration")
		return path
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func goBuild(t *testing.T, env string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
}

// fill puts into the shared folder what scripts use: msup, built with flags, and the examples.
func fill(t *testing.T, share string, flags ...string) {
	t.Helper()
	env := "CGO_ENABLED=0"
	if slices.Contains(flags, "-race") {
		env = "CGO_ENABLED=1"
	}
	goBuild(t, env, append(append([]string{"build"}, flags...), "-o", filepath.Join(share, "bin", "msup"), "msup/cmd/msup")...)
	if err := os.CopyFS(filepath.Join(share, "examples"), os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	// The examples write logs, which are no examples.
	if err := os.RemoveAll(filepath.Join(share, "examples", "logs")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if over := len(w.text) - 8192; over > 0 {
		w.text = append(w.text[:0], w.text[over:]...)
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}
