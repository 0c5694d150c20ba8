//go:build linux

package integration

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is one between supervisord and msup that is known, and in the README.
type difference struct {
	supervisord, msup string // what the README says
	shows             []observation
}

// observation is what shows a difference: what was observed, and what it was on both sides.
type observation struct{ key, supervisord, msup *regexp.Regexp }

func observed(key, supervisord, msup string) observation {
	whole := func(s string) *regexp.Regexp { return regexp.MustCompile(`(?s)^(?:` + s + `)$`) }
	return observation{whole(key), whole(supervisord), whole(msup)}
}

// explains reports whether this is the difference.
func (d difference) explains(key, supervisord, msup string) bool {
	return slices.ContainsFunc(d.shows, func(o observation) bool {
		return o.key.MatchString(key) && o.supervisord.MatchString(supervisord) && o.msup.MatchString(msup)
	})
}

// differences are all that TestSideBySide knows of; the README has the same list. The first that explains something is it.
var differences = []difference{
	{
		"With `user`, `USER` and `LOGNAME` are still those of who has started supervisord.", "They are the user's, and so are `HOME` and `SHELL`.",
		[]observation{observed("nobody env (USER|LOGNAME)", "=root", "=nobody")},
	},
	{
		"Programs inherit supervisord's environment.",
		"They get what the file names, and systemd's `LANG`, `INVOCATION_ID` and the like; as root, `HOME` and `USER` only with `user`. `%(ENV_X)s`, variables that a shell's command reads, and `PATH` where something is looked for in it come from the environment of `msup up`.",
		[]observation{
			observed(`\S+ env (FROM_ABOVE|INHERITED|HOME|USER|LOGNAME|LC_CTYPE)`, "=.*", ""),
			observed(`\S+ env (LANG|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MEMORY_PRESSURE_\w+)`, "", "=.+"),
		},
	},
	{
		"`SUPERVISOR_SERVER_URL` is set.", "It is not.",
		[]observation{observed(`\S+ env SUPERVISOR_SERVER_URL`, "=unix:.*", "")},
	},
	{
		"Programs without `directory` run where supervisord was started.", "They run in the folder of the file, where relative paths start too.",
		[]observation{observed(`\S+ cwd`, "/", "DIR/main")},
	},
	{
		"Standard input is a pipe.", "It is `/dev/null`.",
		[]observation{observed(`\S+ stdin`, "pipe", "/dev/null")},
	},
	{
		"SIGXFSZ is ignored, as SIGPIPE is.", "Only SIGPIPE is.",
		[]observation{observed(`\S+ ignored`, `0+1001\d\d\d`, `0+1\d\d\d`)},
	},
	{
		"Without `stopasgroup` and `killasgroup`, children of a program outlive its stop.", "They are killed when it has ended.",
		[]observation{observed(`family.kid is left behind`, "true", "false")},
	},
	{
		"A log file is rotated when it has become too large.", "It is rotated before, at the end of a line.",
		[]observation{observed(`file rotated\.log(\.[12])?`, "(rotated out .*)?", "rotated out .*")},
	},
	{
		"Log files belong to root.", "They belong to the program's user.",
		[]observation{observed("file nobody.log belongs to", "root", "nobody")},
	},
	{
		"`/dev/stdout` is what supervisord itself writes to.", "It is `logs/NAME.log` and the journal.",
		[]observation{
			observed("own output has that of a container", "true", "false"),
			observed("file logs/container.log", "", "container out 001.*"),
			observed("file logs/container.log (mode|belongs to)", "", ".+"),
		},
	},
	{
		"`AUTO` log files are removed at the next start.", "There are none: the journal keeps that output, of both streams together.",
		[]observation{
			observed("AUTO files of a program", "1", "0"),
			observed("main ctl tail auto", ".*auto out 002.*", ".*auto err 00.*"),
		},
	},
	{
		"`update` restarts a group if anything about it has changed.", "It restarts what must be restarted; what can be changed while a program runs is.",
		[]observation{
			observed("main ctl update", ".*deaf: stopped\ndeaf: updated process group\n.*", ".*deaf: updated process group\n.*"),
			observed("deaf all", "start, start", "start"),
		},
	},
	{
		"`avail` shows priorities.", "There are none.",
		[]observation{observed("main ctl avail", ".* 999:999\n", ".* -\n")},
	},
}

// The README tells of what is different, and of nothing else.
func TestReadmeDifferences(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "<!-- differences -->\n")
	text, _, ended := strings.Cut(text, "<!-- end of differences -->")
	if !found || !ended {
		t.Fatal("README.md has no list of differences")
	}
	want := []string{"| supervisord | msup |", "| --- | --- |"}
	for _, d := range differences {
		want = append(want, "| "+d.supervisord+" | "+d.msup+" |")
	}
	if got := strings.Split(strings.TrimSpace(text), "\n"); !slices.Equal(got, want) {
		t.Errorf("README.md has\n%s\nand the test\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
