//go:build linux

package torture

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"msup/policy"
)

// What somebody does who types commands, while the supervisor they ask is killed.

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
	r.close()
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

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
