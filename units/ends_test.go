package units_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// words are the ends of a program, one a line: what it was doing, how it ended, what came of it.
func words(r *run, program string) string {
	var b strings.Builder
	for _, e := range r.saved.EndsOf(program) {
		fmt.Fprintf(&b, "%d %s after %v [%s] %s -> %s\n", e.N, e.During, e.Ended.Sub(e.Started).Round(time.Second), e.Result, e.Exit.Reason, e.To)
	}
	return b.String()
}

func TestEndsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{
			{run: 5 * time.Second, code: 1, state: 3, res: "exit-code"},
			{fail: &units.Facts{ExecMainCode: 1, ExecMainStatus: 203, Result: "exit-code"}},
			{},
		}
		r := start(t, fake, nil, program("web"))
		r.after(20 * time.Second)
		r.do(units.Stop, "web")
		r.after(time.Second)
		want := `
1 RUNNING after 5s [exit-code] exit status 3 -> BACKOFF
2 STARTING after 0s [exit-code] systemd could not execute it: cannot execute the command (status 203) -> BACKOFF
3 STOPPING after 13s [success] killed by SIGTERM -> STOPPED
`
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), words(r, "web")); diff != "" {
			t.Errorf("ends (-want +got):\n%s", diff)
		}
		last := r.saved.EndsOf("web")[2]
		if last.By != "by the test" || last.Invocation == "" || last.PID == 0 || !strings.HasPrefix(last.Reason, "by the test") {
			t.Errorf("the last end: %+v", last)
		}
		r.stop()
	})
}

func TestEndsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		r := start(t, fake, nil, program("web", func(p *units.Program) { p.Rules.MaxRestarts = 0 }))
		r.after(60 * time.Second)
		r.stop()
		// Another supervisor goes on counting.
		again := start(t, fake, r.saved, program("web", func(p *units.Program) { p.Rules.MaxRestarts = 0 }))
		again.after(10 * time.Second)
		ends := again.saved.EndsOf("web")
		if len(ends) != 10 || ends[0].N < 20 || ends[9].N != ends[0].N+9 {
			t.Errorf("%d ends, from %d to %d", len(ends), ends[0].N, ends[len(ends)-1].N)
		}
		again.stop()
		time.Sleep(time.Second)
	})
}

// What the capture tells later belongs to the end it was told of, also when more came since.
func TestOutputOfAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		r := start(t, fake, nil, program("web"))
		r.after(4 * time.Second)
		spans := []units.OutputSpan{{File: "/x/web.log", End: &units.OutputMark{Inode: 7, Offset: 99}}}
		r.sup.Output(units.EndOutput{Program: "web", N: 1, Output: spans})
		r.sup.Output(units.EndOutput{Program: "web", N: 77, Output: spans}) // forgotten
		r.after(time.Second)
		ends := r.saved.EndsOf("web")
		if diff := cmp.Diff(spans, ends[0].Output); diff != "" || ends[1].Output != nil {
			t.Errorf("%s\n%v", diff, ends[1].Output)
		}
		r.stop()
		time.Sleep(time.Second)
	})
}

func TestKilledForMemoryWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		limited := program("web", func(p *units.Program) { p.Limits.MemoryMax = new(uint64(30 << 20)) })
		r := start(t, fake, nil, limited)
		r.after(time.Second)
		pid := r.saved.Programs["web"].PID
		use := func(kills uint64) units.Use {
			return units.Use{OOMKills: new(kills), MemoryPeak: new(uint64(30 << 20))}
		}
		r.sup.KilledForMemory("msup-web.service", pid, use(1))
		r.sup.KilledForMemory("msup-web.service", pid+1, use(9)) // of another run
		r.after(time.Second)
		if got := r.saved.Programs["web"].OOMKills; got != 1 {
			t.Errorf("%d kills are saved", got)
		}
		r.stop()
		again := start(t, fake, r.saved, limited)
		again.after(time.Second)
		again.sup.KilledForMemory("msup-web.service", pid, use(1)) // told already
		again.sup.KilledForMemory("msup-web.service", pid, use(3))
		fake.die("msup-web.service", 1, 1, "exit-code")
		again.after(100 * time.Millisecond)
		again.sup.KilledForMemory("msup-web.service", pid, use(4)) // it has ended
		again.after(100 * time.Millisecond)
		again.stop()
		want := `
web: 1 of its processes was killed for memory (peak 30.0M of 30M), its main process was not among them; msup why web
web: 2 of its processes were killed for memory (peak 30.0M of 30M), its main process was not among them; msup why web
`
		var got strings.Builder
		for _, rec := range append(r.records, again.records...) {
			if rec.To == "" && rec.Program != "" {
				fmt.Fprintln(&got, rec)
			}
		}
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got.String()); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
	})
}

// A state that an older msup has written has none of it.
func TestStateOfAnOlderSupervisor(t *testing.T) {
	text := `{"version":2,"project":"default","file":"/x/msup.conf","programs":{"web":{"state":{"phase":"FAILED","reason":"exit status 1, gave up after 2 restarts","since":"2026-01-02T15:04:05Z","restarts":2,"deadline":"0001-01-01T00:00:00Z","last":{"cause":"exit","code":1,"signal":0,"reason":"exit status 1"}},"invocation":"","ended":"0123","result":"exit-code"}}}`
	var saved units.Saved
	if err := json.Unmarshal([]byte(text), &saved); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFake(), &saved, program("web"))
		r.after(time.Second)
		r.do(units.Start, "web")
		r.after(time.Second)
		r.fake.die("msup-web.service", 1, 4, "exit-code")
		r.after(100 * time.Millisecond)
		if ends := r.saved.EndsOf("web"); len(ends) != 1 || ends[0].N != 1 || ends[0].Exit.Code != 4 || ends[0].To != policy.Backoff {
			t.Errorf("ends: %+v", ends)
		}
		r.stop()
	})
}
