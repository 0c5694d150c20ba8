//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"msup/policy"
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

// msupDo runs msup. One that does not end is a failure whatever it was disturbed by.
func (r *run) msupDo(args ...string) said {
	return r.do(r.msup, args)
}

// tell is msupDo by a copy that is never replaced.
func (r *run) tell(args ...string) said { return r.do(r.Msup, args) }

func (r *run) do(msup string, args []string) said {
	s := command(r.ctx, time.Minute, append([]string{msup}, args...)...)
	if s.status < 0 && r.ctx.Err() == nil {
		r.fail("commands", "", time.Now(), "msup %s does not end: %s", strings.Join(args, " "), s.text)
	}
	return s
}

// order runs a command about one program.
func (r *run) order(verb string, p *program) said { return r.tell(verb, p.name, "-p", "default") }

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

// startAndKill restarts a program, and kills the supervisor while it has systemd do that.
func (r *run) startAndKill(s step, kill bool) {
	p := r.choose(pawn, s.pick)
	if p == nil {
		return
	}
	from, before := time.Now(), len(r.lives(p))
	var said said
	done := r.beside(func() { said = r.order("restart", p) })
	if kill {
		r.sleep(s.after + 10*time.Millisecond) // the command itself takes as long to begin
		pid, at := r.kill9()
		<-done
		r.back(pid, at)
	}
	<-done
	r.note("  msup restart %s: %d %s", p.name, said.status, firstLine(said.text))
	if !said.ok() {
		if !kill {
			r.fail("commands", p.name, from, "msup restart failed: %d %s", said.status, said.text)
		}
		r.raise(p)
		return
	}
	if !r.await(comeback, func() bool { lives := r.lives(p); return len(lives) > before && r.current(p) != nil }) {
		r.fail("commands", p.name, from, "msup restart said %q, and there is no new run; status: %s", said.text, r.phase(p.name))
		r.raise(p)
	}
}

// stopAndKill stops a program and kills the supervisor while it has systemd do that.
func (r *run) stopAndKill(s step) {
	p := r.choose(pawn, s.pick)
	if p == nil {
		return
	}
	from := time.Now()
	var said said
	done := r.beside(func() { said = r.order("stop", p) })
	r.sleep(s.after + 10*time.Millisecond)
	pid, at := r.kill9()
	<-done
	r.back(pid, at)
	r.note("  msup stop %s: %d %s", p.name, said.status, firstLine(said.text))
	if said.ok() {
		r.stopped(p, from, "msup stop said "+said.text)
	}
	r.raise(p)
}

// stopped checks that a program which was stopped is, and stays so.
func (r *run) stopped(p *program, from time.Time, why string) {
	if !r.await(comeback, func() bool { return r.phase(p.name) == policy.Stopped && r.current(p) == nil }) {
		r.fail("stops", p.name, from, "%s, and it is %s, %v", why, r.phase(p.name), r.current(p))
		return
	}
	r.sleep(300 * time.Millisecond)
	var phase policy.Phase
	r.await(comeback, func() bool { phase = r.phase(p.name); return phase != "" }) // one may have just been killed
	if phase != policy.Stopped || r.current(p) != nil {
		r.fail("stops", p.name, from, "%s, it was STOPPED and then %s, %v", why, phase, r.current(p))
	}
}

// raise starts a program with nobody disturbing.
func (r *run) raise(p *program) {
	from := time.Now()
	var s said
	if !r.await(comeback, func() bool {
		s = r.order("start", p)
		return s.ok()
	}) {
		r.fail("commands", p.name, from, "msup start fails: %d %s", s.status, s.text)
		return
	}
	if !r.await(comeback, func() bool { return r.current(p) != nil }) {
		r.fail("commands", p.name, from, "msup start said %q, and it does not run; status: %s", s.text, r.phase(p.name))
	}
}

// death kills a program from outside, by a signal that systemd takes for success or by one that it does not.
func (r *run) death(s step, kill bool) {
	p := r.choose(target, s.pick)
	if p == nil {
		return
	}
	from, before := time.Now(), len(r.lives(p))
	name, signal := "SIGTERM", syscall.SIGTERM
	if s.times == 1 {
		name, signal = "SIGKILL", syscall.SIGKILL
	}
	if !r.signal(p, name, signal) {
		return // it is between two lives
	}
	r.note("  %s to %s", name, p.name)
	if kill {
		r.sleep(s.after)
		r.back(r.kill9())
	}
	r.restarted(p, before, from)
}

// restarted checks that a program which was killed is started again.
func (r *run) restarted(p *program, before int, from time.Time) {
	if !r.await(comeback, func() bool { return len(r.lives(p)) > before && r.current(p) != nil }) {
		r.fail("restarts", p.name, from, "killed from outside and not started again: %s", r.phase(p.name))
		r.raise(p)
	}
}

// absent does things while no supervisor is there to see them: one is stopped (SIGSTOP) first and killed afterwards, or killed and its
// binary gone.
func (r *run) absent(s step) {
	t, h := r.choose(target, s.pick), r.choose(halted, s.pick/2)
	from := time.Now()
	var back func()
	if s.pick%2 == 0 {
		pid := r.pid()
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		back = func() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			r.back(pid, from)
		}
	} else {
		_ = os.Rename(r.msup, r.msup+".away")
		pid, _ := r.kill9()
		back = func() {
			_ = os.Rename(r.msup+".away", r.msup)
			r.back(pid, from)
		}
	}
	r.sleep(s.after)
	lives := 0
	if t != nil {
		lives = len(r.lives(t))
		name, signal := "SIGTERM", syscall.SIGTERM
		if s.times == 1 {
			name, signal = "SIGKILL", syscall.SIGKILL
		}
		if r.signal(t, name, signal) {
			r.note("  %s to %s", name, t.name)
		} else {
			t = nil
		}
	}
	if h != nil && s.times > 2 {
		r.note("  systemctl stop %s", h.name)
		r.systemctl("stop", "msup-"+h.name+".service")
	} else {
		h = nil
	}
	r.sleep(time.Duration(s.times) * 200 * time.Millisecond)
	back()
	r.note("  a supervisor is back")
	if h != nil {
		r.stopped(h, from, "stopped with systemctl while no supervisor was there")
		r.raise(h)
	}
	if t != nil {
		r.restarted(t, lives, from)
	}
}

// halt stops a program with systemctl.
func (r *run) halt(s step) {
	p := r.choose(halted, s.pick)
	if p == nil {
		return
	}
	from := time.Now()
	r.note("  systemctl stop %s", p.name)
	r.systemctl("stop", "msup-"+p.name+".service")
	r.stopped(p, from, "stopped with systemctl")
	r.raise(p)
}

// deafStop stops a program that takes no notice, behind what else happens.
func (r *run) deafStop(s step) {
	p := r.choose(deaf, s.pick)
	if p == nil {
		return
	}
	r.busy[p.name] = true
	r.behind.Go(func() {
		defer func() { r.done <- p.name }()
		l := r.current(p)
		if l == nil {
			r.fail("stops", p.name, time.Now(), "does not run: %s", r.phase(p.name))
			r.raise(p)
			return
		}
		from := time.Now()
		var said said
		if !r.await(comeback, func() bool { said = r.order("stop", p); return said.ok() || !alive(l.pid) }) {
			r.fail("stops", p.name, from, "msup stop fails: %d %s", said.status, said.text)
			return
		}
		// systemd counts from when it was asked, which a supervisor that was killed may not have come to.
		limit := p.stop + comeback
		if !r.await(limit, func() bool { return !alive(l.pid) }) {
			r.fail("stops", p.name, from, "still runs %s after msup stop", limit)
		}
		if took := time.Since(from); took < p.stop-50*time.Millisecond {
			r.fail("stops", p.name, from, "was killed after %s, its stop_timeout is %s", took.Round(time.Millisecond), p.stop)
		}
		r.stopped(p, from, "stopped with msup stop")
		r.raise(p)
	})
}

// ups runs two msup up at once, also with the supervisor just killed.
func (r *run) ups(s step, kill bool) {
	r.behind.Wait() // they would start what is being stopped
	from := time.Now()
	pid := 0
	if kill {
		pid, from = r.kill9()
		r.sleep(s.after)
	}
	var said [2]said
	var done [2]<-chan struct{}
	for i := range said {
		done[i] = r.beside(func() { said[i] = r.msupDo("up", "-d", "--timeout", "1", "-c", r.conf) })
	}
	for i := range done {
		<-done[i]
	}
	if kill {
		r.back(pid, from)
	}
	for _, s := range said {
		// 3: a program gave up; crashing ones may not be up for long enough.
		if s.status != 0 && s.status != 3 && !strings.Contains(s.text, "not everything was up after") {
			r.fail("commands", "", from, "one of two msup up ended with %d: %s", s.status, s.text)
		}
	}
	if pids := supervisors(); len(pids) != 1 {
		r.fail("comeback", "", from, "%d supervisors after two msup up: %v", len(pids), pids)
	}
}

// rotate has msup rotate all logs, also with the supervisor killed meanwhile.
func (r *run) rotate(s step, kill bool) {
	if !r.rotates {
		return
	}
	from := time.Now()
	var said said
	done := r.beside(func() { said = r.tell("rotate", "-p", "default") })
	if kill {
		r.sleep(s.after + 10*time.Millisecond)
		r.back(r.kill9())
	}
	<-done
	if !said.ok() && !kill {
		r.fail("commands", "", from, "msup rotate failed: %d %s", said.status, said.text)
	}
}

// followers run msup logs -f and go away again, and ask for the status.
func (r *run) followers(s step) {
	done := make([]<-chan struct{}, s.times)
	for i := range done {
		done[i] = r.beside(func() {
			command(r.ctx, 300*time.Millisecond, r.msup, "logs", "-f", "-p", "default")
		})
	}
	for range 5 {
		if s := command(r.ctx, 30*time.Second, r.msup, "status", "-p", "default"); s.status != 0 && s.status != 3 {
			r.fail("commands", "", time.Now(), "msup status failed: %d %s", s.status, s.text)
		}
	}
	for i := range done {
		<-done[i]
	}
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

// up brings the project up.
func (r *run) up(why string) {
	r.note("%s", why)
	from := time.Now()
	s := r.msupDo("up", "-d", "--timeout", "1", "-c", r.conf)
	if s.status != 0 && s.status != 3 && !strings.Contains(s.text, "not everything was up after") {
		r.fail("commands", "", from, "msup up ended with %d: %s", s.status, s.text)
	}
}

// downAndUp brings everything down, with the supervisor killed meanwhile, and up again.
func (r *run) downAndUp() {
	from := time.Now()
	kills, after := 1+r.rng.IntN(3), make([]time.Duration, 3)
	for i := range after {
		after[i] = time.Duration(r.rng.Int64N(int64(250 * time.Millisecond)))
	}
	r.note("down, killed %d times (%v)", kills, after[:kills])
	var said said
	done := r.beside(func() { said = r.tell("down", "-p", "default") })
	for i := range kills {
		r.sleep(after[i])
		if pid := r.pid(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			r.note("  killed")
		}
	}
	<-done
	r.note("  msup down: %d %s", said.status, firstLine(said.text))
	if !said.ok() {
		// It may say that the supervisor is gone. Another one, which nobody disturbs, has to do it.
		if again := r.tell("down", "-p", "default"); !again.ok() && len(r.left()) > 0 {
			r.fail("down", "", from, "a second msup down fails as well: %d %s", again.status, again.text)
		}
	}
	if !r.await(comeback, func() bool { return len(r.left()) == 0 }) {
		r.fail("down", "", from, "left after msup down (%d %s):\n%s", said.status, said.text, strings.Join(r.left(), "\n"))
		r.tell("down", "--kill", "-p", "default")
	}
	r.downs = append(r.downs, window{from, time.Now()})
	r.away(from, time.Now())
	r.up("up again")
}

// left is what there is of msup.
func (r *run) left() []string {
	units := command(r.ctx, 30*time.Second, "systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", "msup*")
	var left []string
	if units.text != "" {
		left = strings.Split(units.text, "\n")
	}
	if files, _ := names("/run/msup"); files != nil {
		left = append(left, "/run/msup: "+strings.Join(files, " "))
	} else if _, err := os.Stat("/run/msup"); err == nil {
		left = append(left, "/run/msup")
	}
	if _, err := os.Stat("/sys/fs/cgroup/msup.slice"); err == nil {
		left = append(left, "/sys/fs/cgroup/msup.slice")
	}
	for name, pids := range processes() {
		left = append(left, fmt.Sprintf("%s runs: %v", name, pids))
	}
	slices.Sort(left)
	return left
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

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
