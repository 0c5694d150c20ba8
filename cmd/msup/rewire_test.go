package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// writer is a program that runs: it keeps its standard output open.
func writer(t *testing.T, o *outputs, program string) *os.File {
	t.Helper()
	fifo, _ := o.fifos(program)
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// While a program writes, its lines go to other files and in other ways, again and again. Each
// line is there once and in order.
func TestOutputChangesWhileItIsWritten(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "a.log"), filepath.Join(dir, "b", "b.log"), filepath.Join(dir, "c.log")}
	def := func(file int, log units.Log) units.Program {
		log.NoJournal = true
		return units.Program{Name: "web", Stdout: files[file], Stderr: files[file], Log: log}
	}
	o := outputsOf(t, def(0, units.Log{}))
	pipe := writer(t, o, "web")
	done := make(chan struct{})
	stop := make(chan struct{})
	n := 0
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := fmt.Fprintf(pipe, "line %06d\n", n); err != nil {
				t.Error(err)
				return
			}
			if n++; n%7 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	logs := []units.Log{
		{}, {Timestamps: units.Unix}, {Prefix: "web: "}, {}, {Timestamps: units.RFC3339, Prefix: "x "}, {MaxSize: 4096, Backups: 1000}, {Markers: true},
	}
	for i := range 40 {
		time.Sleep(3 * time.Millisecond) // some lines go by each definition; how many does not matter
		p := def(i%len(files), logs[i%len(logs)])
		if errs := o.redefine(units.Project{Programs: []units.Program{p}}); len(errs) > 0 {
			t.Fatal(errs)
		}
	}
	close(stop)
	<-done
	drain(t, o, "web")
	all := map[string]int{}
	for _, file := range files {
		matches, err := filepath.Glob(file + "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range matches {
			for line := range strings.Lines(content(t, m)) {
				if i := strings.Index(line, "line "); i >= 0 {
					all[line[i:]]++
				}
			}
		}
	}
	for i := range n {
		if c := all[fmt.Sprintf("line %06d\n", i)]; c != 1 {
			t.Fatalf("line %d is there %d times, of %d", i, c, n)
		}
	}
	if len(all) != n {
		t.Errorf("%d lines for %d", len(all), n)
	}
}

// A start that was on its way when the output went to another file does not take it back.
func TestOutputChangesWhileAStartIsOnItsWay(t *testing.T) {
	dir := t.TempDir()
	log := units.Log{NoJournal: true}
	def := func(file string) units.Program {
		return units.Program{Name: "web", Stdout: filepath.Join(dir, file), Stderr: filepath.Join(dir, file), Log: log}
	}
	o := outputsOf(t, def("a.log"))
	if errs := o.redefine(units.Project{Programs: []units.Program{def("b.log")}}); len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := o.prepare(def("a.log"), 1); err != nil {
		t.Fatal(err)
	}
	write(t, o, "web", "a line\n")
	drain(t, o, "web")
	if got := content(t, filepath.Join(dir, "b.log")); got != "a line\n" {
		t.Errorf("b.log has %q", got)
	}
}

// What needs another FIFO waits for the next start; then the old FIFO is gone.
func TestOutputThatNeedsARestart(t *testing.T) {
	dir := t.TempDir()
	out, errs := filepath.Join(dir, "out.log"), filepath.Join(dir, "err.log")
	log := units.Log{NoJournal: true}
	one := units.Program{Name: "web", Stdout: out, Stderr: out, Log: log}
	two := units.Program{Name: "web", Stdout: out, Stderr: errs, Log: log}
	none := units.Program{Name: "web"}
	o := outputsOf(t, one)
	write(t, o, "web", "first\n")
	redefine := func(p units.Program) {
		t.Helper()
		if errs := o.redefine(units.Project{Programs: []units.Program{p}}); len(errs) > 0 {
			t.Fatal(errs)
		}
	}
	redefine(two)
	if a, b := o.fifos("web"); a != b {
		t.Errorf("FIFOs %s and %s before the next start", a, b)
	}
	write(t, o, "web", "second\n")
	if err := o.prepare(two, 1); err != nil {
		t.Fatal(err)
	}
	a, b := o.fifos("web")
	if a == b || b == "" {
		t.Errorf("FIFOs %q and %q", a, b)
	}
	if got := content(t, out); got != "first\nsecond\n" {
		t.Errorf("file has %q", got)
	}
	if err := o.prepare(none, 1); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(a), "web.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// And back, as a program that is new.
	o.drop("web")
	redefine(one)
	write(t, o, "web", "third\n")
	drain(t, o, "web")
	if got := content(t, out); got != "first\nsecond\nthird\n" {
		t.Errorf("file has %q", got)
	}
}

// What waits because its file cannot be written goes to the next file.
func TestOutputMovesAwayFromABrokenFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	log := units.Log{NoJournal: true}
	o := outputsOf(t, units.Program{Name: "web", Stdout: filepath.Join(dir, "file", "x.log"), Log: log})
	write(t, o, "web", "waits\n")
	good := filepath.Join(dir, "good.log")
	if errs := o.redefine(units.Project{Programs: []units.Program{{Name: "web", Stdout: good, Log: log}}}); len(errs) > 0 {
		t.Fatal(errs)
	}
	drain(t, o, "web")
	if got := content(t, good); got != "waits\n" {
		t.Errorf("file has %q", got)
	}
}

// Two programs that share a file get its new rotation together.
func TestSharedFileIsRotatedAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shared.log")
	def := func(name string, backups int) units.Program {
		return units.Program{Name: name, Stdout: file, Log: units.Log{NoJournal: true, Backups: backups}}
	}
	o := outputsOf(t, def("a", 1), def("b", 1))
	if errs := o.redefine(units.Project{Programs: []units.Program{def("a", 3), def("b", 3)}}); len(errs) > 0 {
		t.Fatal(errs)
	}
	for i := range 4 {
		write(t, o, "a", fmt.Sprintln(i))
		drain(t, o, "a")
		o.rotate(t.Context(), []string{"a"})
	}
	if got, want := content(t, file+".3"), "1\n"; got != want {
		t.Errorf("%s.3 has %q", file, got)
	}
}

// The transition log goes on in another file, in none, and in one again.
func TestTransitionLogMoves(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "sub", "b.log")
	l, err := openTransitionLog(units.Project{Name: "test", Logfile: a}, false, nil, filepath.Join(dir, loggedName))
	if err != nil {
		t.Fatal(err)
	}
	l.terminal = false
	say := func(path, text string) {
		l.moveTo(path)
		l.append(units.Record{Time: time.Now(), Reason: text})
	}
	say(a, "one")
	say(b, "two")
	say("", "three")
	say(b, "four")
	l.close()
	for file, want := range map[string]string{a: "one", b: "two four"} {
		got := strings.Join(strings.Fields(regexp.MustCompile(`(?m)^.* msup: `).ReplaceAllString(content(t, file), "")), " ")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}
