package convert

import (
	"errors"
	"strings"
	"testing"

	original "github.com/drone/envsubst"
)

var substValues = map[string]string{"A": "äbC", "B": "", "PORT": "80", "N": "x\ny"}

func TestReplaceVariables(t *testing.T) {
	lookup := func(name string, _ int) string { return substValues[name] }
	for text, want := range map[string]string{
		"a ${A} $A $$A $${A} ${B}|":                  "a äbC $A $A ${A} |",
		"${A^} ${A^^} ${PORT,} ${A,,}":               "ÄbC ÄBC 80 äbc",
		"${B:-x ${PORT} $$y} ${X:=d} ${A:+e} ${Y=f}": "x 80 $y d äbC f",
		"${#A}":                     "4",
		"$":                         "$",
		`a\\b \\\\ \/ \n \\${B}\\\`: `a\b \\ / \n \\\`,
		"a$b{}":                     "a$b{}",
	} {
		if got, err := replaceVariables(text, lookup); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"\n\n${A":      "${A is not closed by }",
		"\n\n${}":      "${ is followed by no name",
		"\n\n${A/b/c}": "${A/…} changes the value",
		"\n\n${A%b}":   "${A%…} changes the value",
		"\n\n${A:1}":   "${A:…} takes a part",
		"\n\n${A:-b":   "${ is not closed by }",
		"\n\n" + strings.Repeat("${B:-", 50) + "x" + strings.Repeat("}", 50): "nested more than",
	} {
		_, err := replaceVariables(text, lookup)
		var se *substError
		if !errors.As(err, &se) || se.line != 3 || !strings.Contains(se.msg, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	big := strings.Repeat("x", 1<<20)
	if _, err := replaceVariables(strings.Repeat("${A}", 1000), func(string, int) string { return big }); err == nil {
		t.Error("a thousand megabytes")
	}
}

// Where this takes a text, process-compose's library makes the same of it.
func FuzzReplaceVariables(f *testing.F) {
	for _, s := range []string{"${A}", "a ${B:-c} $$ ${PORT^^}", "${#A}", "${B=x}", "${X:-${A}}y", "$A ${", "${A-b}", "${B:-a}b}", "${N}: ${A,}", `\\ \/ \n \\${A}\\\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := replaceVariables(text, func(name string, _ int) string { return substValues[name] })
		if err != nil || strings.Contains(text, "$$") || strings.Contains(text, "\x00") {
			return // process-compose takes $$ out itself
		}
		want, err := original.Eval(text, func(name string) string { return substValues[name] })
		if err != nil {
			t.Fatalf("%q: this makes %q, the library says %v", text, got, err)
		}
		if got != want {
			t.Errorf("%q: %q, the library makes %q", text, got, want)
		}
	})
}
