package convert

import (
	"errors"
	"strings"
	"testing"
)

// pm2 gives an app up only for ends within the first min_uptime × max_restarts of it.
func TestUnstable(t *testing.T) {
	for _, test := range []struct {
		minUptime      float64
		maxRestarts    int
		delay, backoff float64
		want           bool
	}{
		{1000, 16, 0, 0, true},
		{1000, 16, 500, 0, true},
		{1000, 16, 2000, 0, false},
		{1000, 16, 0, 100, false}, // 100 ms, 150 ms … come to 16 s before the sixteenth
		{1000, 5, 0, 100, true},
		{1000, 0, 0, 0, false},
		{1000, 1 << 30, 0, 0, true},
	} {
		if got := unstable(test.minUptime, test.maxRestarts, test.delay, test.backoff); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestScript(t *testing.T) {
	files := map[string]string{"/srv/app/ecosystem.config.js": "module.exports = …"}
	var asked string
	node := func(name string, args ...string) ([]byte, error) {
		asked = name + " " + args[len(args)-1]
		return []byte(`{"apps":[{"script":"app.js","env":{"A":"1"},"env_production":{"A":"2"}}]}`), nil
	}
	text, _ := run(t, files, Options{Exec: node, Env: "production"}, "ecosystem.config.js")
	if !strings.Contains(text, "command = node app.js") || !strings.Contains(text, "A=2") || asked != "node /srv/app/ecosystem.config.js" {
		t.Errorf("%s asks %q", text, asked)
	}
	broken := func(string, ...string) ([]byte, error) { return nil, errors.New("no such thing") }
	if text, _ := run(t, files, Options{Exec: broken}, "ecosystem.config.js"); !strings.Contains(text, "node cannot run it: no such thing") {
		t.Error(text)
	}
	files["/srv/app/app.config.mjs"] = "export default …"
	if text, _ := run(t, files, Options{}, "app.config.mjs"); !strings.Contains(text, `node -e 'import("./app.config.mjs")`) || !strings.Contains(text, "> app.config.json") {
		t.Error(text)
	}
	if text, _ := run(t, files, Options{}, "ecosystem.config.js"); !strings.Contains(text, "msup runs none to read a configuration") {
		t.Error(text)
	}
}

func TestPM2Errors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"apps": []}`, "ecosystem.config.json:1: there are no apps in it"},
		{`{"apps": [{"name": "x"}]}`, "ecosystem.config.json:1: [apps] the app has no script"},
		{"{\n \"apps\": [{\"script\": \"a.js\",\n \"instances\": \"many\"}]}", "ecosystem.config.json:3: [a] instances: many is no number of instances"},
		{`{"apps": [{"script": "a.js", "kill_timeout": "1 s"}]}`, "[a] kill_timeout: 1 s is no time"},
		{`{"apps": [{"script": "a.js", "max_memory_restart": "1T"}]}`, "[a] max_memory_restart: 1T is no size"},
		{`{"apps": [{"script": "a.js", "min_uptime": "x"}]}`, "[a] min_uptime: x is no time"},
		{"{\n \"apps\": [", "ecosystem.config.json:2: "},
	} {
		if got, _ := run(t, map[string]string{"/srv/app/ecosystem.config.json": test.text}, Options{}, "ecosystem.config.json"); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", test.text, got)
		}
	}
}

func TestWordsOfPM2(t *testing.T) {
	for text, want := range map[string]string{
		`a  b`:               "a|b",
		`--name="x y" 'z z'`: `--name="x y"|z z`,
		`"" ' ' -x="1 2"`:    `-x="1 2"`,
	} {
		a := &pm2App{node: &node{kind: mapNode, keys: []nodeKey{{name: "args", value: &node{kind: textNode, text: text}}}}}
		if got := strings.Join(a.list("args"), "|"); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestPM2Script(t *testing.T) {
	for _, test := range []struct{ app, want string }{
		// pm2 makes ['-c', script] of the arguments.
		{`{"script": "npm run start", "args": "--prod"}`, "command = npm run start\n"},
		{`{"script": "npm start && echo done", "interpreter": "none"}`, "command = bash -c 'npm start && echo done'\n"},
		{`{"script": "npm", "args": "start", "interpreter": "none"}`, "command = npm start\n"},
		// It reads numbers as JavaScript does.
		{`{"script": "a.js", "instances": "4,"}`, "instances = 4\n"},
		{`{"script": "a.js", "stop_exit_codes": ["0", 143]}`, "success_exit_codes = 0 143\n"},
		{`{"script": "a.js", "stop_exit_codes": "[0]"}`, "[a] stop_exit_codes: [0] is no number"},
	} {
		got, report := run(t, map[string]string{"/srv/app/ecosystem.config.json": `{"apps": [` + test.app + `]}`}, Options{}, "ecosystem.config.json")
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", test.app, got)
		}
		if strings.Contains(test.app, "--prod") && report.Count(Dropped) != 1 {
			t.Errorf("%s: %v", test.app, report)
		}
	}
}

// The apps of a package.json.
func TestPM2Package(t *testing.T) {
	got, report := run(t, map[string]string{"/srv/app/package.json": `{"name": "shop", "scripts": {"start": "x"}, "pm2": {"name": "web", "script": "app.js"}}`}, Options{}, "package.json")
	if !strings.Contains(got, "[program web]\ncommand = node app.js\n") || report.Count(Dropped) > 0 {
		t.Errorf("%s %v", got, report)
	}
}

// What cannot be a configuration of msup's is not read as one.
func TestForeign(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       bool
	}{
		{"package.json", "{}", true},
		{"values.yaml", "a: 1\n", true},
		{"Procfile", "web ./web\n", true},
		{"msup.yaml", "[program web]\ncommand = ./web\n", false},
		{"msup.conf", "", false},
	} {
		if got := Foreign("/srv/"+test.name, []byte(test.text)); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
	if got, _ := run(t, map[string]string{"/srv/app/Procfile": "web ./web\n"}, Options{Direct: true}, "Procfile"); !strings.Contains(got, "Procfile:1: there is no process in it") {
		t.Error(got)
	}
}

func TestPM2Names(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Format
	}{
		{"app.json", `[{"name": "web", "script": "app.js"}]`, PM2},
		{"services.json", `{ name: 'web', script: 'app.js' }`, PM2},
		{"process.yml", "- script: ./app.js\n  name: web\n", PM2},
		{"package.json", `{"scripts": {"script": "node app.js"}}`, Unknown},
		{"package.json", `{"pm2": [{"script": "app.js"}]}`, PM2},
		{"app.json", `{"scripts": {"postdeploy": "rake db:migrate"}}`, Unknown},
		{"process.yml", "steps:\n  - run: build\n", Unknown},
	} {
		if got := Detect("/srv/"+test.name, []byte(test.text)); got != test.want {
			t.Errorf("%s %s: %q", test.name, test.text, got)
		}
	}
}
