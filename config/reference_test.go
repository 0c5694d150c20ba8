package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The reference in the README is written from the table of keys: go test ./config -update.
func TestReference(t *testing.T) {
	const file = "../README.md"
	readme, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(readme)
	for _, section := range []string{programSection, groupSection, projectSection, includeSection} {
		begin, end := fmt.Sprintf("<!-- keys of %s -->\n", section), fmt.Sprintf("<!-- end of %s -->\n", section)
		before, rest, ok := strings.Cut(text, begin)
		got, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no part for %q", file, section)
		}
		want := reference(section)
		if *update {
			text = before + begin + want + end + after
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, keys of %s: write it anew with go test ./config -update (-want +got):\n%s", file, section, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func reference(section string) string {
	var b strings.Builder
	b.WriteString("| key | default | what it does | example |\n| --- | --- | --- | --- |\n")
	for _, k := range Keys() {
		if k.Section != section {
			continue
		}
		def := k.Unset
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		doc := k.Doc
		if k.Repeats {
			doc += " May be repeated."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", k.Name, def, doc, strings.ReplaceAll(k.Example, "|", `\|`))
	}
	return b.String()
}
