package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"msup/capture"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// outputsOf opens the outputs of programs as a supervisor without systemd would.
func outputsOf(t *testing.T, programs ...units.Program) *outputs {
	t.Helper()
	t.Setenv("NOTIFY_SOCKET", "")
	o, err := openOutputs(units.Project{Name: "test", Programs: programs}, t.TempDir(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.close)
	return o
}

// write is what the program does.
func write(t *testing.T, o *outputs, program, text string) {
	t.Helper()
	fifo, _ := o.fifos(program)
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// drain waits until what the program has written is in its files.
func drain(t *testing.T, o *outputs, program string) {
	t.Helper()
	o.of(program).each(func(s *capture.Stream) {
		if err := s.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A file of several programs is rotated once, and each file has its own error.
func TestRotateOutputs(t *testing.T) {
	dir := t.TempDir()
	shared, own := filepath.Join(dir, "shared.log"), filepath.Join(dir, "own.log")
	log := units.Log{NoJournal: true, Backups: 3}
	o := outputsOf(t, units.Program{Name: "a", Stdout: shared, Log: log}, units.Program{Name: "b", Stdout: shared, Stderr: own, Log: log},
		units.Program{Name: "none", Stdout: os.DevNull})
	write(t, o, "a", "a\n")
	write(t, o, "b", "b\n")
	files := o.rotate(t.Context(), []string{"a", "b", "none"})
	if len(files) != 2 || files[0].File != shared || files[1].File != own || files[0].Error+files[1].Error != "" {
		t.Errorf("rotated %+v", files)
	}
	if got := content(t, shared+".1"); got != "a\nb\n" && got != "b\na\n" {
		t.Errorf("rotated file has %q", got)
	}
	if _, err := os.Stat(shared + ".2"); err == nil {
		t.Error("rotated twice")
	}

	// A file that cannot be there at all.
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	o.reopen()
	write(t, o, "b", "more\n")
	files = o.rotate(t.Context(), []string{"b"})
	if len(files) != 2 || files[0].Error != "" || !regexp.MustCompile(`^cannot .*/own\.log: .`).MatchString(files[1].Error) {
		t.Errorf("rotated %+v", files)
	}
	if got := content(t, shared+".1"); got != "more\n" {
		t.Errorf("rotated file has %q", got)
	}
}

// What became of output is reported by stream.
func TestOutputReport(t *testing.T) {
	dir := t.TempDir()
	both, missing := filepath.Join(dir, "both.log"), filepath.Join(dir, "file", "err.log")
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	log := units.Log{NoJournal: true}
	o := outputsOf(t, units.Program{Name: "a.b", Stdout: both, Stderr: both, Log: log},
		units.Program{Name: "bad", Stdout: os.DevNull, Stderr: missing, Log: log}, units.Program{Name: "plain", Log: units.Log{JournalRate: 5}})
	write(t, o, "a.b", "12345")
	drain(t, o, "a.b")
	got := o.report("a.b")
	if len(got) != 1 || !cmp.Equal(got[0].Streams, []string{"stdout", "stderr"}) || got[0].File != both || got[0].Bytes != 5 || got[0].Error != nil {
		t.Errorf("report %+v", got)
	}
	got = o.report("bad")
	if len(got) != 1 || !cmp.Equal(got[0].Streams, []string{"stderr"}) || got[0].Error == nil || got[0].ErrorSince == nil {
		t.Errorf("report %+v", got)
	}
	if got := o.report("plain"); len(got) != 0 {
		t.Errorf("report %+v", got)
	}
	if w := o.warnings("bad"); len(w) != 1 || !regexp.MustCompile(`^cannot open .*/file/err\.log: .*since `).MatchString(w[0]) {
		t.Errorf("warnings %q", w)
	}
}
