package convert

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"msup/config"
)

// run converts a file of a file system; text is what is written, or what is wrong.
func run(t *testing.T, fsys map[string]string, opts Options, paths ...string) (text string, report *Report) {
	t.Helper()
	m := fstest.MapFS{}
	for name, content := range fsys {
		m[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(content)}
	}
	if opts.Cwd == "" {
		opts.Cwd = "/srv/app"
	}
	res, err := Convert(m, paths, opts)
	if err != nil {
		if _, ok := errors.AsType[*config.Error](err); !ok {
			return err.Error() + "\n", nil
		}
		return err.Error() + "\n", res.Report
	}
	if _, err := loaded(res.Document); err != nil {
		t.Errorf("what is written cannot be read: %v\n%s", err, res.Document.Text())
	}
	return string(res.Document.Text()), res.Report
}

func TestProcfileErrors(t *testing.T) {
	for _, test := range []struct {
		name, procfile, want string
		formation            map[string]int
	}{
		{"formation", "web: a\nworker: b\n", "Procfile: the formation names wbe, which is no process; did you mean web?\n", map[string]int{"wbe": 2}},
	} {
		got, _ := run(t, map[string]string{"/srv/app/Procfile": test.procfile}, Options{Formation: test.formation}, "Procfile")
		if got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// Comments stay where they stand, as they are.
func TestProcfileComments(t *testing.T) {
	text, _ := run(t, map[string]string{"/srv/app/Procfile": `###############
#     WEB     #
###############

# Two lines
#  of one comment
web: ./web

# A paragraph.

# Another one.

worker: ./worker
#old: ./old

# How to scale:
#   foreman start -m all=2
`}, Options{}, "Procfile")
	want := `###############
#     WEB     #
###############

[msup]
project = app

[defaults]
autorestart = always
stop_timeout = 5s
pass_environment = PATH HOME USER LANG

# Two lines
#  of one comment
[program web]
command = ./web
environment = PORT=5000 PS=web.1

# A paragraph.
#
# Another one.
[program worker]
command = ./worker
environment = PORT=5100 PS=worker.1

# old: ./old
#
# How to scale:
#   foreman start -m all=2
`
	if text != want {
		t.Error(text)
	}
}

// An editor's byte order mark costs no process.
func TestProcfileByteOrderMark(t *testing.T) {
	text, report := run(t, map[string]string{"/srv/app/Procfile": "\xef\xbb\xbfweb: ./web\r\nworker: ./worker\r\n"}, Options{}, "Procfile")
	if !strings.Contains(text, "[program web]\ncommand = ./web\n") || !strings.Contains(text, "command = ./worker\n") || !strings.Contains(report.Entries[0].Why, "byte order mark") {
		t.Errorf("%s %v", text, report)
	}
}

// Variables before a command need no shell; they win over .env and over PORT.
func TestProcfileAssignments(t *testing.T) {
	text, _ := run(t, map[string]string{"/srv/app/.env": "B=file\nC=file\n", "/srv/app/Procfile": "web: A='{{x' B=2 PORT=80 A=1 ./web\n"}, Options{}, "Procfile")
	for _, want := range []string{"command = /usr/bin/env B=2 ./web\n", "environment = PS=web.1 PORT=80 A=1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

// Which files of variables foreman and overmind read.
func TestProcfileVariables(t *testing.T) {
	for _, test := range []struct {
		name, content, want, not string
	}{
		{".foreman", "port: 5000\n", "env_file = .env\n", "other"},
		{".foreman", "env: other.env,.env\n", "env_file = other.env\nenv_file = .env\n", "missing"},
		{".foreman", "env: ''\n", "[program web]", "env_file"},
		{".foreman", "env: missing.env\n", ".foreman:1: [.foreman] env: there is no file missing.env", "[program web]"},
		{".overmind.env", "OVERMIND_PORT=6000\n", "env_file = .env\n", ".overmind.env"},
		{".overmind.env", "OVERMIND_SKIP_ENV=1\nA=1\n", "env_file = .overmind.env\n", "= .env"},
		{".overmind.env", "OVERMIND_ENV=./other.env\n", "env_file = .env\nenv_file = other.env\n", "missing"},
	} {
		got, _ := run(t, map[string]string{
			"/srv/app/Procfile": "web: ./web\n", "/srv/app/.env": "X=1\n", "/srv/app/other.env": "Y=2\n", "/srv/app/" + test.name: test.content,
		}, Options{}, "Procfile")
		if !strings.Contains(got, test.want) || strings.Contains(got, test.not) {
			t.Errorf("%s %q: %s", test.name, test.content, got)
		}
	}
}

func TestLinePattern(t *testing.T) {
	for _, text := range []string{"Ready to accept connections", " it's \"on\" # [:80] {{x}}; ", "100% (a|b)\\n", "#", "'x'", "Started. "} {
		d := &Document{}
		s := d.section(programSection, "web", Place{})
		if err := s.set(Place{}, "command", "/bin/true"); err != nil {
			t.Fatal(err)
		}
		if err := s.set(Place{}, "ready", "log: "+literal(linePattern(text))); err != nil {
			t.Fatal(err)
		}
		cfg, err := loaded(d)
		if err != nil {
			t.Fatalf("%s\n%v", d.Text(), err)
		}
		re := regexp.MustCompile(cfg.Program("web").Ready.Where)
		if got := re.FindString("<" + text + ">"); got != text {
			t.Errorf("%q finds %q with %s", text, got, re)
		}
	}
}

func TestParseFormation(t *testing.T) {
	got, err := ParseFormation(" web=2, all = 0")
	if err != nil || got["web"] != 2 || got["all"] != 0 || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "web", "web=", "=1", "web=x", "web=-1", "web=1001", "web=1,,"} {
		if got, err := ParseFormation(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, test := range []struct {
		formation map[string]int
		rest      int
		want      int
	}{{nil, 0, 1}, {map[string]int{"x": 2}, 0, 0}, {map[string]int{"x": 2}, 1, 1}, {map[string]int{"all": 3}, 0, 3}, {map[string]int{"web": 0, "all": 3}, 0, 0}} {
		if got := countOf(test.formation, "web", test.rest); got != test.want {
			t.Errorf("%v: %d, want %d", test.formation, got, test.want)
		}
	}
}
