package msup_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// imports says which packages of msup, and which of the restricted libraries, each package
// may import. DESIGN.md, "Packages", has the reasons. A package that is missing here must
// be entered.
var imports = map[string][]string{
	"policy":                     {},
	"netstat":                    {},
	"probe":                      {"netstat", "golang.org/x/sys"},
	"property":                   {"golang.org/x/sys"},
	"cgroup":                     {"golang.org/x/sys"},
	"capture":                    {"golang.org/x/sys"},
	"logview":                    {"golang.org/x/sys"},
	"units":                      {"policy", "probe", "property", "golang.org/x/sys", "github.com/hashicorp/go-envparse"},
	"config":                     {"units", "policy", "probe", "property", "gopkg.in/ini.v1", "golang.org/x/sys", "github.com/kballard/go-shellquote"},
	"convert":                    {"config", "property", "units", "golang.org/x/sys", "mvdan.cc/sh/v3", "github.com/tailscale/hujson", "go.yaml.in/yaml/v4"},
	"dbus":                       {"units", "github.com/godbus/dbus", "golang.org/x/sync", "golang.org/x/sys"},
	"control":                    {"units", "policy", "cgroup", "golang.org/x/sys"},
	"doctor":                     {"units", "cgroup"},
	"explain":                    {"units", "policy", "cgroup", "golang.org/x/sys"},
	"cmd/msup":                   {"*"},
	"integration":                {"*"},
	"integration/bench":          {"*"},
	"dbus/dbustest":              {"github.com/godbus/dbus"},
	"integration/bench/spout":    {},
	"integration/bench/beacon":   {"golang.org/x/sys"},
	"integration/greeter":        {},
	"integration/boot":           {"integration/sandbox", "golang.org/x/sys"},
	"integration/sandbox":        {"golang.org/x/sys"},
	"integration/torture":        {"config", "control", "policy"},
	"integration/torture/victim": {"github.com/coreos/go-systemd"},
}

// Only these packages may import these libraries, whatever else "*" allows.
var reserved = map[string][]string{
	"github.com/godbus/dbus": {"dbus", "dbus/dbustest", "integration/bench"},
	"gopkg.in/ini.v1":        {"config"},
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("cannot list packages: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	seen := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "msup"), "/")
		if name == "" {
			continue // this test
		}
		seen++
		allowed, ok := imports[name]
		if !ok {
			t.Errorf("package %s is not in the table of imports", name)
			continue
		}
		for _, imp := range p.Imports {
			check(t, name, strings.TrimPrefix(imp, "msup/"), imp, allowed)
		}
	}
	if seen < 8 {
		t.Errorf("only %d packages seen", seen)
	}
}

func check(t *testing.T, name, short, path string, allowed []string) {
	t.Helper()
	first, _, _ := strings.Cut(path, "/")
	if !strings.Contains(first, ".") && first != "msup" {
		return // the standard library
	}
	for lib, users := range reserved {
		if strings.HasPrefix(path, lib) && !slices.Contains(users, name) {
			t.Errorf("%s imports %s, which only %v may", name, path, users)
		}
	}
	if slices.Contains(allowed, "*") {
		return
	}
	if !slices.ContainsFunc(allowed, func(a string) bool { return short == a || strings.HasPrefix(path, a+"/") || path == a }) {
		t.Errorf("%s must not import %s", name, path)
	}
}
