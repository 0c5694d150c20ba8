//go:build linux

package torture

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// steps takes steps from a deck for a time.
func (r *run) steps(kinds []kindOf, d time.Duration) {
	deck := newDeck(r.rng, kinds)
	for end := time.Now().Add(d); time.Now().Before(end) && r.ctx.Err() == nil; {
		s := deck.next()
		r.sleep(s.pause)
		r.note("%s", s)
		r.step(s)
	}
	r.behind.Wait()
	r.idle()
}

// idle forgets which programs were busy behind, once they are not any more.
func (r *run) idle() {
	for {
		select {
		case name := <-r.done:
			delete(r.busy, name)
		default:
			return
		}
	}
}

// choose picks a program of a role with which nothing else is being done; nil = there is none.
func (r *run) choose(role role, pick int) *program {
	r.idle()
	var free []*program
	for _, p := range r.programs {
		if p.role == role && !r.busy[p.name] {
			free = append(free, p)
		}
	}
	if len(free) == 0 {
		return nil
	}
	return free[pick%len(free)]
}

func (r *run) step(s step) {
	switch s.kind {
	case "kill":
		pid, at := r.kill9()
		if s.pick%3 > 0 {
			r.back(pid, at)
		}
	case "series":
		r.series(s.times + 2)
	case "start and kill":
		r.startAndKill(s, true)
	case "restart a program":
		r.startAndKill(s, false)
	case "stop and kill":
		r.stopAndKill(s)
	case "death", "death and kill":
		r.death(s, s.kind != "death")
	case "restart":
		r.restartUnit()
	case "upgrade":
		r.replaceBinary()
		if s.pick%2 == 0 {
			r.restartUnit()
		} else {
			r.back(r.kill9())
		}
	case "away":
		r.absent(s)
	case "halt":
		r.halt(s)
	case "deaf stop":
		r.deafStop(s)
	case "ups", "ups and kill":
		r.ups(s, s.kind != "ups")
	case "rotate", "rotate and kill":
		r.rotate(s, s.kind != "rotate")
	case "followers":
		r.followers(s)
	case "dbus":
		r.systemctl("restart", "dbus.service")
	case "reload":
		r.systemctl("daemon-reload")
	case "reexec":
		r.systemctl("daemon-reexec")
	case "reexec and kill":
		done := r.beside(func() { r.systemctl("daemon-reexec") })
		r.sleep(s.after)
		pid, at := r.kill9()
		<-done
		r.back(pid, at)
	case "journald":
		if s.pick%2 == 0 {
			r.systemctl("restart", "systemd-journald.service")
		} else {
			r.systemctl("kill", "--signal=KILL", "systemd-journald.service")
		}
	case "socket":
		r.deleteSocket()
	default:
		panic("unknown step " + s.kind)
	}
}

// beside runs something beside what comes next.
func (r *run) beside(do func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	return done
}

// systemctl counts as an absence: the supervisor's connection may be cut.
func (r *run) systemctl(args ...string) {
	from := time.Now()
	s := command(r.ctx, time.Minute, append([]string{"systemctl"}, args...)...)
	// A command that waits for an answer of the systemd that executes itself anew may lose its connection.
	if !s.ok() && r.ctx.Err() == nil && args[0] != "daemon-reexec" {
		r.Log("systemctl %s: %s", strings.Join(args, " "), s.text)
	}
	r.away(from, time.Now())
}

// series kills each supervisor as soon as it is there, or a moment later.
func (r *run) series(times int) {
	from, old := time.Now(), 0
	for range times {
		r.await(comeback, func() bool { pid := r.pid(); return pid != 0 && pid != old })
		r.sleep(time.Duration(r.rng.Int64N(int64(150 * time.Millisecond))))
		old, _ = r.kill9()
	}
	r.back(old, from)
}

// restartUnit restarts the supervisor by its unit.
func (r *run) restartUnit() {
	from, pid := time.Now(), r.pid()
	s := command(r.ctx, time.Minute, "systemctl", "restart", supervisorUnit)
	if !s.ok() && r.ctx.Err() == nil {
		r.fail("comeback", "", from, "systemctl restart %s: %s", supervisorUnit, s.text)
	}
	r.back(pid, from)
}

// deleteSocket deletes the control socket. It has to come back by itself.
func (r *run) deleteSocket() {
	if r.replaced > 0 {
		return // once is enough
	}
	from := time.Now()
	removeSocket()
	if r.await(5*time.Second, func() bool { _, err := r.report(time.Second); return err == nil }) {
		return
	}
	r.fail("socket", "", from, "the socket was deleted, and no command reaches the supervisor 5 s later; msup status: %s", firstLine(r.statusText()))
	r.restartUnit()
	r.replaced++
}

// hang stops the supervisor for so long that systemd takes it for hung.
func (r *run) hang() {
	r.note("the supervisor hangs")
	from, pid := time.Now(), r.pid()
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	// The watchdog's interval, and the time systemd gives it to die of SIGABRT.
	if !r.await(150*time.Second, func() bool { p := r.pid(); return p != 0 && p != pid }) {
		r.fail("comeback", "", from, "a supervisor that hangs is not replaced within %s", time.Since(from).Round(time.Second))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	r.note("  it was replaced after %s", time.Since(from).Round(time.Second))
	r.away(from, time.Now())
	r.back(pid, time.Now())
}

// damages are what can befall a state file.
var damages = []func(text []byte) []byte{
	func(text []byte) []byte { return text[:len(text)/2] },
	func([]byte) []byte { return nil },
	func(text []byte) []byte {
		for i := range text {
			text[i] ^= 0x5a
		}
		return text
	},
	func([]byte) []byte { return []byte(`{"version": 999, "project": "default"}` + "\n") },
}

// damage spoils the state file under a supervisor that is then killed.
func (r *run) damage() {
	r.damaged = time.Now()
	for i, spoil := range damages {
		r.note("the state is damaged, way %d", i+1)
		from, pid := time.Now(), r.pid()
		_ = syscall.Kill(pid, syscall.SIGSTOP) // it must not write it again
		files, _ := filepath.Glob(filepath.Join(runtimeDir, "state*"))
		if len(files) == 0 {
			r.fail("state", "", from, "there is no state file in %s", runtimeDir)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err == nil {
				err = os.WriteFile(f, spoil(text), 0o600)
			}
			if err != nil {
				r.fail("state", "", from, "cannot damage the state: %v", err)
			}
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		r.back(pid, from)
		if i > 0 { // one whose end is missing looks like one that was not written to its end
			told := func() bool {
				all, _ := readTransitions(r.log)
				return slices.ContainsFunc(all, func(t transition) bool {
					return !t.at.Before(from) && t.to == "" && strings.Contains(t.reason, "state")
				})
			}
			if !r.await(5*time.Second, told) {
				r.fail("state", "", from, "no line of the transition log says that the state was damaged (way %d)", i+1)
			}
		}
	}
}
