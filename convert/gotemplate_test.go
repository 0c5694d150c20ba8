package convert

import (
	"strings"
	"testing"
	"time"
)

func TestRenderTemplate(t *testing.T) {
	values := map[string]any{"A": "x", "N": 3, "M": map[string]any{"k": []any{"a", "b"}}, "R": replicaNumber(0)}
	for text, want := range map[string]string{
		"{{.missing}}":                      "<no value>",
		"no braces }}":                      "no braces }}",
		"{{.A}} {{ .N }} {{index .M.k 1}}":  "x 3 b",
		`{{if eq .A "x"}}y{{else}}n{{end}}`: "y",
		`{{with .A}}{{.}}{{end}}{{len .A}}`: "x1",
		`{{printf "%s-%02d" .A .N}}`:        "x-03",
		`{{.R}} {{printf "%03d" .R}}`:       markBegin + "0" + markEnd + " " + markBegin + "000" + markEnd,
	} {
		if got, err := renderTemplate(text, values); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	if got := withMarks("a {{ " + markBegin + "000" + markEnd); got != "a {{{{ {{instance 000}}" {
		t.Error(got)
	}
	if got := withNumber("a "+markBegin+"000"+markEnd, 12); got != "a 012" {
		t.Error(got)
	}
}

// What makes much of little is refused, and soon.
func TestTemplateBombs(t *testing.T) {
	for _, text := range []string{
		"{{range 1000000000}}x{{end}}",
		"{{range $i := 1000000000}}{{range 1000000000}}{{end}}{{end}}",
		`{{printf "%999999999d" 1}}`,
		`{{printf "%*d" 99999999 1}}`,
		`{{define "a"}}{{template "a"}}{{template "a"}}{{end}}{{template "a"}}`,
		`{{$a := "x"}}` + strings.Repeat(`{{$a = printf "%s%s" $a $a}}`, 100),
		`{{"\\"` + strings.Repeat(" | js", 100) + `}}`,
		`{{"x"` + strings.Repeat(` | printf "%[1]s%[1]s"`, 100) + `}}`,
		`{{print .A | print | html | urlquery}}`,
		strings.Repeat("{{.A}}", 20_000),
		"{{.A",
		"{{" + strings.Repeat("(", 30_000),
	} {
		begin := time.Now()
		got, err := renderTemplate(text, map[string]any{"A": strings.Repeat("x", 1000)})
		if err == nil {
			t.Errorf("%.60s makes %d bytes", text, len(got))
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%.60s took %v", text, took)
		}
	}
}
