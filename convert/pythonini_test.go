package convert

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"msup/config"
)

// tree is a file system of texts by absolute path.
func tree(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[inFS(name)] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return m
}

// fromText converts one supervisord.conf.
func fromText(text string) (*Result, error) {
	return Convert(tree(map[string]string{"/srv/supervisord.conf": text}), []string{"/srv/supervisord.conf"}, Options{Format: Supervisord, Hostname: "box", Direct: true, Lookup: testEnvironment})
}

func testEnvironment(name string) (string, bool) {
	value, ok := map[string]string{"PORT": "8080", "WORDS": "a 'b c'", "HOME": "/home/me"}[name]
	return value, ok
}

// webOf is program web as it comes out of a configuration.
func webOf(t *testing.T, text string) *config.Config {
	t.Helper()
	res, err := fromText(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	cfg, err := config.Converted{Path: "/srv/supervisord.conf", Data: res.Document.Text()}.Read()
	if err != nil {
		t.Fatalf("%s\n%v", res.Document.Text(), err)
	}
	return cfg
}

// What supervisord's parser makes of a command, tried with supervisor 4.2.5 on Python 3.11.
func TestCommands(t *testing.T) {
	for text, want := range map[string][]string{
		"command=/bin/echo a b":                            {"/bin/echo", "a", "b"},
		"command: /bin/echo a":                             {"/bin/echo", "a"},
		"COMMAND = /bin/echo a":                            {"/bin/echo", "a"},
		"command=/bin/echo a ; note":                       {"/bin/echo", "a"},
		"command=/bin/echo a # note":                       {"/bin/echo", "a"},
		"command=/bin/echo a;b #c":                         {"/bin/echo", "a;b"},
		"command=/bin/echo /x;y":                           {"/bin/echo", "/x;y"},
		"command=/bin/echo a;b ;c #d":                      {"/bin/echo", "a;b", ";c"},
		"command=/bin/echo 'a b' \"c\\\"d\" e\\ f":         {"/bin/echo", "a b", `c"d`, "e f"},
		"command=/bin/echo \"a\\$b\" \"c\\\\d\"":           {"/bin/echo", `a\$b`, `c\d`},
		"command=/bin/echo 100%% %(program_name)s":         {"/bin/echo", "100%", "web"},
		"command=/bin/echo %(ENV_PORT)s %(ENV_WORDS)s":     {"/bin/echo", "8080", "a", "b c"},
		"command=/bin/echo %(host_node_name)s %(here)s":    {"/bin/echo", "box", "/srv"},
		"command=/bin/echo %(process_num)02d %(numprocs)d": {"/bin/echo", "00", "1"},
		"command=/bin/echo\n  a\n\n  b":                    {"/bin/echo", "a", "b"},
		"command=/bin/echo\n  a\n; comment\n  b ; note":    {"/bin/echo", "a", "b"},
		"command=/bin/echo '{{x}}'":                        {"/bin/echo", "{{x}}"},
		"environment=X=\"y\"\ncommand=/bin/echo %(ENV_X)s": {"/bin/echo", "y"},
		"command=/bin/echo a\ncommand=/bin/echo b":         {"/bin/echo", "b"},
		"command=/bin/echo ~ * $HOME":                      {"/bin/echo", "~", "*", "$HOME"},
		"command=/bin/echo é日":                             {"/bin/echo", "é日"},

		"command=/bin/echo [%(process_num)3d] [%(program_name)-5s] %(program_name)5.2s": {"/bin/echo", "[", "0]", "[web", "]", "we"},
	} {
		cfg := webOf(t, "[supervisord]\n[program:web]\n"+text+"\n")
		if got := cfg.Program("web").Argv; !slices.Equal(got, want) {
			t.Errorf("%s\ngives %q, want %q", text, got, want)
		}
	}
}

// What dict_of_key_value_pairs makes of an environment (POSIX shlex, as since supervisor 4.4).
func TestSplitPairs(t *testing.T) {
	for text, want := range map[string][]pair{
		"":                          nil,
		`A="a,b",C='d e'`:           {{"A", "a,b"}, {"C", "d e"}},
		`A="b#c"`:                   {{"A", "b#c"}},
		"A=b#c,B=2":                 {{"A", "b"}},
		"A=1;B=2":                   {{"A", "1"}, {"B", "2"}},
		"A=1,B=2,":                  {{"A", "1"}, {"B", "2"}},
		"A=1,\nB=2":                 {{"A", "1"}, {"B", "2"}},
		`A="x\"y"`:                  {{"A", `x"y`}},
		`A="",B="2"`:                {{"A", ""}, {"B", "2"}},
		"A=/usr/bin:/bin,B=a.b+c-d": {{"A", "/usr/bin:/bin"}, {"B", "a.b+c-d"}},
		"A=1,A=2":                   {{"A", "2"}},
		`A="C:\path"`:               {{"A", `C:\path`}},
		"A=f(x)":                    {{"A", "f(x)"}},
	} {
		got, err := splitPairs(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s gives %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"A=1 B=2", "A=x@y", "A=,B=2", "A", "A=", "=1", `A="x`, `A=x\`, "A:1"} {
		if got, err := splitPairs(text); err == nil {
			t.Errorf("%s gives %q, want an error", text, got)
		}
	}
}

// Mistakes are told with their line, and what is allowed.
func TestSupervisordErrors(t *testing.T) {
	const head = "[supervisord]\n[program:web]\n"
	for text, want := range map[string]string{
		"a=1\n":                                                            "supervisord.conf:1: \"a=1\" stands outside any section",
		head + "command\n":                                                 "supervisord.conf:3: [program:web] \"command\" is neither",
		head + "command=a %x":                                              "supervisord.conf:3: [program:web] command: \"%x\" is no name to be replaced; a percent sign that stands for itself is written %%",
		head + "command=%(x)s":                                             "command: %(x) is not known here; known are group_name, here, host_node_name, program_name, numprocs, process_num and ENV_NAME",
		head + "command=%(ENV_NONE)s":                                      "command: the variable NONE is not set; set it: NONE=…",
		head + "command=a\nstartsecs=%(ENV_PORT)d":                         "startsecs: %(ENV_PORT)d: it is a text",
		head + "command=%(process_num)1000d":                               "a width of more than 999",
		head + "command=%(process_num":                                     "is no name to be replaced",
		head + "command=a 'b":                                              "a quote is not closed",
		head + "command=sh -c \"a ; b\"":                                   "a quote is not closed; what stands behind a space and ; or # is a comment",
		head + "command=":                                                  "the command is empty",
		head + "autostart=true":                                            "the program has no command",
		head + "command=a\nautostart=maybe":                                "\"maybe\" is none of yes, true",
		head + "command=a\nautorestart=sometimes":                          "is none of true, false and unexpected",
		head + "command=a\nexitcodes=0,x":                                  "\"x\" is not an exit status",
		head + "command=a\nexitcodes=256":                                  "is not an exit status",
		head + "command=a\nstopsignal=FOO":                                 "\"FOO\" is no signal",
		head + "command=a\numask=9":                                        "is not an octal",
		head + "command=a\nnumprocs=2":                                     "there must be a process_name",
		head + "command=a\nnumprocs=2\nprocess_name=x":                     "it needs %(process_num)d",
		head + "command=a\nnumprocs=100000\nprocess_name=%(process_num)d":  "are too many",
		head + "command=a\nstopasgroup=1\nkillasgroup=0":                   "exclude each other",
		head + "command=a\nenvironment=A=1 B=2":                            "it is not KEY=\"value\"",
		head + "command=a\nstdout_logfile_maxbytes=5XB":                    "is not a size",
		head + "command=a\nuser=":                                          "there is no user in it",
		head + "command=a\nstdout_logfile=/":                               "\"/\" is a folder",
		"[supervisord]\nuser=\n[program:web]\ncommand=a":                   "there is no user in it",
		"[supervisord]\nlogfile=..\n[program:web]\ncommand=a":              "\"..\" is a folder",
		"[program:a b]\ncommand=a":                                         "\"a b\" is no name",
		"[supervisord]\n[group:g]\nprograms=wep\n[program:web]\ncommand=a": "there is no program \"wep\"; did you mean web?",
		"[supervisord]\n[include]\n":                                       "the section has no files",
		"[supervisord]\n":                                                  "there is no program in it",
		head + "command=a\nuser=nobody\n autostart=true":                   "[program:web] user: it has several lines; what is indented belongs to the line above",
		head + "command=a\ndirectory=/srv\n user=nobody":                   "[program:web] directory: it has several lines; what is indented",
		head + "command=a\nstdout_logfile=/a.log\n stderr_logfile=/b.log":  "[program:web] stdout_logfile: it has several lines; what is indented",
		head + "command=a\nautostart=true\n user=nobody":                   "none of yes, true, on, 1, no, false, off, 0; what is indented belongs to the line above",
		head + "command=a\nstderr_logfile=~me/x.log":                       "the home of another user is not looked up in \"~me/x.log\": write the whole path",
		"[supervisord]\n[include]\nfiles=/etc/no/*.conf no.ini\n":          "there is no program in it that msup can run; [include] files has /etc/no/*.conf no.ini, which no file matches",
		"[program:{{ name }}]\ncommand=a":                                  "is no name; the file is a template: take what is made of it",
		head + "command=a\n{% if workers %}\n":                             "is neither a header nor key = value; the file is a template",
		head + "command=a\nautostart={{ getenv \"START\" }}":               "[program:web] autostart: \"{{ getenv \"START\" }}\" is none of yes, true, on, 1, no, false, off, 0; the file is a template",
		"{# workers #}\n" + head:                                           "stands outside any section; the file is a template",
		"\xff\xfe[\x00":                                                    "UTF-16",
		head + "command=a\x00b":                                            "NUL bytes",
		head + "command=\xff":                                              "supervisord.conf:3: the line is not valid UTF-8; save the file as UTF-8",
	} {
		_, err := fromText(text)
		if _, ok := errors.AsType[*config.Error](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v\nwant %s", text, err, want)
		}
	}
}
