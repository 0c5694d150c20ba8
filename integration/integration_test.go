//go:build linux

// Package integration tests msup as a user meets it: the real binary, typed into a shell, against a real systemd.
//
// The tests are scripts (testdata, testscript): one promise each, in its own project. They run in these places:
//
//   - TestWithoutSystemd: here, on a machine where no systemd runs. What needs none, and what msup says without one.
//   - TestNamespaces: under a systemd booted in namespaces, at native speed, with a race detector in msup.
//   - TestManager: the same, one script at a time, for what is done to systemd itself.
//   - TestUserModeLinux: under a kernel of its own, where limits bite. Slow, with one CPU.
//
// TestMachine runs the second kind on the machine's own systemd, when MSUP_HOST_SYSTEMD=1 asks for it.
//
// The test binary boots the sandbox, runs itself inside, and shows each test that ran there as its own: see mirror.
package integration

import (
	"embed"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/integration/sandbox"
)

//go:embed testdata
var testdata embed.FS

// insideEnv is set in a sandbox, to the folder that is shared with the host.
const insideEnv = "MSUP_INTEGRATION_SHARE"

func TestNamespaces(t *testing.T) {
	if share := os.Getenv(insideEnv); share != "" {
		runScripts(t, place{scripts: "namespaces", share: share, sandbox: true})
		return
	}
	t.Parallel() // with TestUserModeLinux, which has one CPU and waits a lot
	inSandbox(t, booted{
		kind: sandbox.Namespaces, scripts: "namespaces", parallel: 3, timeout: 6 * time.Minute,
		build: []string{"-race"},
	})
}

// TestManager is about what is done to systemd itself. Its scripts would disturb others, and each other: before
// version 254, a reload even changes commands with quotes and the like that are just being started.
func TestManager(t *testing.T) {
	if share := os.Getenv(insideEnv); share != "" {
		runScripts(t, place{scripts: "manager", share: share, sandbox: true})
		return
	}
	inSandbox(t, booted{
		kind: sandbox.Namespaces, scripts: "manager", parallel: 1, timeout: 2 * time.Minute,
		build: []string{"-race"},
	})
}

func TestUserModeLinux(t *testing.T) {
	if share := os.Getenv(insideEnv); share != "" {
		runScripts(t, place{scripts: "uml", share: share, sandbox: true})
		return
	}
	t.Parallel() // with TestNamespaces
	inSandbox(t, booted{kind: sandbox.UML, scripts: "uml", parallel: 1, timeout: 6 * time.Minute})
}

func TestMachine(t *testing.T) {
	switch {
	case os.Getenv(insideEnv) != "":
		t.Skip("inside a sandbox")
	case os.Getenv("MSUP_HOST_SYSTEMD") != "1":
		t.Skip("MSUP_HOST_SYSTEMD=1 is not set: it runs the scripts on this machine's systemd")
	case !exists("/run/systemd/system"):
		t.Fatal("MSUP_HOST_SYSTEMD=1 is set, and no systemd runs here")
	case os.Geteuid() != 0:
		t.Fatal("MSUP_HOST_SYSTEMD=1 is set, and the scripts need root")
	}
	share := t.TempDir()
	fill(t, share)
	runScripts(t, place{scripts: "namespaces", share: share})
}

func TestWithoutSystemd(t *testing.T) {
	switch {
	case os.Getenv(insideEnv) != "":
		t.Skip("inside a sandbox")
	case exists("/run/systemd/system"):
		t.Skip("a systemd runs here; the scripts are about a machine without one")
	}
	share := t.TempDir()
	fill(t, share)
	runScripts(t, place{scripts: "bare", share: share, bare: true})
}

// scriptNames lists the scripts of a folder below testdata.
func scriptNames(t *testing.T, folder string) []string {
	t.Helper()
	files, err := fs.Glob(testdata, path.Join("testdata", folder, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata/%s: %v", folder, err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".txtar"))
	}
	return names
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
