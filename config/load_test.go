package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"msup/units"
)

func TestMainFileMissing(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "nothere.conf"))
	var ce *Error
	if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &ce) {
		t.Errorf("error is %#v", err)
	}
}

// TestLoadHere loads a file of this machine, relative paths and all.
func TestLoadHere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	text := "program web\ncommand = /bin/sh -c 'exit 0'\nstdout = logs/web.log\nmemory_limit = 1%\n"
	if err := os.WriteFile("x.conf", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load("x.conf")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "logs/web.log"); c.Programs[0].Stdout != want || c.Dir != dir {
		t.Errorf("stdout %s in %s, want %s", c.Programs[0].Stdout, c.Dir, want)
	}
	if _, err := os.Stat("logs"); err == nil {
		t.Error("Load created a folder")
	}
}

// TestHost asks the real machine.
func TestHost(t *testing.T) {
	h := newHost()
	for name, want := range map[string]bool{"root": true, "12345": true, "no-such-name": false} {
		if h.knownUser(name) != want || h.knownGroup(name) != want {
			t.Errorf("user, group %s: %t, %t; want %t", name, h.knownUser(name), h.knownGroup(name), want)
		}
	}
	if total, err := h.memTotal(); err != nil || total < 1<<20 {
		t.Errorf("physical memory %d, %v", total, err)
	}
	if !h.isDir("/") || h.isDir("/proc/meminfo") || h.head("/") != nil {
		t.Error("cannot tell folders from files")
	}
}

// TestEncodings: what is no text is refused once, with its line.
func TestEncodings(t *testing.T) {
	const head = "[program a]\ncommand = sleep\n"
	for text, want := range map[string]string{
		"\xff\xfe[\x00":               "x.conf:1: the file is UTF-16; save it as UTF-8",
		head + "nice = 5\x00\nx":      "x.conf:3: the line holds a NUL byte: this is no text file",
		head + "description = \xff":   "x.conf:3: [program a] the line is not valid UTF-8",
		head + "description = a\x07b": "x.conf:3: [program a] the line holds the control character U+0007",
		head + "description = a\rb":   "x.conf:3: [program a] the line holds the control character U+000D",
		head + "description=a\u2028b": "x.conf:3: [program a] the line holds the control character U+2028",
	} {
		if _, err := loadText(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
}

// TestNotRoot: a user manager cannot change user.
func TestNotRoot(t *testing.T) {
	h := fakeHost(map[string]string{"x.conf": "[program a]\ncommand = sleep\nuser = root\ngroup = root\nlog_owner = root\n"})
	h.euid = 1000
	_, err := load("x.conf", h, true)
	const want = "x.conf:3: [program a] user: only root can run a program as another user; remove the key, or run msup as root\n" +
		"x.conf:4: [program a] group: only root can run a program as another group; remove the key, or run msup as root\n" +
		"x.conf:5: [program a] log_owner: only root can give a file to another user; remove the key, or run msup as root"
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

// TestRead: without the questions to the machine only the file itself counts.
func TestRead(t *testing.T) {
	text := "[program a]\ncommand = nothere\ndirectory = nothere\nuser = nobody-here\nenv_file = nothere\nstdout = readonly/x\n" +
		"[program b]\ncommand = ./nothere\n"
	h := fakeHost(map[string]string{"x.conf": text})
	c, err := load("x.conf", h, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{c.Programs[0].Path, c.Programs[1].Path}; !cmp.Equal(got, []string{"", "/srv/app/nothere"}) {
		t.Errorf("paths %q", got)
	}
	_, err = load("x.conf", h, true)
	var ce *Error
	if !errors.As(err, &ce) || len(ce.Diagnostics) != 6 {
		t.Errorf("Load finds\n%v", err)
	}
}

// TestShownPaths: the main file is named as the user did, others relative to the working
// directory when that is shorter.
func TestShownPaths(t *testing.T) {
	const bad = "[program x]\ncommand = sleep\nnice = x\n"
	files := map[string]string{"x.conf": bad + "[include]\nfiles = d/y.conf\n", "d/y.conf": strings.ReplaceAll(bad, "x]", "y]")}
	for _, tt := range []struct{ cwd, path, main, included string }{
		{testDir, "x.conf", "x.conf", "d/y.conf"},
		{testDir, "./x.conf", "./x.conf", "d/y.conf"},
		{testDir + "/d", "../x.conf", "../x.conf", "y.conf"},
		{"/", testDir + "/x.conf", testDir + "/x.conf", testDir + "/d/y.conf"},
		{"/home/somebody/far/away", testDir + "/x.conf", testDir + "/x.conf", testDir + "/d/y.conf"},
	} {
		h := fakeHost(files)
		h.cwd = tt.cwd
		_, err := load(tt.path, h, true)
		var ce *Error
		if !errors.As(err, &ce) || len(ce.Diagnostics) != 2 || ce.Diagnostics[0].File != tt.main || ce.Diagnostics[1].File != tt.included {
			t.Errorf("%s in %s: %v", tt.path, tt.cwd, err)
		}
	}
}

// TestOthersConfigurations: who comes from supervisord or from unit files is told what it is
// called here, or that it is not needed, and each mistake once.
func TestOthersConfigurations(t *testing.T) {
	for text, want := range map[string]string{
		"[supervisord]\nlogfile = /x\n[program:a]\ncommand = sleep\n":                 "x.conf:1: unknown section [supervisord]; what is about the whole project stands in [msup]; supervisord's other settings are not needed",
		"[program:a]\ncommand = sleep\n[rpcinterface:supervisor]\nx = y\n":            "x.conf:3: unknown section [rpcinterface:supervisor]; msup has no server; remove the section",
		"[Service]\nExecStart = /bin/x\n":                                             "x.conf:1: unknown section [Service]; this is a unit file's; for each program write [program NAME], settings of systemd's as systemd.NAME = value",
		"[program:a]\ncommand = sleep\npriority = 3\n":                                "x.conf:3: [program a] priority: unknown key; programs are started in the order in which they stand in the file, and stopped in the opposite one; depends_on has one wait for another",
		"[program:a]\ncomand = sleep\n":                                               "x.conf:2: [program a] comand: unknown key; did you mean command?",
		"[program:a]\nExecStart = sleep\n":                                            "x.conf:2: [program a] ExecStart: unknown key; msup calls it command",
		"[program:a]\nnice = 5\n":                                                     "x.conf:1: [program a] the program has no command; add one, for example command = /usr/bin/python3 -m http.server 8080",
		"[program:a]\ncommand = sleep\nsystemd.ProtectSystem = sometimes\n":           `x.conf:3: [program a] systemd.ProtectSystem: "sometimes" is not yes, no, full or strict; write for example strict`,
		"[program:a]\ncommand = /srv/app/nothere\n":                                   "x.conf:2: [program a] command: /srv/app/nothere does not exist",
		"[program:a]\ncommand = sleep\ndirectory = /srv/app/nothere\n":                "x.conf:3: [program a] directory: folder /srv/app/nothere does not exist; create it, or name another",
		"[program:a]\ncommand = ./nothere\nenv_file = /srv/app/no.env\n[program:b]\n": "x.conf:2: [program a] command: nothere does not exist\nx.conf:3: [program a] env_file: /srv/app/no.env does not exist; write -/srv/app/no.env if it may be missing\nx.conf:4: [program b] the program has no command; add one, for example command = /usr/bin/python3 -m http.server 8080",
	} {
		if _, err := loadText(text); err == nil || err.Error() != want {
			t.Errorf("%q:\n%v\nwant\n%s", text, err, want)
		}
	}
}

// TestOneFile: what several programs write to one file must fit together.
func TestOneFile(t *testing.T) {
	for text, want := range map[string]string{
		"[program a]\ncommand=sleep\nstdout=x\nstderr=./x\n":                                           "",
		"[program a]\ncommand=sleep\nstdout=/dev/null\n[program b]\ncommand=sleep\nstderr=/dev/null\n": "",
		"[program a]\ncommand=sleep\nstdout=x\n[program b]\ncommand=sleep\nstderr=y/../x\n":            "",
		"[program a]\ncommand=sleep\nstdout=supervisor.log\n":                                          "x.conf:3: [program a] stdout: msup itself writes to supervisor.log; use another file, or set logfile in [msup]",
		"[msup]\nlogfile=none\n[program a]\ncommand=sleep\nstdout=supervisor.log\n":                    "",
		"[msup]\nlogfile=x.2\n[program a]\ncommand=sleep\nstdout=x\n":                                  "x.conf:5: [program a] stdout: msup itself writes to x.2, a name for a rotated x; use another file, or set logfile in [msup]",
		"[program a]\ncommand=sleep\nstdout=/dev/null/x\n":                                             "x.conf:3: [program a] stdout: cannot create /dev/null/x: /dev/null is not a folder",
	} {
		_, err := loadText(text)
		if got := ""; err != nil {
			got = err.Error()
			if got != want {
				t.Errorf("%s\n%s\nwant %s", text, got, want)
			}
		} else if want != "" {
			t.Errorf("%s\nloads, want %s", text, want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"web": true, "web-1.x_y": true, "1": true, "all": false, "": false, "-x": false, ".x": false, "a b": false, "a@b": false, "é": false,
		strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "a%b": false, "allx": true,
	} {
		if got := nameProblem(name) == ""; got != ok {
			t.Errorf("program %q: %q", name, nameProblem(name))
		}
	}
	for name, ok := range map[string]bool{"shop": true, "default": true, "a_1": true, "a-b": false, "a.b": false, "_a": false, "a@b": false} {
		if got := projectProblem(name) == ""; got != ok {
			t.Errorf("project %q: %q", name, projectProblem(name))
		}
	}
}

// TestGroupNames: a group's name becomes part of the slice's, in which a dash means another slice.
func TestGroupNames(t *testing.T) {
	for name, ok := range map[string]bool{"web": true, "a_1": true, "default": true, "all": false, "": false, "a-b": false, "a.b": false, "_a": false, strings.Repeat("x", 65): false} {
		if got := groupProblem(name) == ""; got != ok {
			t.Errorf("group %q: %q", name, groupProblem(name))
		}
	}
}

// TestGroupChangesDigest: a unit stays in the slice it was started in, so that a program
// that comes into a group has to be restarted, and no other.
func TestGroupChangesDigest(t *testing.T) {
	digests := func(text string) (out []string) {
		c, err := load("x.conf", fakeHost(map[string]string{"x.conf": "[program a]\ncommand = sleep 1\n[program b]\ncommand = sleep 1\n" + text}), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Programs {
			out = append(out, p.Digest)
		}
		return out
	}
	none, one := digests(""), digests("[group g]\nprograms = a\n")
	other, limited := digests("[group h]\nprograms = a\n"), digests("[group g]\nprograms = a\nmemory_limit = 1G\n")
	if none[0] == one[0] || one[0] == other[0] || none[1] != one[1] || one[0] != limited[0] {
		t.Errorf("digests %v, in a group %v, in another %v, with a limit %v", none, one, other, limited)
	}
}

// TestKeys: the table describes every key, and its examples and defaults are values.
func TestKeys(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		if k.Name == anySystemd {
			continue // see TestSystemdKeys
		}
		if seen[k.Section+" "+k.Name] || !regexp.MustCompile(`^[a-z_]+$`).MatchString(k.Name) {
			t.Errorf("key name %q", k.Name)
		}
		seen[k.Section+" "+k.Name] = true
		if (k.Default == "") == (k.Unset == "") || k.Allowed == "" || k.Example == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s is not described: %+v", k.Name, k)
		}
		for _, value := range []string{k.Example, k.Default} {
			if value == "" || k.Section == includeSection {
				continue
			}
			text := "[" + strings.Replace(sectionWords(k.Section), "NAME", "x", 1) + "]\n" + k.Name + " = " + value + "\n"
			switch {
			case k.Name == "programs":
				text += "[program web]\ncommand = sleep\n[program worker-1]\ncommand = sleep\n"
			case k.Section == groupSection:
				text += "programs = x\n[program x]\ncommand = sleep\n"
			case k.Name == "command":
			case k.Name == dependsOn:
				text += "command = sleep\n"
				for _, name := range []string{"db", "cache", "search", "migrate"} {
					text += "[program " + name + "]\ncommand = sleep\n"
				}
			case k.Name == "journal":
				text += "command = sleep\nstdout = null\nstderr = null\n"
			case k.Name == "on_demand":
				text += "command = sleep\nlisten = 8080\n"
			case k.Section == programSection:
				text += "command = sleep\n"
			default:
				text += "[program x]\ncommand = sleep\n"
			}
			h := fakeHost(map[string]string{"x.conf": text})
			if _, err := load("x.conf", h, false); err != nil {
				t.Errorf("%s = %s: %v", k.Name, value, err)
			}
		}
	}
}

func TestName(t *testing.T) {
	for text, want := range map[string]string{
		"[program web]\ncommand = sleep 1\n":                                units.DefaultProject,
		"[msup]\nproject = shop # ours\n[program web]\ncommand = sleep 1\n": "shop",
		"[msup]\nproject = shop\n[program web]\nfrobnicate\n":               "shop", // no matter: it is not looked at
		"[msup]\nproject = a-b\n":                                           "",
		"[msup]\nporject = shop\n":                                          "",
	} {
		path := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Name(path); got != want || (err == nil) != (want != "") {
			t.Errorf("Name of %q = %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := Name(filepath.Join(t.TempDir(), "none.conf")); err == nil {
		t.Error("Name of a missing file gives no error")
	}
}

// BenchmarkLoad500 is what every command pays on a large project, on the real machine.
func BenchmarkLoad500(b *testing.B) {
	b.Chdir(b.TempDir())
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "[program p%d]\ncommand = sleep 1\nmemory_limit = 64M\nstdout = logs/p%d\n", i, i)
	}
	if err := os.WriteFile("x.conf", []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	for name, load := range map[string]func(string) (*Config, error){"Load": Load, "Read": Read} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := load("x.conf"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
