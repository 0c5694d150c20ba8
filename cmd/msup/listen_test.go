package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"msup/policy"
	prober "msup/probe"
	"msup/units"
)

func byLine(stdout, stderr string) units.Program {
	return units.Program{
		Name: "web", Unit: "msup-web.service", Stdout: stdout, Stderr: stderr, Log: units.Log{NoJournal: true},
		Ready: units.Probe{Spec: prober.Spec{Kind: prober.Log, Where: "^ready"}},
	}
}

// Only what the run that is starting has written counts, and only until it has been heard.
func TestListen(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.log")
	def := byLine(out, out)
	o := outputsOf(t, def)
	heard := make(chan string, 10)
	o.tell(func(program string, attempt int, line string) bool {
		heard <- fmt.Sprintf("%s %d %s", program, attempt, line)
		return true
	})
	write(t, o, "web", "ready before\n")
	if err := o.prepare(def, 7); err != nil {
		t.Fatal(err)
	}
	write(t, o, "web", "is it ready?\nrea")
	// Its file changes meanwhile.
	other := filepath.Join(filepath.Dir(out), "other.log")
	if errs := o.redefine(units.Project{Programs: []units.Program{byLine(other, other)}}); len(errs) > 0 {
		t.Fatal(errs)
	}
	write(t, o, "web", "dy now\nready again\n")
	if got := <-heard; got != "web 7 ready now" {
		t.Errorf("heard %q", got)
	}
	drain(t, o, "web")
	o.listen(def, 8)
	o.unlisten("web")
	write(t, o, "web", "ready after all\n")
	drain(t, o, "web")
	if len(heard) > 0 {
		t.Errorf("heard %q too", <-heard)
	}
	if got := content(t, out) + content(t, other); got != "ready before\nis it ready?\nready now\nready again\nready after all\n" {
		t.Errorf("files have %q", got)
	}
}

// A program without files is listened to as well, on both streams.
func TestListenWithoutFiles(t *testing.T) {
	for _, stdout := range []string{"", os.DevNull} {
		def := byLine(stdout, "")
		o := outputsOf(t, def)
		heard := make(chan int, 10)
		o.tell(func(_ string, attempt int, _ string) bool {
			heard <- attempt
			return true
		})
		if err := o.prepare(def, 3); err != nil {
			t.Fatal(err)
		}
		out, errs := o.fifos("web")
		if out == "" || errs == "" || out == errs {
			t.Errorf("FIFOs %q and %q", out, errs)
		}
		for i, fifo := range []string{out, errs} {
			if err := os.WriteFile(fifo, []byte("ready\n"), 0); err != nil {
				t.Fatal(err)
			}
			if got := <-heard; got != 3 {
				t.Errorf("stream %d: attempt %d", i, got)
			}
		}
		if got := o.report("web"); len(got) > 0 {
			t.Errorf("reported: %+v", got)
		}
		if got := o.rotate(t.Context(), []string{"web"}); len(got) > 0 {
			t.Errorf("rotated: %+v", got)
		}
		// At the next start it is not listened to any more.
		def.Ready = units.Probe{}
		if err := o.prepare(def, 4); err != nil {
			t.Fatal(err)
		}
		if out, errs := o.fifos("web"); out != "" || errs != "" {
			t.Errorf("FIFOs %q and %q", out, errs)
		}
	}
}

// A supervisor that takes over listens before it moves a byte, and lines wait until it is known
// whom to tell.
func TestListenAfterATakeover(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	run := t.TempDir()
	out := filepath.Join(t.TempDir(), "out.log")
	def := byLine(out, out)
	project := units.Project{Name: "test", Programs: []units.Program{def}}
	first, err := openOutputs(project, run, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.prepare(def, 1); err != nil {
		t.Fatal(err)
	}
	pipe := writer(t, first, "web")
	fmt.Fprint(pipe, "before\nready to go\n")
	// That a stream has come to the line and waits there is not seen from outside. In less time the test says
	// less, and is right all the same.
	const comes = 20 * time.Millisecond
	time.Sleep(comes)
	first.close() // nobody was there to be told
	saved := &units.Saved{Programs: map[string]units.SavedProgram{"web": {State: policy.State{Phase: policy.Starting}}}}
	second, err := openOutputs(project, run, false, saved)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.close)
	time.Sleep(comes)
	heard := make(chan string, 1)
	second.tell(func(_ string, attempt int, line string) bool {
		heard <- fmt.Sprint(attempt, " ", line)
		return true
	})
	if got := <-heard; got != "0 ready to go" {
		t.Errorf("heard %q", got)
	}
	drain(t, second, "web")
	if got := content(t, out); got != "before\nready to go\n" {
		t.Errorf("file has %q", got)
	}
}
