package convert

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"msup/config"

	"pgregory.net/rapid"
)

// loaded reads a document as msup would.
func loaded(d *Document) (*config.Config, error) {
	return config.Converted{Path: "/srv/made.conf", Data: d.Text()}.Read()
}

// What is written is read as the same again, whatever is in it.
func TestWrittenIsRead(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune(`ab"'\ #;={}$%[]|é	,`)), 1, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		arg, value, prefix := text.Draw(t, "arg"), text.Draw(t, "value"), text.Draw(t, "prefix")
		d := &Document{}
		s := d.section(programSection, "web", Place{})
		if err := s.set(Place{}, "command", words("/bin/echo", literal(arg))); err != nil {
			t.Fatal(err)
		}
		if err := s.set(Place{}, "environment", variable("A", literal(value))); err != nil {
			t.Fatal(err)
		}
		if err := s.set(Place{}, "log_prefix", literal(prefix)); err != nil {
			if !strings.Contains(prefix, `"`) || !strings.Contains(prefix, "'") {
				t.Fatalf("log_prefix %q: %v", prefix, err)
			}
			prefix = ""
		}
		cfg, err := loaded(d)
		if err != nil {
			t.Fatalf("%s\n%v", d.Text(), err)
		}
		p := cfg.Program("web")
		if p.Argv[1] != arg || p.Environment[0] != "A="+value || p.Log.Prefix != prefix {
			t.Fatalf("%s\n%q %q %q", d.Text(), p.Argv, p.Environment, p.Log.Prefix)
		}
	})
}

func TestTidy(t *testing.T) {
	d := &Document{}
	defaults := d.section(defaultsSection, "", Place{})
	web := d.section(programSection, "web", Place{})
	for _, k := range [][2]string{{"max_restarts", "0"}, {"stop_timeout", "10"}} {
		if err := defaults.set(Place{}, k[0], k[1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range [][2]string{{"command", "/bin/true"}, {"max_restarts", "0"}, {"start_seconds", "1"}, {"log_backups", "3"}} {
		if err := web.set(Place{}, k[0], k[1]); err != nil {
			t.Fatal(err)
		}
	}
	d.tidy()
	const want = "[defaults]\nmax_restarts = 0\n\n[program web]\ncommand = /bin/true\nlog_backups = 3\n"
	if got := string(d.Text()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPlaces(t *testing.T) {
	d := &Document{}
	s := d.section(programSection, "web", Place{"a.ini", 3})
	if err := s.set(Place{"a.ini", 5}, "command", "/bin/true"); err != nil {
		t.Fatal(err)
	}
	if err := s.set(Place{"b.ini", 7}, "log_backups", "many"); err != nil {
		t.Fatal(err)
	}
	s.Keys[1].Comments = []string{"why"}
	places := d.Places()
	_, err := config.Converted{Path: "/srv/a.ini", Data: d.Text(), Place: func(line int) (string, int) {
		return places[line-1].File, places[line-1].Line
	}}.Read()
	if err == nil || !strings.HasPrefix(err.Error(), "b.ini:7: [program web] log_backups:") {
		t.Errorf("got %v", err)
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          Format
	}{
		{"/etc/systemd/system/web.service", "", SystemdUnit},
		{"web", "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n", SystemdUnit},
		{"docker-compose.yml", "services:\n  web:\n    image: nginx\n", Compose},
		{"compose.yaml", "services:\n  web:\n    build: .\n", Compose},
		{"process.json", `{"name": "a", "script": "a.js"}`, PM2},
		{"process.json", `{"name": "a"}`, Unknown},
		{"package.json", `{"scripts": {"script": "a.js"}}`, Unknown},
		{"msup.conf", "[program web]\ncommand = /bin/true\n", Unknown},
		{"msup.conf", "program web\ncommand = /bin/true\n", Unknown},
		{"msup.conf", "[program:web]\ncommand = /bin/true\nstdout = a.log\n", Unknown},
		{"msup.conf", "[program:web]\ncommand = /bin/true\nautorestart = true\n", Unknown},
		{"web.conf", "[program:web]\ncommand = /bin/true\n", Unknown},
		{"web.conf", "[program:web]\ncommand = /bin/true\nautorestart = true ; yes\n", Supervisord},
		{"web.conf", "[program:web]\ncommand = %(here)s/run\n", Supervisord},
		{"web.conf", "[program:web]\ncommand = date +%d\n", Unknown},
		{"web.conf", "\xef\xbb\xbf[program:web]\r\ncommand=/bin/true\r\nstartsecs=2\r\n", Supervisord},
		{"supervisord.conf", "[program:web]\ncommand = /bin/true\n", Supervisord},
		{"/etc/supervisor/conf.d/web.conf", "[program:web]\ncommand = /bin/true\n", Supervisord},
		{"/etc/supervisord.d/web.ini", "[program:web]\ncommand = /bin/true\n", Supervisord},
		{"/etc/supervisor/conf.d/web.conf", "[program:web]\ncommand = /bin/true\nmemory_limit = 1G\n", Unknown},
		{"/etc/supervisor/conf.d/web.conf", "[program web]\ncommand = /bin/true\n", Unknown},
		{"/srv/supervisor/supervisor.conf", "[program:web]\ncommand = /bin/true\n", Unknown},
		{"empty", "", Unknown},
	} {
		if got := Detect(c.name, []byte(c.content)); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.name, c.content, got, c.want)
		}
	}
}

// A program that both msup and supervisord take is supervisord's when it is to be imported.
func TestImportPlainProgram(t *testing.T) {
	const plain = "[program:web]\ncommand = /bin/true\nuser = nobody\n"
	for _, c := range []struct {
		name, content string
		direct        bool
		want          Format
	}{
		{"web.conf", plain, false, Supervisord},
		{"web.conf", plain, true, Unknown},
		{"web.conf", plain + "[defaults]\nnice = 1\n", false, Unknown},
		{"web.conf", plain + "memory_limit = 1G\n", false, Unknown},
		{"msup.conf", plain, false, Unknown},
		{"supervisor.conf", plain, false, Supervisord},
		{"supervisor.conf", plain + "autorestart = true\n", false, Supervisord},
		{"supervisor.conf", plain + "autorestart = true\n", true, Unknown},
		{"supervisor.conf", plain + "memory_limit = 1G\n", false, Unknown},
		{"supervisor.conf", "program web\ncommand = /bin/true\n", false, Unknown},
	} {
		files := fstest.MapFS{c.name: {Data: []byte(c.content)}}
		res, err := Convert(files, []string{"/" + c.name}, Options{Direct: c.direct})
		var refused *RefusedError
		switch {
		case c.want == Unknown && !errors.As(err, &refused):
			t.Errorf("%s %q: %v", c.name, c.content, err)
		case c.want != Unknown && (err != nil || res.Format != c.want):
			t.Errorf("%s %q: %v, %v", c.name, c.content, res, err)
		}
	}
}

// One log file for all processes is what most pools of supervisord have: there is nothing to warn
// of in a file that is run as it is.
func TestOneLogIsNoWarning(t *testing.T) {
	data := []byte("[program:p]\ncommand=/bin/true\nnumprocs=2\nprocess_name=%(process_num)d\nstdout_logfile=/tmp/p.log\n")
	for _, c := range []struct {
		direct bool
		want   int
	}{{true, 0}, {false, 1}} {
		res, err := Convert(fstest.MapFS{"s.conf": {Data: data}}, []string{"/s.conf"}, Options{Direct: c.direct})
		if err != nil {
			t.Fatal(err)
		}
		made := config.Converted{Path: "/s.conf", Data: res.Document.Text()}
		if c.direct {
			made.Place = func(int) (string, int) { return "s.conf", 1 }
		}
		cfg, err := made.Load()
		if err != nil || len(cfg.Warnings) != c.want {
			t.Errorf("direct %v: %v, %v", c.direct, cfg.Warnings, err)
		}
	}
}
