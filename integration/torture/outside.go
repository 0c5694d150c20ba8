//go:build linux

package torture

import (
	"os"
	"syscall"
	"time"
)

// What happens to programs without msup: they are killed, or stopped with systemctl.

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
