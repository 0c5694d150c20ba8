package convert

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
		var invalid *config.Error
		if !errors.As(err, &invalid) {
			return err.Error() + "\n", nil
		}
		return err.Error() + "\n", res.Report
	}
	if _, err := loaded(res.Document); err != nil {
		t.Errorf("what is written cannot be read: %v\n%s", err, res.Document.Text())
	}
	return string(res.Document.Text()), res.Report
}

// reported is a report for people, without the kept keys.
func reported(t *testing.T, r *Report, all bool) string {
	t.Helper()
	var b strings.Builder
	for _, e := range r.Entries {
		if all || e.Verdict != Kept {
			b.WriteString(e.String() + "\n")
		}
	}
	return b.String()
}

// mounted is a file system that has a folder at a place.
func mounted(t *testing.T, dir, at string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		m[filepath.Join(at, rel)] = &fstest.MapFile{Data: data, Mode: 0o755}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
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
