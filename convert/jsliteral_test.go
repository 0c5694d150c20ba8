package convert

import (
	"strings"
	"testing"
)

func TestJSLiteral(t *testing.T) {
	for text, want := range map[string]string{
		`{a: 1, $b_2 : 'x "y"',}`:          `{"a": 1, "$b_2" : "x \"y\"",}`,
		`{"a": '\x41\u0042\[0\]\t\'z'}`:    `{"a": "AB[0]\t'z"}`,
		"{a: `x\ny`,\nb: undefined}":       "{\"a\": \"x\\ny\"\n,\n\"b\": null}",
		"{a: 'x\\\ny'}":                    "{\"a\": \"xy\"\n}",
		"{ // it's\n a: /* don't */ true}": "{ // it's\n \"a\": /* don't */ true}",
		// What has to be evaluated is left as it is.
		"{a: `x${y}`}":        "{\"a\": `x${y}`}",
		"{a: path.join('x')}": `{"a": path.join("x")}`,
		"{a: 'x\n'}":          "{\"a\": 'x\n'}",
		`{a: 'x`:              `{"a": 'x`,
	} {
		if got := string(jsonOfJS([]byte(text))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// Keys without quotes are what pm2's own examples have.
func TestPM2Literal(t *testing.T) {
	got, _ := run(t, map[string]string{"/srv/app/process.json": `{
  apps : [{
    name : 'web',
    script : 'app.js', // it's "this"
    instances : 2,
    env : { NODE_ENV : 'production' },
  }]
}`}, Options{}, "process.json")
	for _, want := range []string{"[program web]\n", "command = node app.js\n", "instances = 2\n", "NODE_ENV=production"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}
