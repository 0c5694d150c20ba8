package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFillIn(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"A": "a'b c", "LINES": "1\n2"}[name]
		return value, ok
	}
	for text, want := range map[string]string{
		"plain {x} }}":                      "plain {x} }}",
		"{{instance}}":                      "7",
		"a-{{ instance }}-{{program}}":      "a-7-web",
		"--port={{port 8000}}":              "--port=8006",
		"{{port  8000 }}":                   "8006",
		"{{{{instance}}":                    "{{instance}}",
		"{{{instance}}}":                    "{7}",
		"{{{{{instance}}":                   "{{{instance}}",
		"{{{{{{instance}}":                  "{{7",
		"{{instance":                        `"{{instance" is not closed; close it with }}`,
		"{{instanze}}":                      "{{instanze}} stands for nothing; did you mean {{instance}}?; a literal {{ is written {{{{",
		"{{prot 8000}}":                     "did you mean {{port 8000}}?",
		"{{.Names}}":                        "{{.Names}} stands for nothing; known are {{instance}}, {{program}}, {{port 8000}} and {{env NAME}}; a literal {{ is written {{{{",
		"{{}}":                              "{{}} stands for nothing",
		"{{port}}":                          `"" is not a port from 1 to 65535`,
		"{{port 65530}}":                    "port 65536 of instance 7 is above 65535",
		"{{instance 2}} {{instance 00}}":    "8 06",
		"{{instance -1}}":                   `"-1" is not a number`,
		"{{program x}}":                     "{{program}} takes nothing behind it",
		"{{env A}}":                         "a'b c",
		"{{env NONE}}":                      "the variable NONE is not set",
		"{{env 1A}}":                        `"1A" is no name of a variable`,
		"{{env LINES}}":                     "holds the control character U+000A",
		"ok {{instance}} then {{ nothing }": "is not closed",
	} {
		got, err := filling{"web", 7, lookup, false}.fillIn(text)
		if ve, ok := errors.AsType[*valueError](err); ok {
			got = ve.message + "; " + ve.hint
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s gives %q, want %q", text, got, want)
		}
	}
}

// Any text can be written so that it stands for itself.
func FuzzFillIn(f *testing.F) {
	for _, s := range []string{"", "{", "{{", "{{{", "{{{{{", "a{{b}}", "{{instance}}", "é{{{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		f := filling{program: "web", instance: 1, lookup: func(string) (string, bool) { return s, true }}
		if got, err := f.fillIn(braceless(s)); err != nil || got != s {
			t.Errorf("%q gives %q, %v", s, got, err)
		}
		_, _ = f.fillIn(s)
	})
}

// A value of the environment is part of one word, whatever is in it and around it.
func TestFillInWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.RuneFrom([]rune(`ab '"\$#;{}`+"`"))).Draw(t, "value")
		around := rapid.SampledFrom([]string{"%s", "x%s-y", "'x %s'z", `"x %s"'z'`, `\'%s`}).Draw(t, "around")
		f := filling{lookup: func(string) (string, bool) { return value, true }, words: true}
		got, err := f.fillIn(fmt.Sprintf("a "+around+" b", "{{env A}}"))
		if err != nil {
			t.Fatal(err)
		}
		words, err := splitWords(got)
		want := fmt.Sprintf(strings.NewReplacer(`\'`, "'", "'", "", `"`, "").Replace(around), value)
		if err != nil || len(words) != 3 || words[1] != want {
			t.Fatalf("%s gives %q, %v; want %q", got, words, err, want)
		}
	})
}

const threeWebs = "program web\ncommand = /bin/sleep {{port 100}}\ndirectory = /\ninstances = 3\nmax_restarts = 7\n"

func names(p units.Project) string {
	var out []string
	for _, prog := range p.Programs {
		out = append(out, prog.Name)
	}
	return strings.Join(out, " ")
}

// What scale makes of a template is what the configuration would make of it.
func TestScale(t *testing.T) {
	text := "[defaults]\nenvironment = A={{instance}}\n[program first]\ncommand = /bin/sleep 1\n" + threeWebs +
		"stdout = out-{{instance}}\nmemory_limit = 64M\n[program last]\ncommand = /bin/sleep 1\n[group g]\nprograms = web\n"
	cfg := configOf(t, text)
	five, _, err := Scale(cfg.Project, "web", 5)
	if err != nil || names(five) != "first web@1 web@2 web@3 web@4 web@5 last" || five.Template("web").Scaled != 5 {
		t.Fatalf("%s, %v", names(five), err)
	}
	if err := os.WriteFile(cfg.File, []byte(strings.Replace(text, "instances = 3", "instances = 5", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := Load(cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	for i := range five.Programs { // configOf asks the machine nothing
		five.Programs[i].Path = want.Programs[i].Path
	}
	if diff := cmp.Diff(want.Programs, five.Programs); diff != "" {
		t.Errorf("scaled (-configured +scaled):\n%s", diff)
	}
	if names(cfg.Project) != "first web@1 web@2 web@3 last" || cfg.Template("web").Scaled != 0 {
		t.Errorf("the original has changed: %s", names(cfg.Project))
	}
	if one, _, err := Scale(five, "web", 1); err != nil || names(one) != "first web@1 last" {
		t.Errorf("%s, %v", names(one), err)
	}
	if three, _, err := Scale(five, "web", 3); err != nil || names(three) != "first web@1 web@2 web@3 last" || three.Template("web").Scaled != 0 {
		t.Errorf("%s, %v: as configured is no override", names(three), err)
	}
}

func TestScaleKeeps(t *testing.T) {
	cfg := configOf(t, threeWebs)
	for i, p := range cfg.Programs {
		for _, s := range []units.Setting{{Key: "tasks_limit", Value: "50"}, {Key: "cpu_weight", Value: strconv.Itoa(i + 1)}} {
			var err error
			if p, _, err = Override(p, s.Key, s.Value); err != nil {
				t.Fatal(err)
			}
		}
		cfg.Programs[i] = p
	}
	cfg.Programs[2].Removed = true
	five, _, err := Scale(cfg.Project, "web", 4)
	if err != nil {
		t.Fatal(err)
	}
	// What is set for all holds for the new one, and for the one that comes back; what differs does not.
	for i, want := range [][]units.Setting{
		{{Key: "cpu_weight", Value: "1"}, {Key: "tasks_limit", Value: "50"}},
		{{Key: "cpu_weight", Value: "2"}, {Key: "tasks_limit", Value: "50"}},
		{{Key: "tasks_limit", Value: "50"}},
		{{Key: "tasks_limit", Value: "50"}},
	} {
		if diff := cmp.Diff(want, five.Programs[i].Overrides); diff != "" || five.Programs[i].Removed {
			t.Errorf("%s (-want +got):\n%s", five.Programs[i].Name, diff)
		}
	}
}

func TestScaleErrors(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"1", "2"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "msup.conf")
	text := "program web\ncommand = /bin/sleep 1\ndirectory = {{instance}}\ninstances = 2\nstdout = web-{{instance}}.log\n" +
		"program alone\ncommand = /bin/sleep 1\nstdout = web-4.log\nlog_backups = 1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		program string
		n       int
		want    string
	}{
		{"web", 0, "0 is out of range"},
		{"web", 1001, "1001 is out of range"},
		{"alone", 2, "the program has no instances; write instances = 1 into the configuration"},
		{"wob", 2, `no program "wob"`},
		{"web", 3, "msup.conf:3: [program web] directory: folder " + dir + "/3 does not exist"},
	} {
		if _, _, err := Scale(cfg.Project, tt.program, tt.n); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%d: %v, want %s", tt.program, tt.n, err, tt.want)
		}
	}
	for _, d := range []string{"3", "4"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := Scale(cfg.Project, "web", 4); err == nil || !strings.Contains(err.Error(), "is also written by program alone with another log_backups") {
		t.Errorf("a file of another program: %v", err)
	}
}

func TestDiffOfInstances(t *testing.T) {
	scaled := func(n int) units.Project {
		p, _, err := Scale(configOf(t, threeWebs).Project, "web", n)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const plain = "program web\ncommand = /bin/sleep {{port 100}}\ndirectory = /\nmax_restarts = 7\n"
	add := func(n int) string {
		return "web@" + strconv.Itoa(n) + " add starts\n  add command:  -> /bin/sleep " + strconv.Itoa(99+n) + "\n  add directory:  -> /\n  add max_restarts:  -> 7\n"
	}
	for _, tt := range []struct {
		name string
		old  units.Project
		new  string
		want string
	}{
		{"nothing", scaled(3), threeWebs, ""},
		{"more", scaled(3), strings.Replace(threeWebs, "= 3", "= 5", 1), "instances of web: 3 -> 5\n" + add(4) + add(5)},
		{"fewer", scaled(3), strings.Replace(threeWebs, "= 3", "= 1", 1), "instances of web: 3 -> 1\nweb@2 remove stops\nweb@3 remove stops\n"},
		{"back to the file", scaled(4), threeWebs, "instances of web: 4 -> 3 overridden\nweb@4 remove stops\n"},
		{"the file follows", scaled(4), strings.Replace(threeWebs, "= 3", "= 4", 1), "instances of web: 4 -> 4 overridden\n"},
		{"no instances any more", scaled(2), plain, "instances of web: 2 -> 0 overridden\nweb add starts\n  add command:  -> /bin/sleep 100\n  add directory:  -> /\n  add max_restarts:  -> 7\nweb@1 remove stops\nweb@2 remove stops\n"},
		{"instances from now on", configOf(t, plain).Project, strings.Replace(threeWebs, "= 3", "= 1", 1), "instances of web: 0 -> 1\n" + add(1) + "web remove stops\n"},
		{"another port", scaled(3), strings.Replace(threeWebs, "port 100", "port 101", 1), "web@1 restart stops\n  restart command: /bin/sleep 100 -> /bin/sleep 101\n" +
			"web@2 restart stops\n  restart command: /bin/sleep 101 -> /bin/sleep 102\nweb@3 restart stops\n  restart command: /bin/sleep 102 -> /bin/sleep 103\n"},
	} {
		var running []units.Status
		for _, p := range tt.old.Programs {
			running = append(running, units.Status{Name: p.Name, State: policy.State{Phase: policy.Running}, Program: p, Started: p.Settings, Digest: p.Digest})
		}
		if diff := cmp.Diff(tt.want, planText(Diff(tt.old, running, configOf(t, tt.new)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// What msup set sets is filled in for each instance, and kept as it was written, for others.
func TestOverrideOfAnInstance(t *testing.T) {
	p := configOf(t, threeWebs+"stdout = out\n").Programs[1]
	q, _, err := Override(p, "log_prefix", "{{program}} {{instance}}: ")
	if err != nil || q.Log.Prefix != "web 2: " || q.Overrides[0].Value != "{{program}} {{instance}}: " {
		t.Errorf("%q, %v, %v", q.Log.Prefix, q.Overrides, err)
	}
	if _, _, err := Override(p, "log_prefix", "{{instanc}}"); err == nil || !strings.Contains(err.Error(), "did you mean {{instance}}?") {
		t.Errorf("%v", err)
	}
	if _, _, err := Override(p, "instances", "5"); err == nil || !strings.Contains(err.Error(), "msup scale web=5 changes their number") {
		t.Errorf("%v", err)
	}
}
