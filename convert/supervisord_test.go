package convert

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"msup/config"
)

// Whatever a file holds, it is converted to what msup takes, or refused with a clear error; and
// each of its keys is told of.
func FuzzSupervisord(f *testing.F) {
	dirs, _ := filepath.Glob(corpus + "/*")
	for _, dir := range dirs {
		t := &testing.T{}
		for _, file := range readSample(t, dir).files {
			f.Add(string(file.Data))
		}
	}
	for _, s := range []string{
		"[supervisord]\n[program:a]\ncommand=x %(process_num)02d {{ }} \"{{\"\nnumprocs=2\nprocess_name=%(process_num)s{",
		"[DEFAULT]\na=%(a)s\n[program:a]\ncommand=%%%(ENV_PORT)s%%", "[a]\n b\n[b]\nc=d\n e\n\n f", "[program:a]\ncommand=a\nenvironment=A='\n'",
		"[group:x]\nprograms=a,a\n[program:a]\ncommand=a", "[program:a]\ncommand='a\nb' \"\\\\\"\nuser=x:y:z\nstdout_logfile='\"", "[include]\nfiles=*\n[program:x]\ncommand=a",
		"[program:a]\ncommand=a\nstdout_logfile=a\n[program:b]\ncommand=b\nstderr_logfile=a\nuser=u\n[supervisord]\nlogfile=a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, direct := range []bool{true, false} {
			res, err := Convert(tree(map[string]string{"/srv/supervisord.conf": text}), []string{"/srv/supervisord.conf"}, Options{
				Format: Supervisord, Hostname: "box", Direct: direct, Lookup: func(string) (string, bool) { return "1", true },
			})
			var invalid *config.Error
			if err != nil {
				if !errors.As(err, &invalid) || len(invalid.Diagnostics) == 0 {
					t.Fatalf("%v", err)
				}
				continue
			}
			_, err = config.Converted{Path: "/srv/supervisord.conf", Data: res.Document.Text()}.Read()
			if errors.As(err, &invalid) {
				for _, d := range invalid.Diagnostics {
					if !saidByConfig(d) {
						t.Errorf("%s\n%v", res.Document.Text(), d)
					}
				}
			} else if err != nil {
				t.Error(err)
			}
		}
	})
}

// saidByConfig are mistakes that supervisord would not have told of either when it read the file.
func saidByConfig(d config.Diagnostic) bool {
	return strings.HasPrefix(d.Message, "there is no program") || strings.Contains(d.Message, "is a name for a rotated") || strings.Contains(d.Message, "a name for a rotated") ||
		strings.Contains(d.Message, "is not set") // {{env X}} of the fuzzer
}

// Hostile files are refused with a clear error, in bounded time.
func TestHostile(t *testing.T) {
	many := func(n int, f string) string { return strings.Repeat(f, n) }
	for name, text := range map[string]string{
		"% bomb":     "[supervisord]\n[program:a]\ncommand=" + many(70, "%(ENV_BIG)s"),
		"wide":       "[supervisord]\n[program:a]\ncommand=" + many(100, "%(process_num)999d"),
		"long value": "[supervisord]\n[program:a]\ncommand=" + many(100<<10, "x"),
		"long lines": "[supervisord]\n[program:a]\ncommand=a\n" + many(100<<10, " x\n"),
		"many sections": func() (s string) {
			var b strings.Builder
			for i := range 20000 {
				b.WriteString("[program:" + strings.Repeat("a", i%50) + string(rune('a'+i%26)) + strings.Repeat("b", i/50) + "]\ncommand=a\n")
			}
			return b.String()
		}(),
		"gigantic":   many(maxFile, "#"),
		"binary":     "\x7fELF\x00\x01",
		"many marks": "[supervisord]\n" + many(1<<20, ";#") + "\nx",
	} {
		begin := time.Now()
		_, err := Convert(tree(map[string]string{"/s.conf": text + "\n"}), []string{"/s.conf"}, Options{
			Format: Supervisord, Direct: true, Lookup: func(string) (string, bool) { return many(1000, "y"), true },
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if len(err.Error()) > 20000 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// [DEFAULT] is in every program: what it comes to is bounded.
func TestDefaultBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("[DEFAULT]\ncommand=" + strings.Repeat("x", maxValue-100) + "\n")
	for i := range 4000 {
		b.WriteString("[program:p" + strings.Repeat("x", i%40) + string(rune('a'+i%26)) + "_" + strings.Repeat("y", i/40) + "]\n")
	}
	_, err := fromText(b.String())
	if err == nil || !strings.Contains(err.Error(), "all values together") {
		t.Errorf("got %.300v", err)
	}
}

func TestIncludes(t *testing.T) {
	const main = "[supervisord]\n[include]\nfiles = conf.d/*.conf supervisord.conf /etc/no*.conf\n[program:a]\ncommand=%(here)s/a\n"
	files := map[string]string{
		"/srv/supervisord.conf": main,
		"/srv/conf.d/2.conf":    "[program:a]\nuser=b\n[include]\nfiles=/srv/conf.d/never\n[program:c]\ncommand=%(here)s/c %(nothing)s",
		"/srv/conf.d/1.conf":    "[program:b]\ncommand=%(here)s/b\n",
	}
	_, err := Convert(tree(files), []string{"/srv/supervisord.conf"}, Options{})
	if err == nil || err.Error() != "/srv/conf.d/2.conf:6: [program:c] command: %(nothing) is not known here; known are group_name, here, host_node_name, program_name, numprocs, process_num and ENV_NAME; a percent sign that stands for itself is written %%" {
		t.Errorf("got %v", err)
	}
	files["/srv/conf.d/2.conf"] = strings.ReplaceAll(files["/srv/conf.d/2.conf"], " %(nothing)s", "")
	res, err := Convert(tree(files), []string{"supervisord.conf"}, Options{Cwd: "/srv"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(res.Document.Text())
	for _, want := range []string{"[program a]\ncommand = /srv/a\nuser = b\n", "[program b]\ncommand = /srv/conf.d/b\n", "[program c]\ncommand = /srv/conf.d/c\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, e := range res.Report.Entries {
		if e.Section == "include" && (e.File == "supervisord.conf") != (e.Verdict == Changed) {
			t.Errorf("%+v", e)
		}
	}
	// A loop of symbolic links is what reading it says.
	dir := t.TempDir()
	if err := os.Symlink("loop.conf", filepath.Join(dir, "loop.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "supervisord.conf"), []byte("[supervisord]\n[include]\nfiles=l*.conf\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Convert(os.DirFS("/"), []string{filepath.Join(dir, "supervisord.conf")}, Options{})
	if err == nil || !strings.Contains(err.Error(), "loop.conf: too many levels of symbolic links") {
		t.Errorf("a loop: %v", err)
	}
}

// A user that is not known would be root: that is an error also where other keys are dropped.
func TestUserIsNotDropped(t *testing.T) {
	text := "[program:a]\ncommand=/bin/a\numask=%(ENV_MASK)s\nuser=%(ENV_WHO)s\n"
	res, err := Convert(tree(map[string]string{"/s.conf": text}), []string{"/s.conf"}, Options{})
	if err == nil || err.Error() != "/s.conf:4: [program:a] user: the variable WHO is not set; set it: WHO=… msup …" {
		t.Errorf("got %v", err)
	}
	if res.Report.Count(Dropped) != 1 {
		t.Errorf("dropped: %v", res.Report.Entries)
	}
}

// The project of a file that cannot be read to its end is still known, so that it can be stopped.
func TestProjectOfBrokenFile(t *testing.T) {
	text := "[supervisord]\nidentifier=shop\n[program:a]\ncommand=/bin/a\nrubbish\n"
	res, err := Convert(tree(map[string]string{"/s.conf": text}), []string{"/s.conf"}, Options{})
	if err == nil || !strings.Contains(err.Error(), "s.conf:5: [program:a] \"rubbish\"") {
		t.Errorf("got %v", err)
	}
	if got := res.Document.Project(); got != "shop" {
		t.Errorf("project %q", got)
	}
}

// supervisord looks at no key of [supervisord] that it does not know, nor at what is in it.
func TestUnknownDaemonKey(t *testing.T) {
	res, err := fromText("[supervisord]\nstdout_logfile=/var/log/%(program_name)s.log\ncolour=%\n[program:a]\ncommand=/bin/a\n")
	if err != nil {
		t.Fatal(err)
	}
	if e := res.Report.Entries[0]; e.Verdict != Dropped || e.Instead != "it belongs in [program:NAME]" {
		t.Errorf("%+v", e)
	}
	if e := res.Report.Entries[1]; e.Verdict != Dropped || e.Instead != "" {
		t.Errorf("%+v", e)
	}
}

// A number of Python's has any length, and underscores.
func TestLongNumbers(t *testing.T) {
	cfg := webOf(t, "[program:web]\ncommand=/bin/a\nstartretries=4294967295\nstopwaitsecs=99999999999999999999\nstartsecs=1_0\nstdout_logfile=a.log\nstdout_logfile_maxbytes=5368709120\nstdout_logfile_backups=+2\n")
	p := cfg.Program("web")
	if p.Rules.StartRetries == nil || *p.Rules.StartRetries != math.MaxInt32 || p.StopTimeout != 365*24*time.Hour || p.Rules.StartPeriod != 10*time.Second {
		t.Errorf("rules %+v, stop timeout %v", p.Rules, p.StopTimeout)
	}
	if p.Log.MaxSize != 5<<30 || p.Log.Backups != 2 {
		t.Errorf("log %+v", p.Log)
	}
	for text, want := range map[string]uint64{"-1": 0, "-1MB": 0, "9999999999999GB": maxBytes, " 1 KB": 1 << 10} {
		if got, err := byteSize(text); got != want || err != nil {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
	}
}

// NONE says that there is no file; with stdout_syslog the output has another place to go to.
func TestSyslogWithoutFile(t *testing.T) {
	cfg := webOf(t, "[program:web]\ncommand=/bin/a\nstdout_logfile=NONE\nstdout_syslog=true\nstderr_logfile=NONE\nstderr_syslog=false\n")
	if p := cfg.Program("web"); p.Stdout != "" || p.Stderr != "/dev/null" {
		t.Errorf("stdout %q, stderr %q", p.Stdout, p.Stderr)
	}
}

// supervisord takes ~ in its own directory and in paths of log files for the home, in a program's
// directory for a name.
func TestTilde(t *testing.T) {
	cfg := webOf(t, "[supervisord]\ndirectory=~/run\n[program:web]\ncommand=/bin/a\ndirectory=~/app\nstdout_logfile=~/a.log\n[program:b]\ncommand=/bin/b\ndirectory=/srv/~\n[program:c]\ncommand=/bin/c\n")
	if p := cfg.Program("web"); p.Directory != "/srv/~/app" || p.Stdout != "/home/me/a.log" {
		t.Errorf("directory %q, stdout %q", p.Directory, p.Stdout)
	}
	if b, c := cfg.Program("b").Directory, cfg.Program("c").Directory; b != "/srv/~" || c != "/home/me/run" {
		t.Errorf("directories %q, %q", b, c)
	}
}

// A group that names a program twice has it once.
func TestTwiceInGroup(t *testing.T) {
	cfg := webOf(t, "[program:web]\ncommand=/bin/a\n[group:g]\nprograms=web, web\n")
	if n := len(cfg.Programs); n != 1 {
		t.Errorf("%d programs", n)
	}
}

// The log of supervisord may be that of a program, also where both name a variable.
func TestProgramWritesDaemonLog(t *testing.T) {
	text := "[supervisord]\nlogfile=%(ENV_PORT)s/all.log\n[program:web]\ncommand=/bin/a\nstdout_logfile=%(ENV_PORT)s/all.log\n"
	for _, direct := range []bool{true, false} {
		res, err := Convert(tree(map[string]string{"/s.conf": text}), []string{"/s.conf"}, Options{Direct: direct, Lookup: testEnvironment})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Document.find(projectSection, "").get("logfile"); got != "none" {
			t.Errorf("direct %v: logfile = %s", direct, got)
		}
	}
}

// What supervisord's sample file says of its keys means nothing beside msup's.
func TestSampleNotes(t *testing.T) {
	got := meaningful([]string{
		"the program (relative uses PATH, can take args)", "setuid to this UNIX account to run the program",
		"each refers to 'x' in [program:x] definitions", "directory to cwd to before exec (def no cwd)", "the shop's web server",
	})
	if !slices.Equal(got, []string{"the shop's web server"}) {
		t.Errorf("%q", got)
	}
}

// A file that two programs write is rotated as the first of them says, and so are all files of the
// second, which the report tells.
func TestOverruledRotation(t *testing.T) {
	res, err := fromText("[program:a]\ncommand=/bin/a\nstderr_logfile=err.log\nstderr_logfile_maxbytes=2MB\n" +
		"[program:b]\ncommand=/bin/b\nstdout_logfile=b.log\nstdout_logfile_maxbytes=1MB\nstderr_logfile=err.log\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Document.find(programSection, "b").get("log_max_size"); got != "2MB" {
		t.Errorf("log_max_size = %s", got)
	}
	for _, e := range res.Report.Entries {
		if e.Key == "stdout_logfile_maxbytes" && (e.Verdict != Changed || !slices.Equal(e.Became, []string{"log_max_size = 2MB"}) || !strings.HasPrefix(e.Why, "program a writes")) {
			t.Errorf("%+v", e)
		}
	}
}

// Two keys that become one line both say so, and once.
func TestDefaultIsSaidOnce(t *testing.T) {
	res, err := fromText("[program:a]\ncommand=/bin/a\nstopasgroup=true\nkillasgroup=true\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Report.Entries[1:] {
		if !slices.Equal(e.Became, []string{"systemd.KillMode = control-group (the default)"}) {
			t.Errorf("%+v", e)
		}
	}
}

// A program without processes has an entry for its autostart too.
func TestNoProcesses(t *testing.T) {
	res, err := fromText("[program:a]\ncommand=/bin/a\nnumprocs=0\nautostart=true\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Document.find(programSection, "a").get("autostart"); got != "false" {
		t.Errorf("autostart = %s", got)
	}
	if n := len(res.Report.Entries); n != 3 {
		t.Errorf("%d entries", n)
	}
}
