package convert

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShellWords(t *testing.T) {
	for text, want := range map[string][]string{
		"sleep 3":                             {"sleep", "3"},
		"exec bundle exec puma -C 'a b.rb'":   {"bundle", "exec", "puma", "-C", "a b.rb"},
		`web --name="x y"`:                    {"web", "--name=x y"},
		"exec -a x y":                         nil,
		"cd /srv && ./run":                    nil,
		"PORT=1 ./run":                        nil,
		"./run $PORT":                         nil,
		"./run *.rb":                          nil,
		"./run ~/x":                           nil,
		"./run {a,b}":                         nil,
		"./run > log":                         nil,
		"./run &":                             nil,
		"! ./run":                             nil,
		"echo hello":                          nil,
		"./run # comment":                     {"./run"},
		"./run 'unclosed":                     nil,
		`./run a\ b`:                          nil,
		`./run "a \"b\" \$c \d!"`:             {"./run", `a "b" $c \d!`},
		"./run\n":                             {"./run"},
		"a\nb":                                {"bash", "-c", "a; b"},
		"# first\nset -e\nif a; then\n b\nfi": {"bash", "-c", "set -e; if a; then b; fi"},
		"a \\\n  --b":                         {"a", "--b"},
		"cat <<X\nhello\nX":                   nil,
		"a 'x\ny'; b":                         nil,
	} {
		got, _ := shellWords("bash", "-c", text)
		if want == nil {
			want = []string{"bash", "-c", strings.TrimSpace(text)}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	got, _ := shellWords("fish", "-c", "sleep 1")
	if diff := cmp.Diff([]string{"fish", "-c", "sleep 1"}, got); diff != "" {
		t.Error(diff)
	}
}

// A shell in a shell is put on one line too, before words are printed with printf.
func TestOneLineWords(t *testing.T) {
	for _, test := range []struct{ argv, want []string }{
		{[]string{"a", "b c"}, []string{"a", "b c"}},
		{[]string{"bash", "-c", "set -e\n(cd x && a)\nb\n"}, []string{"bash", "-c", "set -e; (cd x && a); b"}},
		{[]string{"sh", "-c", "\n a \\\n  --b\n"}, []string{"a", "--b"}},
		{[]string{"sh", "-c", "cat <<X\na\nX"}, []string{"/bin/sh", "-c", `exec sh -c "$(printf %b 'cat <<X\na\nX')"`}},
		{[]string{"a", "b\nc"}, []string{"/bin/sh", "-c", `exec a "$(printf %b 'b\nc')"`}},
	} {
		got, _ := oneLineWords(test.argv)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.argv, diff)
		}
	}
}

func TestAssignments(t *testing.T) {
	for text, want := range map[string]string{
		"A=1 ./run -p 3":              "A=1 | ./run -p 3",
		`A='x y' B= exec ./run "a b"`: `A=x y B= | exec ./run "a b"`,
		"A=http://localhost:80 ./run": "A=http://localhost:80 | ./run",
		// These need a shell.
		"A=1":               " | A=1",
		"A=$B ./run":        " | A=$B ./run",
		"A=1 ./run $A":      " | A=1 ./run $A",
		"A=~/x ./run":       " | A=~/x ./run",
		"A+=1 ./run":        " | A+=1 ./run",
		"PATH=/x:/bin run":  " | PATH=/x:/bin run",
		"A=1 cd /srv":       " | A=1 cd /srv",
		"A=1 ./run | b":     " | A=1 ./run | b",
		"A=1 ./run >log":    " | A=1 ./run >log",
		"A=1 ./run & ./run": " | A=1 ./run & ./run",
		"A='x\ny' ./run":    " | A='x\ny' ./run",
	} {
		vars, command := assignments("/bin/sh", "-c", text)
		var list []string
		for _, v := range vars {
			list = append(list, v.name+"="+v.value)
		}
		if got := strings.Join(list, " ") + " | " + command; got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// What is made of a command must do what the command did.
func TestShellWordsRun(t *testing.T) {
	for _, text := range []string{
		"echo 'a  b'\necho c # d\n\necho \"e\nf\"",
		"cat <<X\n1 $((1 + 1))\n  3\nX\necho end",
		"for i in 1 2; do\n  echo $i\ndone\ncase x in\n  x) echo y ;;\nesac",
		"f() {\n  echo in f\n}\nf\nf &\nwait",
		"echo 100% '\\n' \"\\\\\" \u0085 x\ty",
		"if true\nthen echo a\nelse echo b\nfi | tr a c",
		"/usr/bin/printf '%s|' \"a \\\"b\\\" \\$c \\\\d \\e \\`f\\` !g \\\n h\" 'i'j",
		"/usr/bin/printf '[%s] ' 'a\n\n' '\nb' '.\n' \"$PWD\"",
		"/usr/bin/printf '[%s]\n' 'a.b\n\n' '\nb'",
		"sh -c \"\n  echo a || true && \n  echo b \\\\\n    c \\\n    d\n\"",
	} {
		want, err := exec.Command("bash", "-c", text).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		argv, _ := shellWords("bash", "-c", text)
		argv, _ = oneLineWords(argv)
		for _, w := range argv {
			if unprintable(w) != "" {
				t.Errorf("%q has a control character", w)
			}
		}
		got, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil || string(got) != string(want) {
			t.Errorf("%q: %v wrote %q (%v), the command %q", text, argv, got, err, want)
		}
	}
}

func TestShellReads(t *testing.T) {
	for text, want := range map[string]string{
		"echo $A ${B:-x} \"$C\" '$D' $1 $? ${#E}":                              "A B C E",
		"A=1; export B=2; for C in x; do echo $A $B $C; done; read D; echo $D": "",
		"echo $PATH $PWD $((F + 1))":                                           "",
		"x=$(cat $G); echo $x":                                                 "G",
	} {
		got := strings.Join(shellReads([]string{"bash", "-c", text}), " ")
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := shellReads([]string{"./x", "-c", "$A"}); got != nil {
		t.Error(got)
	}
}
