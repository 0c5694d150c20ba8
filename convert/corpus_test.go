package convert

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"msup/config"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// corpus has a folder for each configuration, in the styles in which people write them. It is
// /srv/app to the conversion, a folder root in it is /, a file env has variables, and a file formation
// is what --formation says. want.conf and want.report are what becomes of it, or want.error.
const corpus = "../integration/testdata/import"

// mainFiles are the names that the file to convert may have; else it is the only file.
var mainFiles = []string{
	"supervisord.conf", "Procfile", "Procfile.dev", "compose.yaml", "process-compose.yaml", "process-compose.yml",
	"ecosystem.config.json", "ecosystem.config.yaml",
}

type sample struct {
	files     fstest.MapFS
	main      string
	env       map[string]string
	formation map[string]int
}

func readSample(t *testing.T, dir string) sample {
	t.Helper()
	s := sample{files: fstest.MapFS{}, env: map[string]string{"HOME": "/root"}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		switch {
		case strings.HasPrefix(rel, "want."):
			return err
		case rel == "env":
			for line := range strings.Lines(string(data)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				s.env[name] = value
			}
			return err
		case rel == "formation":
			s.formation, err = ParseFormation(strings.TrimSpace(string(data)))
			return err
		}
		name, inRoot := strings.CutPrefix(rel, "root/")
		if !inRoot {
			name = "srv/app/" + rel
		}
		if name == "srv/app/"+filepath.Base(name) && slices.Contains(mainFiles, filepath.Base(name)) || inRoot && slices.Contains(mainFiles, filepath.Base(name)) || s.main == "" {
			s.main = "/" + name
		}
		s.files[name] = &fstest.MapFile{Data: data, Mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s sample) convert(direct bool) (*Result, error) {
	return Convert(s.files, []string{filepath.Base(s.main)}, Options{
		Cwd: filepath.Dir(s.main), Hostname: "box", Direct: direct, Formation: s.formation, CPUs: 4,
		Lookup: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok },
	})
}

func TestCorpus(t *testing.T) {
	dirs, err := filepath.Glob(corpus + "/*")
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d configurations, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			s := readSample(t, dir)
			res, err := s.convert(false)
			if err != nil {
				golden(t, filepath.Join(dir, "want.error"), []byte(err.Error()+"\n"))
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "want.error")); err == nil {
				t.Error("want.error is there, and no error")
			}
			var report bytes.Buffer
			if err := res.Report.Write(&report); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(dir, "want.conf"), res.Document.Text())
			golden(t, filepath.Join(dir, "want.report"), report.Bytes())

			for _, name := range res.Environment {
				if res.Format == Procfile {
					break // a PORT that is set is the first one
				}
				if value, ok := s.env[name]; ok {
					t.Setenv(name, value)
				} else {
					t.Setenv(name, "1")
					s.env[name] = "1"
				}
			}
			imported := read(t, s, res)
			// To run the file and to run what it is imported as is the same.
			direct, err := s.convert(true)
			if err != nil {
				t.Fatal(err)
			}
			run := read(t, s, direct)
			for i, p := range imported.Programs {
				p.Settings, run.Programs[i].Settings = nil, nil
				p.Digest, run.Programs[i].Digest = "", ""
				if diff := cmp.Diff(p, run.Programs[i]); diff != "" {
					t.Errorf("-imported +direct:\n%s", diff)
				}
			}
			everyKey(t, s, res)
		})
	}
}

// read loads what has become of a configuration, as msup does but for what the machine has.
func read(t *testing.T, s sample, res *Result) *config.Config {
	t.Helper()
	cfg, err := config.Converted{Path: s.main, Data: res.Document.Text()}.Read()
	if err != nil {
		t.Fatalf("%s\n%v", res.Document.Text(), err)
	}
	return cfg
}

// everyKey checks that no key is lost: each line of key = value has an entry.
func everyKey(t *testing.T, s sample, res *Result) {
	t.Helper()
	if res.Format != Supervisord {
		return
	}
	said := map[Place]bool{}
	for _, e := range res.Report.Entries {
		said[Place{e.File, e.Line}] = true
	}
	for _, file := range res.Files {
		name := file
		if filepath.Dir(file) == filepath.Dir(s.main) {
			name = filepath.Base(file)
		}
		n := 0
		for line := range strings.Lines(string(s.files[inFS(file)].Data)) {
			n++
			key, _, found := strings.Cut(line, "=")
			if !found || strings.ContainsAny(line[:1], " \t#;[") || strings.ContainsAny(key, " '\"") && !strings.HasSuffix(key, " ") {
				continue
			}
			if !said[Place{name, n}] && !said[Place{file, n}] && !said[Place{strings.TrimPrefix(file, filepath.Dir(s.main)+"/"), n}] {
				t.Errorf("%s:%d: nothing is said of %s", file, n, line)
			}
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is missing: go test ./convert -run TestCorpus -update", path)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
