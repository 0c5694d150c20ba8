package property

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table of the README anew")

// The table of presets in the README is written from the code: go test ./property -update.
func TestReadme(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- sandboxes -->\n", "<!-- end of sandboxes -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the presets", file)
	}
	var b strings.Builder
	b.WriteString("| setting | `standard` | `strict` |\n| --- | --- | --- |\n")
	names := map[string]bool{}
	for _, s := range append(Preset("standard"), Preset("strict")...) {
		if names[s.Name] {
			continue
		}
		names[s.Name] = true
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, shown("standard", s.Name), shown("strict", s.Name))
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(b.String(), got); diff != "" {
		t.Errorf("%s: write it anew with go test ./property -update (-want +got):\n%s", file, diff)
	}
}

// shown is what a preset has for a setting.
func shown(preset, name string) string {
	for _, s := range Preset(preset) {
		if s.Name == name {
			if s.Value == "" {
				return "none"
			}
			return "`" + s.Value + "`"
		}
	}
	return ""
}
