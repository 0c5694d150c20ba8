package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/ini.v1"
)

// TestTraps has one case for each way in which ini.v1 would change, lose or invent
// something if it had its way.
func TestTraps(t *testing.T) {
	const head = "[program web]\n"
	tests := []struct {
		name, text string
		want       []string // argv of web
		err        string   // part of the error, instead
	}{
		{"cut at #", head + "command = sleep a#b", []string{"sleep", "a#b"}, ""},
		{"cut at ;", head + "command = sleep a;b", []string{"sleep", "a;b"}, ""},
		{"quoted # and ;", head + `command = sleep "a # b ; c"`, []string{"sleep", "a # b ; c"}, ""},
		{"colon splits", head + "command = sleep a:b=c", []string{"sleep", "a:b=c"}, ""},
		{"colon before =", head + "command:x = sleep", nil, "x.conf:2: [program web] \"command:x = sleep\" is neither"},
		{"surrounding quotes stripped", head + `command = "sleep" '1'`, []string{"sleep", "1"}, ""},
		{"one quoted word", head + `command = 'sleep'`, []string{"sleep"}, ""},
		{"triple quotes go on", head + "command = \"\"\"sleep\nnice = 5\nstdout = x\"\"\"", nil, "x.conf:2: [program web] command: a quote \" is not closed"},
		{"triple quotes", head + `command = """sleep"""`, []string{"sleep"}, ""},
		{"backquote goes on", head + "command = `sleep\nnice = 5", nil, "x.conf:2: [program web] command: \"`sleep\" is not found"},
		{"backquotes stripped", head + "command = sleep `1`", []string{"sleep", "`1`"}, ""},
		{"continuation", head + "command = sleep 1 \\\n2", nil, "x.conf:2: [program web] command: the value ends in a backslash"},
		{"continuation is not joined", head + "command = sleep 1\n  2", nil, "x.conf:3: [program web] \"2\" is neither"},
		{"interpolation", head + "nice = 5\ncommand = sleep %(nice)s", []string{"sleep", "%(nice)s"}, ""},
		{"escaped comment sign", head + `command = sleep \# '\;'`, []string{"sleep", "#", `\;`}, ""},
		{"repeated key", head + "command = sleep 1\ncommand = sleep 2", nil, "x.conf:3: [program web] command: the key stands in line 2 already"},
		{"repeated equal key", head + "command = sleep 1\ncommand = sleep 1", nil, "x.conf:3: [program web] command: the key stands in line 2 already"},
		{"repeated section", head + "command = sleep 1\n" + head + "command = sleep 1", nil, "x.conf:3: [program web] program web stands in x.conf:1 already"},
		{"child inherits", head + "command = sleep 1\n[program web.api]\nnice = 1", nil, "x.conf:3: [program web.api] the program has no command"},
		{"DEFAULT", "[DEFAULT]\nnice = 1\n" + head + "command = sleep", nil, "x.conf:1: unknown section [DEFAULT]; did you mean [defaults]?"},
		{"key above sections", "nice = 1\n" + head + "command = sleep", nil, "x.conf:1: key nice is outside any section"},
		{"unknown key", head + "command = sleep\nmemory = 1", nil, "x.conf:3: [program web] memory: unknown key"},
		{"bad number", head + "command = sleep\nnice = low", nil, "x.conf:3: [program web] nice: \"low\" is not a whole number"},
		{"numbered key", head + "- = sleep", nil, "x.conf:2: [program web] \"- = sleep\" is neither"},
		{"quoted key", head + `"command" = sleep`, nil, "x.conf:2: [program web]"},
		{"key in capitals", head + "Command = sleep", nil, "x.conf:2: [program web] Command: unknown key; did you mean command?"},
		{"no value", head + "command", nil, "x.conf:2: [program web] \"command\" is neither"},
		{"unclosed header", "[program web\ncommand = sleep", nil, "x.conf:1: a header ends with ]"},
		{"last ] counts", "[program web] # ]\ncommand = sleep ]", []string{"sleep", "]"}, ""},
		{"Unicode space trimmed", head + "command = sleep \u00a0", []string{"sleep", "\u00a0"}, ""},
		{"Unicode space before", head + "\u00a0command = sleep", nil, "x.conf:2: [program web]"},
		{"empty repeated value lost", head + "command = sleep\nenvironment =\nenvironment = A=1", nil, "x.conf:3: [program web] environment: the value is empty"},
		{"BOM", "\ufeff" + head + "command = sleep 1", []string{"sleep", "1"}, ""},
		{"CRLF", "[program web]\r\ncommand = sleep 1\r\n\r\n", []string{"sleep", "1"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := loadText(tt.text)
			if tt.err != "" {
				if err == nil || !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(l string) bool { return strings.HasPrefix(l, tt.err) }) {
					t.Errorf("error is\n%v\nwant a line beginning with\n%s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.Program("web").Argv); diff != "" {
				t.Errorf("argv: -want +got:\n%s", diff)
			}
		})
	}
}

// TestTrapsAreReal shows what ini.v1 does to some of these files when it reads them
// itself, so that the guards can go when it stops.
func TestTrapsAreReal(t *testing.T) {
	file, err := ini.LoadSources(iniOptions, []byte("[web]\na = `x`\nb = \"\"\"y\"\"\"\nc =  z\u00a0\n- = 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "x", "b": "y", "c": "z", "#1": "1"}
	if diff := cmp.Diff(want, file.Section("web").KeysHash()); diff != "" {
		t.Errorf("ini.v1 has changed: -want +got:\n%s", diff)
	}
}
