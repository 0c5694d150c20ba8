package convert

import (
	"errors"
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
