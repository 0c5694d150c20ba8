package convert

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseYAML(t *testing.T) {
	n, err := parseYAML("f", []byte("x-base: &base\n  a: 1\n  b: [x, 'y']\nc:\n  <<: *base\n  a: yes\n  d: ~\n  e: 0x10\n---\nsecond: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.String(), "{x-base: {a: 1, b: [x, y]}, c: {a: yes, d: null, e: 0x10, b: [x, y]}}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c := n.get("c")
	if got := c.get("b").place.Line; got != 3 {
		t.Errorf("b stands in line %d", got)
	}
	if c.get("d").kind != nullNode || c.get("e").kind != numberNode || c.get("a").kind != textNode {
		t.Errorf("kinds %d %d %d", c.get("d").kind, c.get("e").kind, c.get("a").kind)
	}
	if n, err := parseYAML("f", nil); err != nil || n.kind != nullNode {
		t.Errorf("an empty file is %v, %v", n, err)
	}
}

func TestParseJSON(t *testing.T) {
	n, err := parseJSON("f", []byte("\xef\xbb\xbf{ // note\n\t\"a\": [1, true, null,],\n\t\"b\": {\"c\": \"x\\ny\"},\n\t\"b\": 2\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.String(), "{a: [1, true, null], b: 2}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := n.get("b").place.Line; got != 4 {
		t.Errorf("b stands in line %d", got)
	}
}

func TestTreeErrors(t *testing.T) {
	for _, test := range []struct {
		name, text string
		parse      func(string, []byte) (*node, error)
		line       int
		want       string
	}{
		{"yaml", "a: 1\nb: [\nc: 2\n", parseYAML, 4, ""},
		{"tab", "a:\n\tb: 1\n", parseYAML, 2, ""},
		{"twice", "a: 1\nb: 2\na: 3\n", parseYAML, 3, "the key a stands in this mapping already"},
		{"itself", "a: &x\n  b: *x\n", parseYAML, 2, "the alias *x stands for itself"},
		{"merge", "a: 1\n<<: 2\n", parseYAML, 2, "<< merges mappings, and this is a number"},
		{"list key", "? [a]\n: 1\n", parseYAML, 1, "a key is a list or a mapping"},
		{"deep", strings.Repeat("[", 200) + strings.Repeat("]", 200), parseYAML, 1, "values are nested more than 100 deep"},
		{"json", "{\n \"a\": 1,\n \"b\" 2\n}", parseJSON, 3, ""},
		{"json empty", " \n", parseJSON, 1, "the file is empty"},
		{"json deep", "\n" + strings.Repeat("[", 1<<20), parseJSON, 2, "values are nested more than 100 deep"},
		{"json twice", "{}\n{}", parseJSON, 2, ""},
		{"js", "module.exports = {\n}\n", parseJSON, 1, ""},
	} {
		_, err := test.parse("f", []byte(test.text))
		var te *treeError
		if !errors.As(err, &te) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if te.line != test.line || test.want != "" && te.msg != test.want || te.msg == "" {
			t.Errorf("%s: line %d: %s", test.name, te.line, te.msg)
		}
		t.Logf("%s: %d: %s", test.name, te.line, te.msg)
	}
}

// What is meant to take all memory must not.
func TestAliasBomb(t *testing.T) {
	bomb := "a0: &a0 [x, x]\n"
	for i := 1; i < 50; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	merge := "a0: &a0 {x: 1}\n"
	for i := 1; i < 50; i++ {
		merge += fmt.Sprintf("a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i-1, i-1)
	}
	var keys strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	for name, text := range map[string]string{"aliases": bomb, "merge keys": merge, "keys": keys.String()} {
		begin := time.Now()
		if _, err := parseYAML("f", []byte(text)); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}
