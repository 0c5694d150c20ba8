package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"msup/cgroup"
	"msup/units"
)

func TestCommandTrouble(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "gone"), "does not exist"},
		{dir, "is no file"},
		{file("plain", "#!/bin/sh\n", 0o644), "is not executable: chmod +x "},
		{file("empty", "", 0o755), "is empty"},
		{file("none", "#!\n", 0o755), "names no interpreter"},
		{file("nowhere", "#!/no/such -x\n", 0o755), "the interpreter /no/such, which"},
		{file("dos", "#!/bin/sh\r\necho\r\n", 0o755), "ends in CR LF"},
		{file("good", "#! /bin/sh -e\n", 0o755), ""},
		{file("binary", "\x7fELF", 0o755), ""},
	} {
		got := commandTrouble(c.path)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
}

// missing ends a test that wants what this machine has not got. Where everything has to be
// there, that is a failure.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("MSUP_REQUIRE") != "" {
		t.Fatal(what, err)
	}
	t.Skip(what, err)
}

// What was seen earlier in a run says nothing of its end, unless the kernel has just told of it.
func TestPeakOfAGroupThatIsGone(t *testing.T) {
	p := newPeaks(nil)
	defer p.close()
	r := &usedRun{unit: "x.service", pid: 7, dir: filepath.Join(t.TempDir(), "gone"), use: units.Use{MemoryPeak: new(uint64(256 << 10))}}
	p.runs[r.unit] = r
	if got := p.use(r.unit, r.pid); got.MemoryPeak != nil {
		t.Errorf("peak %d of the begin", *got.MemoryPeak)
	}
	r.noticed = time.Now()
	if got := p.use(r.unit, r.pid); got.MemoryPeak == nil {
		t.Error("what the kernel has just told of is not known")
	}
	r.noticed = time.Now().Add(-2 * noticeWait)
	if got := p.use(r.unit, r.pid); got.MemoryPeak != nil {
		t.Errorf("peak %d of a notice long ago", *got.MemoryPeak)
	}
}

// What a run has used is read when its main process ends, at the latest, and is not taken
// for that of another run.
func TestPeaksAtTheEnd(t *testing.T) {
	mount, err := cgroup.Mount()
	if err != nil {
		missing(t, "no cgroup v2 here: ", err)
	}
	own := filepath.Join(mount, "msup-peaks-test.service")
	if err := os.Mkdir(own, 0o755); err != nil {
		missing(t, "cannot make a control group: ", err)
	}
	defer os.Remove(own)
	cmd := exec.Command("/bin/sh", "-c", "read x; i=0; while test $i -lt 20000; do i=$((i+1)); done")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := uint32(cmd.Process.Pid)
	if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte(strconv.Itoa(int(pid))), 0o644); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		missing(t, "cannot fill a control group: ", err)
	}
	p := newPeaks(func(string, uint32, units.Use) {})
	defer p.close()
	p.watch("msup-peaks-test.service", pid)
	in.Close()
	// Not waited for: the process stays in its control group until then.
	seen := func() *uint64 {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.runs["msup-peaks-test.service"].use.CPUUsec
	}
	for deadline := time.Now().Add(10 * time.Second); seen() == nil && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	at := seen()
	cmd.Wait()
	if at == nil || *at < 1000 {
		t.Errorf("CPU time seen: %v", at)
	}
	if got := p.use("msup-peaks-test.service", pid+1); got.CPUUsec != nil {
		t.Errorf("of another run: %v", got)
	}
	os.Remove(own)
	if got := p.use("msup-peaks-test.service", pid); got.CPUUsec == nil {
		t.Error("it is forgotten when the control group is gone")
	}
}
