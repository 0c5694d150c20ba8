package convert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The rules by which process-compose merges files.
func TestMerge(t *testing.T) {
	for _, test := range []struct{ base, over, want string }{
		{"a: 1\nb: 2\n", "b: 3\nc: 4\n", "{a: 1, b: 3, c: 4}"},
		{"a: {x: 1, y: 2}\n", "a: {y: 3}\n", "{a: {x: 1, y: 3}}"},
		{"a: x\nb: 1\nc: true\n", "a: ''\nb: 0\nc: false\n", "{a: x, b: 1, c: true}"}, // what is empty replaces nothing
		{"a: [1]\n", "a: [2]\n", "{a: [1, 2]}"},
		{"namespace: [1]\n", "namespace: [2]\n", "{namespace: [2]}"},
		{"namespace: a\n", "namespace: [b, c]\n", "{namespace: [b, c]}"},
		{"environment: [A=1, B=2]\n", "environment: [B=x=y, C=3]\n", "{environment: [A=1, B=x=y, C=3]}"},
		{"a: {x: 1}\n", "a:\n", "{a: {x: 1}}"},
	} {
		base, err := parseYAML("base", []byte(test.base))
		if err != nil {
			t.Fatal(err)
		}
		over, err := parseYAML("over", []byte(test.over))
		if err != nil {
			t.Fatal(err)
		}
		before := base.String()
		if got := (&input{}).merge(base, over, "").String(); got != test.want {
			t.Errorf("%s and %s: %s, want %s", test.base, test.over, got, test.want)
		}
		if base.String() != before {
			t.Errorf("merging changes %s into %s", before, base)
		}
	}
}

// Which of several sources of a variable wins: .env, the project, env_file, the process.
func TestProcessEnvironment(t *testing.T) {
	text, _ := run(t, map[string]string{
		"/srv/app/process-compose.yaml": "environment: [A=project, B=project]\nprocesses:\n  p:\n    command: ./p\n    env_file: p.env\n    environment: [C=process, D=process]\n",
		"/srv/app/.env":                 "A=dotenv\nX=dotenv\n",
		"/srv/app/p.env":                "B=file\nC=file\nY=file\n",
	}, Options{}, "process-compose.yaml")
	want := `[msup]
project = app

[defaults]
autorestart = never
pass_environment = PATH HOME USER LANG
env_file = .env
environment = A=project
environment = B=project

[program p]
command = /usr/bin/env A=project C=process ./p
environment = D=process
env_file = p.env
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
}

// A variable without a value is one that process-compose passes on, and no reason to refuse the file.
func TestVariableWithoutValue(t *testing.T) {
	text, report := run(t, map[string]string{
		"/srv/app/process-compose.yaml": "environment: [TOKEN]\nprocesses:\n  p:\n    command: ./p $OTHER\n    environment: [SECRET, A=1, my.name=x]\n  q:\n    command: ./q\n    environment:\n",
	}, Options{}, "process-compose.yaml")
	want := `[msup]
project = app

[defaults]
autorestart = never
pass_environment = PATH HOME USER LANG TOKEN

[program p]
command = bash -c './p $OTHER'
environment = A=1
pass_environment = SECRET OTHER

[program q]
command = ./q
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	if n := report.Count(Dropped); n != 1 {
		t.Errorf("%d keys dropped: %v", n, report)
	}
}

func TestProcessComposeErrors(t *testing.T) {
	deep := "processes:\n"
	for i := range 300 {
		deep += fmt.Sprintf("  p%d: {extends: p%d, command: x}\n", i, i+1)
	}
	deep += "  p300: {command: x}\n"
	files := map[string]string{}
	for i := range 3 {
		files[fmt.Sprintf("/srv/app/%d.yaml", i)] = fmt.Sprintf("extends: %d.yaml\nprocesses: {a: {command: x}}\n", (i+1)%3)
	}
	for _, test := range []struct{ name, text, want string }{
		{"no processes", "version: 1\n", "process-compose.yaml:1: there are no processes in it"},
		{"a list", "- processes\n", "process-compose.yaml:1: the file is a list, not a mapping with processes"},
		{"yaml", "processes:\n  a: [\n", "process-compose.yaml:3: did not find expected"},
		{"variable", "processes:\n  a: {command: '${A'}\n", "process-compose.yaml:2: ${A is not closed by }"},
		{"unset", "processes:\n  a:\n    command: curl http://localhost:${UI_PORT} --silent\n", "process-compose.yaml:3: mapping values are not allowed in this context; nothing was put in the place of variables that are not set: UI_PORT"},
		{"typo", "processes:\n  web: {command: x}\n  b: {command: y, depends_on: {wbe: {condition: process_started}}}\n", "there is no process wbe; did you mean web?"},
		{"ring", "processes:\n  a: {command: x}\n  b: {command: y, depends_on: {a: {}, c: {}}}\n  c: {command: z, depends_on: {d: {}}}\n  d:\n    command: z\n    depends_on:\n      a: {}\n      b: {}\n", "process-compose.yaml:9: [d] depends_on: each would wait for the next for ever: b -> c -> d -> b; remove one"},
		{"fragment", "processes:\n  b: {command: y, depends_on: {database: {condition: process_started}}}\n", "there is no process database; files that belong together are named together"},
		{"itself", "processes:\n  a: {extends: a, command: x}\n", "process-compose.yaml:2: [a] extends: the process extends itself"},
		{"cycle", "processes:\n  a: {extends: b}\n  b: {extends: a}\n", "[a] extends: the process extends itself"},
		{"unknown", "processes:\n  a: {extends: b}\n", "[a] extends: there is no process b"},
		{"deep", deep, "processes extend each other more than 100 times"},
		{"extends itself", "extends: process-compose.yaml\nprocesses: {a: {command: x}}\n", "process-compose.yaml: [extends] the file extends itself"},
		{"extends in a circle", "extends: 0.yaml\nprocesses: {a: {command: x}}\n", "0.yaml: [extends] the file extends itself"},
		{"extends nothing", "extends: missing.yaml\n", "missing.yaml: cannot read missing.yaml: file does not exist"},
		{"bomb", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\nprocesses: {a: {command: x}}\n", "more than 200000 values"},
		{"many", "processes:\n  a: {command: x, replicas: 900000000}\n", "process-compose.yaml:1: there are 900000000 programs in it, and msup takes 5000"},
		{"ready", "processes:\n  a: {command: x, ready_log_line: y, readiness_probe: {exec: {command: z}}}\n", "[a] ready_log_line: a process cannot have readiness_probe too"},
	} {
		files["/srv/app/process-compose.yaml"] = test.text
		begin := time.Now()
		got, _ := run(t, files, Options{}, "process-compose.yaml")
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", test.name, got)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s took %v", test.name, took)
		}
	}
}

// A variable stands once, wherever it comes from, and the last one holds. The files are those that systemd
// would read in another way.
func TestVariablesStandOnce(t *testing.T) {
	files := map[string]string{
		"/srv/app/process-compose.yaml": "environment: [B=project, B=again]\nprocesses:\n  p: {command: 'D=4 ./p', env_file: p.env, environment: [C=process]}\n",
		"/srv/app/.env":                 "X=${Y}\nX=2\nB=dotenv\n",
		"/srv/app/p.env":                "C=file${Y}\nC=file\nD=file\nE=1\n",
		"/srv/app/Procfile":             "web: X=3 ./web\n",
	}
	text, _ := run(t, files, Options{}, "process-compose.yaml")
	if want := "environment = X=2\nenvironment = B=again\n\n[program p]\ncommand = ./p\nenvironment = E=1\nenvironment = C=process D=4\n"; !strings.Contains(text, want) {
		t.Errorf("%s lacks %s", text, want)
	}
	files["/srv/app/.env"] = "X=\"a$b\"\nX=2\n"
	text, _ = run(t, files, Options{}, "Procfile")
	if strings.Count(text, "X=") != 2 {
		t.Error(text)
	}
}

// PWD is the folder of the file, wherever and by whatever msup is started.
func TestFolderOfTheFile(t *testing.T) {
	lookup := func(string) (string, bool) { return "/elsewhere", true }
	files := map[string]string{"/srv/app/process-compose.yaml": "environment: ['ROOT=${PWD}']\nprocesses:\n  a: {command: './a ${PWD}/b'}\n"}
	for _, direct := range []bool{true, false} {
		text, _ := run(t, files, Options{Direct: direct, Lookup: lookup}, "process-compose.yaml")
		if !strings.Contains(text, "environment = ROOT=/srv/app\n") || !strings.Contains(text, "command = ./a /srv/app/b\n") {
			t.Error(text)
		}
	}
}

// A port that is none does not keep process-compose from asking.
func TestProbeWithoutPort(t *testing.T) {
	for port, want := range map[string]string{
		"8080": "http://127.0.0.1:8080/up", "$PORT": "http://127.0.0.1/up", "70000": "http://127.0.0.1/up",
		"80{{.PC_REPLICA_NUM}}1": "http://127.0.0.1:80{{instance 0}}1/up",
	} {
		text, _ := run(t, map[string]string{"/srv/app/process-compose.yaml": "processes:\n  a:\n    command: ./a\n    replicas: 2\n    readiness_probe: {http_get: {port: '" + port + "', path: /up}}\n"}, Options{}, "process-compose.yaml")
		if !strings.Contains(strings.ReplaceAll(text, "'", ""), want+" 200\n") {
			t.Errorf("%s: %s", port, text)
		}
	}
}

// Variables before a command win over all others, and need no shell.
func TestProcessAssignments(t *testing.T) {
	text, report := run(t, map[string]string{"/srv/app/process-compose.yaml": "vars: {P: 80}\nprocesses:\n  a: {command: 'B=2 PORT={{.P}} ./a', environment: [A=1, B=1]}\n  b: {command: 'A=1 ./b'}\n"}, Options{}, "process-compose.yaml")
	for _, want := range []string{"command = ./a\nenvironment = A=1 B=2 PORT=80\n", "command = ./b\nenvironment = A=1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	for _, e := range report.Entries {
		if e.Section == "b" && e.Key == "command" && strings.Join(e.Became, ", ") != "command = ./b, environment = A=1" {
			t.Errorf("%+v", e)
		}
	}
}

// A comment has no empty end where a line stands between it and its key.
func TestCommentsOfProcesses(t *testing.T) {
	text, _ := run(t, map[string]string{"/srv/app/process-compose.yaml": "processes:\n  a: {command: ./a}\n\n  # --- Frontend ---\n\n  # of the shop\n  b: {command: ./b}\n\n  # --- Backend ---\n\n  c: {command: ./c}\n"}, Options{}, "process-compose.yaml")
	for _, want := range []string{"# of the shop\n[program b]\n", "\n# --- Backend ---\n[program c]\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

// Several files that the user names are merged; no override is looked for then.
func TestSeveralFiles(t *testing.T) {
	text, _ := run(t, map[string]string{
		"/srv/app/compose.yaml":          "processes:\n  a: {command: ./a}\n",
		"/srv/app/compose.override.yaml": "processes:\n  b: {command: ./b}\n",
		"/srv/app/local.yaml":            "processes:\n  a: {command: ./local}\n",
	}, Options{}, "compose.yaml", "local.yaml")
	if !strings.Contains(text, "command = ./local") || strings.Contains(text, "./b") {
		t.Error(text)
	}
}
