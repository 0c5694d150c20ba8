package config

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"msup/units"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden loads every testdata/*.conf on a made-up machine and compares what comes
// out, warnings and errors or the whole configuration, with the .golden file beside it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	all := testdata(t)
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			c, err := load(name, fakeHost(all), true)
			if err == nil {
				// The supervisor writes it down, and msup up compares.
				var again units.Project
				text, err := json.Marshal(c.Project)
				if err != nil || json.Unmarshal(text, &again) != nil || !reflect.DeepEqual(c.Project, again) {
					t.Errorf("is another one when it is read again (-config +read): %s", cmp.Diff(c.Project, again))
				}
			}
			got := dump(c, err)
			golden := strings.TrimSuffix(file, ".conf") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if isBad := strings.HasPrefix(name, "bad-"); isBad == strings.Contains(got, "\n{") {
				t.Errorf("%s loads, or does not, against its name", name)
			}
		})
	}
}

// dump is what a load has to say.
func dump(c *Config, err error) string {
	var b strings.Builder
	var ce *Error
	switch {
	case errors.As(err, &ce):
		for _, d := range ce.Warnings {
			b.WriteString("warning: " + d.String() + "\n")
		}
		b.WriteString(ce.Error() + "\n")
	case err != nil:
		b.WriteString(err.Error() + "\n")
	default:
		for _, d := range c.Warnings {
			b.WriteString("warning: " + d.String() + "\n")
		}
		c.Warnings, c.Settings = nil, nil
		for i := range c.Groups {
			c.Groups[i].Settings = nil
		}
		for i := range c.Programs {
			c.Programs[i].Digest = ""    // means nothing to a reader; see TestDigest
			c.Programs[i].Settings = nil // are what stands in the file; see TestSettings
		}
		b.WriteString("\n")
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "\t")
		if err := enc.Encode(c); err != nil {
			return err.Error()
		}
	}
	return b.String()
}
