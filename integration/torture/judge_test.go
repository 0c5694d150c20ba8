//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"msup/policy"
)

const exampleBook = `start 100 11 1 1000000000000 0 0
exit 100 11 1 1001000000000 3 0 3
start 200 12 1 1002100000000 0 0
exit 200 12 1 1003000000000 3 0 SIGKILL
start 300 13 1 1004100000000 0 0
wrote 300 13 1 1005000000000 2 0
`

// Times of the log are those of the book: nanoseconds since 1970.
const exampleLog = `1970-01-01T00:16:40.000Z web STOPPED -> STARTING: autostart
1970-01-01T00:16:40.010Z web STARTING -> RUNNING: started
1970-01-01T00:16:41.002Z web RUNNING -> BACKOFF: exit status 3, restart 1 of 5 in 1s
1970-01-01T00:16:42.002Z web BACKOFF -> STARTING: restart 1
1970-01-01T00:16:42.110Z web STARTING -> RUNNING: restarted
1970-01-01T00:16:42.500Z msup: lost the connection to systemd
1970-01-01T00:16:43.002Z web RUNNING -> BACKOFF: killed by SIGKILL, restart 2 of 5 in 1s
1970-01-01T00:16:44.002Z web BACKOFF -> STARTING: restart 2
1970-01-01T00:16:44.110Z web STARTING -> RUNNING: restarted
`

func TestJudge(t *testing.T) {
	line := func(n int) string { return slices.Collect(strings.Lines(exampleLog))[n] }
	tests := []struct {
		name      string
		book, log string
		want      string // the checks that find something
	}{
		{"all is well", exampleBook, exampleLog, ""},
		{"an end is missing", exampleBook, strings.Replace(exampleLog, line(6), "", 1), "chain exits"},
		{"an end is there twice", exampleBook, strings.Replace(exampleLog, line(6), line(6)+line(6), 1), "chain exits"},
		{
			"an end that was none", exampleBook, exampleLog + "1970-01-01T00:16:44.500Z web RUNNING -> BACKOFF: exit status 1, restart 3 of 5 in 1s\n" +
				"1970-01-01T00:16:45.500Z web RUNNING -> BACKOFF: exit status 1, restart 4 of 5 in 1s\n", "chain exits",
		},
		{"an end before it was", exampleBook, strings.Replace(exampleLog, "00:16:43.002Z web RUNNING", "00:16:42.900Z web RUNNING", 1), "exits"},
		{"another cause", exampleBook, strings.Replace(exampleLog, "exit status 3", "exit status 0", 1), "exits"},
		{"a number that begins alike", exampleBook, strings.Replace(exampleLog, "exit status 3", "exit status 33", 1), "exits"},
		{"another count", exampleBook, strings.Replace(exampleLog, "restart 2 of 5", "restart 1 of 5", 1), "restarts"},
		{"given up too early", exampleBook, strings.Replace(exampleLog, "RUNNING -> BACKOFF: killed by SIGKILL, restart 2 of 5 in 1s", "RUNNING -> FAILED: killed by SIGKILL", 1), "chain restarts"},
		{"started too early", strings.Replace(exampleBook, "1002100000000", "1001900000000", 1), exampleLog, "delays"},
		{
			"started too late", strings.ReplaceAll(strings.ReplaceAll(exampleBook, "1004100000000", "1009100000000"), "1005000000000", "1009200000000"),
			strings.ReplaceAll(exampleLog, "00:16:44", "00:16:49"), "delays",
		},
		{"two at a time", strings.Replace(exampleBook, "1004100000000", "1002900000000", 1), exampleLog, "copies exits"},
		{"a torn write", exampleBook + "error 300 13 1 1006000000000 2 0 wrote 1 of 2\n", exampleLog, "lines"},
		{"stopped by nobody", exampleBook, exampleLog + "1970-01-01T00:16:45.000Z web RUNNING -> STOPPING: stopped with systemctl\n", "stops"},
		{"adopted", exampleBook, exampleLog + "1970-01-01T00:16:45.000Z web RUNNING -> STOPPED: x\n1970-01-01T00:16:45.001Z web STOPPED -> RUNNING: adopted\n", "chain restarts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lives, err := parseBook([]byte(tt.book))
			if err != nil {
				t.Fatal(err)
			}
			log, err := parseTransitions([]byte(tt.log))
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			var texts []string
			c := &caseOf{
				program: &program{name: "web", role: crash, book: "x", rules: policy.Rules{
					Autorestart: policy.OnFailure, RestartDelay: time.Second, MaxRestarts: 5, RestartReset: time.Hour, Success: policy.Codes(0),
				}},
				lives: lives, log: of(log, "web"), tolerance: 2 * time.Second,
				fail: func(check, _ string, _ time.Time, format string, args ...any) {
					found[check] = true
					texts = append(texts, check+": "+fmt.Sprintf(format, args...))
				},
			}
			c.judge()
			var got []string
			for check := range found {
				got = append(got, check)
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("found %q, want %q:\n%s", got, tt.want, strings.Join(texts, "\n"))
			}
		})
	}
}

func TestLines(t *testing.T) {
	lives, err := parseBook([]byte("start 100 1 1 1000000000 0 0\nexit 100 1 1 2000000000 2 0 3\nstart 200 2 1 3000000000 0 0\nwrote 200 2 1 4000000000 3 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"100 1 1 aaaaaaaaaa\n", "100 1 2 bbbbbbbbbb\n", "200 1 1 aaaaaaaaaa\n", "200 1 2 bbbbbbbbbb\n", "200 1 3 cccccccccc\n"}
	o := output{streams: []int{0}, width: len(all[0])}
	text := func(change func(lines []string) []string) string { return strings.Join(change(slices.Clone(all)), "") }
	tests := []struct {
		name, text string
		want       string
	}{
		{"all is well", strings.Join(all, ""), ""},
		{"one is missing", text(func(l []string) []string { return slices.Delete(l, 3, 4) }), "want 2"},
		{"the last of a life is missing", text(func(l []string) []string { return slices.Delete(l, 1, 2) }), "wrote 2 lines, 1 are there"},
		{"the last is missing", text(func(l []string) []string { return l[:4] }), "wrote 3 lines, 2 are there"},
		{"one is there twice", text(func(l []string) []string { return slices.Insert(l, 2, l[1]) }), "want 3"},
		{"two have changed places", text(func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }), "want 2"},
		{"two lives have", text(func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }), "was over"},
		{"a torn one", text(func(l []string) []string { l[2] = l[2][:9] + "\n"; return l }), "want "},
		{"bytes of another", text(func(l []string) []string { l[2] = strings.Replace(l[2], "a", "b", 1); return l }), "want "},
		{"of nobody", text(func(l []string) []string { return append(l, "300 1 1 aaaaaaaaaa\n") }), "of no life"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := o.check([]byte(tt.text), lives)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// The seed decides, and every kind comes.
func TestDeck(t *testing.T) {
	deal := func(seed uint64) (steps []step, kinds map[string]int) {
		kinds = map[string]int{}
		d := newDeck(rand.New(rand.NewPCG(seed, 0)), storm)
		for range 100 {
			s := d.next()
			steps = append(steps, s)
			kinds[s.kind]++
		}
		return steps, kinds
	}
	one, kinds := deal(1)
	again, _ := deal(1)
	other, _ := deal(2)
	if !slices.Equal(one, again) {
		t.Error("the same seed brings other steps")
	}
	if slices.Equal(one, other) {
		t.Error("another seed brings the same steps")
	}
	for _, k := range storm {
		if kinds[k.name] < 2*k.weight {
			t.Errorf("%q came %d times", k.name, kinds[k.name])
		}
	}
	first := map[string]bool{}
	for _, s := range one[:len(storm)] {
		first[s.kind] = true
	}
	if len(first) != len(storm) {
		t.Errorf("of %d kinds %d came before any came again", len(storm), len(first))
	}
}
