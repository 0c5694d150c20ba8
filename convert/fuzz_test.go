package convert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"msup/config"
)

// fuzzFormat converts whatever is in a file: it must end soon, and what comes of it must be readable, or
// wrong in a way that a user is told with the line of the file.
func fuzzFormat(f *testing.F, name string, others map[string]string) {
	f.Helper()
	seeds, err := filepath.Glob(filepath.Join(corpus, "*", name+"*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range seeds {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{"srv/app/" + name: {Data: data}}
		for n, content := range others {
			fsys["srv/app/"+n] = &fstest.MapFile{Data: []byte(content)}
		}
		begin := time.Now()
		format := Detect(name, data)
		if format == Unknown {
			format = Procfile
		}
		res, err := Convert(fsys, []string{name}, Options{Format: format, Cwd: "/srv/app", CPUs: 2})
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		if err != nil {
			var invalid *config.Error
			var refused *RefusedError
			if !errors.As(err, &invalid) && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			return
		}
		text := string(res.Document.Text())
		if len(text) > 32<<20 {
			t.Errorf("%d bytes", len(text))
		}
		if _, err := loaded(res.Document); err != nil {
			var invalid *config.Error
			if !errors.As(err, &invalid) {
				t.Fatal(err)
			}
			for _, d := range invalid.Diagnostics {
				// What the file itself has, msup may refuse; what this package writes must be well-formed.
				for _, never := range []string{"unknown key", "neither a header", "unknown section", "stands in line", "outside any section", "internal error", "control character", "not valid UTF-8", "is not closed", "closing quote", "stands for nothing"} {
					if strings.Contains(d.Message, never) {
						t.Fatalf("%v\n%s", err, text)
					}
				}
			}
		}
	})
}

func FuzzProcfile(f *testing.F) {
	fuzzFormat(f, "Procfile", map[string]string{".env": "A=1\nPORT=3000\n"})
}

func FuzzProcessCompose(f *testing.F) {
	f.Add([]byte("processes:\n  a: {extends: b}\n  b: {extends: a, command: x}\n"))
	f.Add([]byte("extends: process-compose.yaml\nprocesses: {a: {command: x}}\n"))
	f.Add([]byte("processes:\n  a:\n    command: \"{{range 1000000000}}x{{end}} {{printf \\\"%999999999d\\\" 1}} ${A:-${B}}\"\n"))
	fuzzFormat(f, "process-compose.yaml", map[string]string{".env": "A=1\n"})
}

func FuzzPM2(f *testing.F) {
	f.Add([]byte(`{"apps":[{"script":"a b","instances":"max","exec_mode":"cluster","port":65535,"env":{"PORT":"x"},"args":"'a b' c=\"d\""}]}`))
	fuzzFormat(f, "ecosystem.config.json", nil)
}
