//go:build linux

package torture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"msup/policy"
)

// settle has the crashing programs live on, and waits until every program that is wanted is up.
func (r *run) settle() {
	r.note("calm")
	r.calm = time.Now()
	if err := os.WriteFile(filepath.Join(r.Dir, "calm"), nil, 0o644); err != nil {
		r.fail("copies", "", time.Now(), "%v", err)
	}
	longest := time.Duration(0)
	for _, p := range r.programs {
		longest = max(longest, p.rules.RestartDelay)
	}
	unsettled := ""
	if !r.await(longest+comeback+r.stalls.tolerance(), func() bool {
		rep, err := r.report(2 * time.Second)
		if err != nil {
			unsettled = err.Error()
			return false
		}
		unsettled = ""
		for _, p := range rep.Programs {
			// Also one that runs may be about to crash: a life that began before the calm does not know of it.
			of := r.program(p.Name)
			ends := of.role == crash || of.role == timed
			waits := of.role == timed && p.State != policy.Running // for its time
			if p.State == policy.Running && p.Since != nil && p.Since.Before(r.calm) && ends && !r.settledLife(p.Name) || waits || !p.State.Settled() {
				unsettled += fmt.Sprintf("%s %s (%s); ", p.Name, p.State, p.Reason)
			}
		}
		return unsettled == ""
	}) {
		r.fail("restarts", "", time.Now(), "not settled: %s", unsettled)
	}
}

// settledLife reports whether a crashing program would have crashed by now.
func (r *run) settledLife(name string) bool {
	l := r.current(r.program(name))
	return l != nil && time.Since(l.start) > r.program(name).longest+500*time.Millisecond
}

// finish has all writers come to an end, and waits until what they wrote is in the files.
func (r *run) finish() {
	r.note("the writers finish")
	finished := func(p *program) bool {
		l := r.current(p)
		if !p.writes || l == nil || l.final {
			return true
		}
		_ = syscall.Kill(l.pid, syscall.SIGUSR1)
		return false
	}
	r.await(comeback, func() bool {
		return !slices.ContainsFunc(r.programs, func(p *program) bool { return !finished(p) })
	})
	for _, p := range r.programs {
		if !finished(p) {
			r.fail("lines", p.name, time.Now(), "cannot finish: %v", r.current(p))
		}
	}
	// The files are complete once they stop growing.
	size := func() (n int64) {
		files, _ := filepath.Glob(filepath.Join(r.Dir, "out", "*"))
		for _, f := range files {
			if st, err := os.Stat(f); err == nil {
				n += st.Size()
			}
		}
		return n
	}
	last := int64(-1)
	if !r.await(comeback, func() bool {
		before := last
		last = size()
		r.sleep(300 * time.Millisecond)
		return last == before
	}) {
		r.fail("lines", "", time.Now(), "the files go on growing")
	}
}

// lastDown looks at what is there, and at what is left when all is down.
func (r *run) lastDown(before []string) {
	r.final()
	r.close()
	r.note("the last down")
	from := time.Now()
	s := r.tell("down", "-p", "default")
	r.downs = append(r.downs, window{from, time.Now()})
	r.figure("the last down took %s", s.took)
	if !s.ok() {
		r.fail("down", "", from, "msup down failed: %d %s", s.status, s.text)
	}
	if !r.await(3*time.Second, func() bool { return len(r.left()) == 0 }) {
		r.fail("down", "", from, "left after msup down:\n%s", strings.Join(r.left(), "\n"))
	}
	after := descriptorsOf(1)
	r.figure("systemd's descriptors: %d before, %d after", len(before), len(after))
	// Connections come and go; a stored descriptor of each generation of FIFOs would be more.
	if len(after) > len(before)+10 {
		r.fail("leaks", "", time.Now(), "systemd had %d descriptors and has %d: %s", len(before), len(after), strings.Join(after, " "))
	}
}

// ends reports whether a control group is that of a command that probes a program, or of what a timer
// starts, and goes: it takes its time, and the next one comes after a pause.
func (r *run) ends(group string) bool {
	short := slices.ContainsFunc([]string{":ready.service", ":alive.service", ":due.service"}, func(end string) bool { return strings.HasSuffix(group, end) })
	return short && r.await(10*time.Second, func() bool {
		_, err := os.Stat(group)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// temporary matches what os.CreateTemp makes.
var temporary = regexp.MustCompile(`\.\d+$`)

// final checks what is there before the last down.
func (r *run) final() {
	rep, err := r.report(10 * time.Second)
	if err != nil {
		r.fail("comeback", "", time.Now(), "no supervisor answers: %v", err)
		return
	}
	copies, now := processes(), time.Now()
	groups := map[string]bool{}
	for _, p := range r.programs {
		st := programOf(rep, p.name)
		var want []int
		switch {
		case st.State == policy.Running && st.PID != nil:
			want = []int{*st.PID}
			groups[st.Unit] = true
		case st.State == policy.Running && p.scope:
			// Only the state that was damaged had it.
			want = copies[p.name]
			groups[st.Unit] = true
		case st.State.Up():
			r.fail("status", p.name, now, "is still %s (%s)", st.State, st.Reason)
			continue
		}
		if got := copies[p.name]; !slices.Equal(got, want) {
			r.fail("copies", p.name, now, "its processes are %v; msup says %s %s (%s)", got, st.State, number(st.PID), st.Reason)
		}
		if p.book == "" {
			continue
		}
		l := r.current(p)
		if (l != nil) != (st.State == policy.Running) || l != nil && st.PID != nil && l.pid != *st.PID {
			r.fail("status", p.name, now, "its book says %v; msup says %s %s (%s)", l, st.State, number(st.PID), st.Reason)
		}
	}

	// Control groups, FIFOs and failed units.
	have, _ := filepath.Glob("/sys/fs/cgroup/msup.slice/*.s[ec]*")
	for _, g := range have {
		if !groups[filepath.Base(g)] && !r.ends(g) {
			r.fail("leftovers", "", now, "a control group of no program that runs: %s", g)
		}
		delete(groups, filepath.Base(g))
	}
	for g := range groups {
		r.fail("leftovers", "", now, "no control group %s", g)
	}
	fifos := map[string]bool{}
	for _, p := range r.programs {
		for _, f := range p.files {
			fifos[p.name+"."+[]string{"stdout", "stderr"}[f.streams[0]]] = true
		}
		for _, key := range p.keys {
			if p.book == "" && strings.HasPrefix(key, "stdout") {
				fifos[p.name+".stdout"] = true
			}
			if strings.HasPrefix(key, "ready = log") { // looked at, wherever it goes
				fifos[p.name+".stdout"], fifos[p.name+".stderr"] = true, true
			}
		}
	}
	files, _ := names(runtimeDir)
	for _, name := range files {
		st, err := os.Stat(filepath.Join(runtimeDir, name))
		switch {
		case err != nil:
		case st.Mode()&os.ModeNamedPipe != 0:
			if !fifos[name] {
				r.fail("leftovers", "", now, "a FIFO of no program: %s", name)
			}
			delete(fifos, name)
		case temporary.MatchString(name):
			r.fail("leftovers", "", now, "%s in %s", name, runtimeDir)
		}
	}
	for name := range fifos {
		r.fail("leftovers", "", now, "no FIFO %s", name)
	}
	failed := command(r.ctx, 30*time.Second, "systemctl", "list-units", "--failed", "--plain", "--no-legend", "--full")
	for line := range strings.Lines(failed.text) {
		unit, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(unit, "msup-"), ".service"), ".scope")
		if st := programOf(rep, name); !st.State.GaveUp() && st.State != policy.Exited {
			r.fail("leftovers", name, now, "failed unit: %s; msup says %s", strings.TrimSpace(line), st.State)
		}
	}
}
