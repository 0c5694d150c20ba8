package property

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Presets are settings that msup would take from the configuration, and that every systemd has.
func TestPresets(t *testing.T) {
	for _, name := range Sandboxes {
		for _, user := range []bool{false, true} {
			settings := Sandbox(name, Place{Directory: "/srv/web", User: user})
			if (len(settings) == 0) != (name == "none") {
				t.Errorf("%s: %v", name, settings)
			}
			seen := map[string]bool{}
			for _, s := range settings {
				e := Lookup(s.Name)
				if e == nil || e.Instead != "" || e.Root != "" || e.Needs(s.Value) > Oldest || seen[s.Name] {
					t.Errorf("%s has %v", name, s)
				}
				seen[s.Name] = true
				if e != nil && user && e.InUserManager() != Works && !seen["PrivateUsers"] && !slices.Contains(settings, Setting{"PrivateUsers", "yes"}) {
					t.Errorf("%s has %v and no PrivateUsers for a user manager", name, s)
				}
			}
			if _, err := Properties(settings, Oldest); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// What standard forbids strict does not allow.
	for _, s := range Preset("standard") {
		if s.Name != "ProtectSystem" && !slices.Contains(Preset("strict"), s) {
			t.Errorf("strict is without %v", s)
		}
	}
}

// A program keeps its own directory, wherever that is.
func TestSandboxPlace(t *testing.T) {
	for _, tt := range []struct {
		dir   string
		files []string
		want  []Setting
	}{
		{"/srv/web", nil, []Setting{{"ReadWritePaths", "-/srv/web"}}},
		{"/srv", nil, nil},
		{"/", nil, nil},
		{"/srv/a b/100%", nil, []Setting{{"ReadWritePaths", `-"/srv/a b/100%"`}}},
		{"/tmp/web", []string{"/tmp/web/bin/x", "/var/tmp/y", "/usr/bin/z"}, []Setting{{"ReadWritePaths", "-/tmp/web"}, {"BindPaths", "-/tmp/web"}, {"BindPaths", "-/var/tmp/y"}}},
		{"/tmp/a:b", nil, []Setting{{"ReadWritePaths", `-"/tmp/a:b"`}, {"BindPaths", `-"/tmp/a:b"`}}},
	} {
		if got := Sandbox("standard", Place{Directory: tt.dir, Files: []string{"/tmp"}}); slices.Contains(got, Setting{"PrivateTmp", "yes"}) {
			t.Error("a program of /tmp has another /tmp")
		}
		got := Sandbox("standard", Place{Directory: tt.dir, Files: tt.files})[len(standard):]
		if diff := cmp.Diff(tt.want, got); diff != "" && len(got)+len(tt.want) > 0 {
			t.Errorf("%s (-want +got):\n%s", tt.dir, diff)
		}
		props, err := Properties(got, 252)
		if err != nil {
			t.Errorf("%s: %v", tt.dir, err)
		}
		if len(props) > 0 && props[0].Value.([]string)[0] != "-"+tt.dir {
			t.Errorf("%s comes to %v", tt.dir, props)
		}
	}
}

func TestOverride(t *testing.T) {
	preset := []Setting{{"ProtectHome", "yes"}, {"ReadWritePaths", "-/a"}, {"SystemCallFilter", "@system-service"}}
	own := []Setting{{"SystemCallFilter", ""}, {"ReadWritePaths", "/b"}}
	want := []Setting{{"ProtectHome", "yes"}, {"ReadWritePaths", "-/a"}, {"SystemCallFilter", ""}, {"ReadWritePaths", "/b"}}
	if diff := cmp.Diff(want, Override(preset, own)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := Override(preset, []Setting{{"ReadWritePaths", ""}}); slices.Contains(got, Setting{"ReadWritePaths", "-/a"}) {
		t.Errorf("an empty value leaves %v", got)
	}
}
