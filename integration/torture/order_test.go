//go:build linux

package torture

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestJudgeOrder(t *testing.T) {
	const (
		webBook = "start 1 11 1 1005000000000 0 0\nexit 1 11 1 1010000000000 0 0 SIGTERM\n"
		webLog  = "1970-01-01T00:16:41.000Z web STOPPED -> STARTING: autostart, waits for db (ready)\n1970-01-01T00:16:45.010Z web STARTING -> RUNNING: started\n"
		dbBook  = "start 2 12 1 1001000000000 0 0\nexit 2 12 1 1011000000000 0 0 SIGTERM\n"
		dbLog   = "1970-01-01T00:16:41.000Z db STOPPED -> STARTING: autostart\n1970-01-01T00:16:44.000Z db STARTING -> RUNNING: started\n"
	)
	for name, test := range map[string]struct{ webBook, dbBook, dbLog, want string }{
		"all is well":        {webBook, dbBook, dbLog, ""},
		"too early":          {webBook, dbBook, strings.Replace(dbLog, "00:16:44", "00:16:46", 1), "was not there"},
		"never there":        {webBook, dbBook, "", "was not there"},
		"it had gone":        {webBook, dbBook, strings.Replace(dbLog, "00:16:44", "00:16:39", 1) + "1970-01-01T00:16:40.000Z db RUNNING -> BACKOFF: exit status 1\n", "was not there"},
		"it went meanwhile":  {webBook, dbBook, dbLog + "1970-01-01T00:16:44.500Z db RUNNING -> BACKOFF: exit status 1\n", ""},
		"stopped too early":  {webBook, strings.Replace(dbBook, "1011", "1009", 1), dbLog, "was stopped while"},
		"it ended by itself": {webBook, strings.NewReplacer("1011", "1009", "SIGTERM", "3").Replace(dbBook), dbLog, ""},
		"outlives all":       {"start 1 11 1 1005000000000 0 0\n", dbBook, dbLog, "was stopped while"},
	} {
		var got []string
		lives := map[string][]*life{}
		logs := map[string][]transition{}
		for program, text := range map[string][2]string{"web": {test.webBook, webLog}, "db": {test.dbBook, test.dbLog}} {
			var err error
			if lives[program], err = parseBook([]byte(text[0])); err != nil {
				t.Fatal(err)
			}
			all, err := parseTransitions([]byte(text[1]))
			if err != nil {
				t.Fatal(err)
			}
			logs[program] = of(all, program)
		}
		c := &caseOf{
			program: &program{name: "web", needs: []string{"db"}}, lives: lives["web"], log: logs["web"],
			fail: func(check, _ string, _ time.Time, format string, args ...any) {
				got = append(got, check+" "+fmt.Sprintf(format, args...))
			},
		}
		end := lives["web"][0].start.Add(10e9)
		c.order(logs, lives, []window{{lives["web"][0].start.Add(1e9), end}})
		if text := strings.Join(got, "\n"); (test.want == "") != (text == "") || !strings.Contains(text, test.want) {
			t.Errorf("%s: %q, want %q", name, text, test.want)
		}
	}
}
