package convert

import (
	"strings"
	"testing"

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
		{"msup.conf", "[program web]\ncommand = /bin/true\n", Unknown},
		{"msup.conf", "program web\ncommand = /bin/true\n", Unknown},
		{"msup.conf", "[program:web]\ncommand = /bin/true\nstdout = a.log\n", Unknown},
		{"empty", "", Unknown},
	} {
		if got := Detect(c.name, []byte(c.content)); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.name, c.content, got, c.want)
		}
	}
}
