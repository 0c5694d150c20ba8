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
