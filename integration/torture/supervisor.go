//go:build linux

package torture

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"msup/control"
	"msup/policy"
)

const supervisorUnit = "msup.service"

// pid is the supervisor's, 0 = there is none.
func (r *run) pid() int {
	pid, _ := strconv.Atoi(property(r.ctx, supervisorUnit, "MainPID"))
	return pid
}

// report asks the supervisor.
func (r *run) report(limit time.Duration) (control.Report, error) {
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	return r.client.Status(ctx)
}

// comeback is how long a supervisor may take until it answers.
const comeback = 15 * time.Second

// back waits for a supervisor other than that with PID old, which ended at from.
func (r *run) back(old int, from time.Time) {
	for {
		rep, err := r.report(time.Second)
		if err == nil && rep.Supervisor.PID != nil && *rep.Supervisor.PID != old {
			r.away(from, time.Now())
			return
		}
		if time.Since(from) > comeback+r.stalls.tolerance() {
			status := command(r.ctx, 10*time.Second, "systemctl", "status", "-n", "30", supervisorUnit)
			r.fail("comeback", "", from, "no supervisor answers %s later: %v\n%s", time.Since(from).Round(time.Millisecond), err, status.text)
			command(r.ctx, time.Minute, "systemctl", "restart", supervisorUnit)
			r.away(from, time.Now())
			return
		}
		r.sleep(10 * time.Millisecond)
	}
}

// kill9 kills the supervisor; it does not wait for the next one.
func (r *run) kill9() (pid int, at time.Time) {
	for pid = r.pid(); pid == 0 && r.ctx.Err() == nil; pid = r.pid() {
		r.sleep(5 * time.Millisecond)
	}
	at = time.Now()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	return pid, at
}

func (r *run) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.ctx.Done():
	}
}

// await waits until ok says yes, and reports whether it did within the time.
func (r *run) await(limit time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(limit); ; {
		if ok() {
			return true
		}
		if time.Now().After(deadline) || r.ctx.Err() != nil {
			return false
		}
		r.sleep(20 * time.Millisecond)
	}
}

// phase is what the supervisor says of a program, "" = it does not answer.
func (r *run) phase(name string) policy.Phase {
	rep, err := r.report(2 * time.Second)
	if err != nil {
		return ""
	}
	return programOf(rep, name).State
}

func programOf(rep control.Report, name string) control.ProgramReport {
	i := slices.IndexFunc(rep.Programs, func(p control.ProgramReport) bool { return p.Name == name })
	if i < 0 {
		return control.ProgramReport{}
	}
	return rep.Programs[i]
}

// lives reads the book of a program. What is being written may be read torn; so it is read again.
func (r *run) lives(p *program) []*life {
	for try := 0; ; try++ {
		lives, err := readBook(p.book)
		if err == nil {
			return lives
		}
		if try == 5 {
			r.fail("copies", p.name, time.Now(), "%v", err)
			return nil
		}
		r.sleep(10 * time.Millisecond)
	}
}

// current is the last life of a program, nil = there is none, or it is over.
func (r *run) current(p *program) *life {
	lives := r.lives(p)
	if len(lives) == 0 {
		return nil
	}
	l := lives[len(lives)-1]
	if !l.over().IsZero() || !alive(l.pid) {
		return nil
	}
	return l
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// signal kills a program from outside. It reports whether it could.
func (r *run) signal(p *program, name string, signal syscall.Signal) bool {
	l := r.current(p)
	if l == nil {
		return false
	}
	if err := noteKill(p.book, l, name); err != nil {
		return false
	}
	_ = syscall.Kill(l.pid, signal)
	return true
}

// mark is a process that must stay what it is.
type mark struct {
	program string
	pid     int
	since   time.Time // as msup says, to the millisecond
}

// mark remembers the processes of the programs that nothing is done to.
func (r *run) mark() {
	r.marks = nil
	var rep control.Report
	if !r.await(comeback, func() (ok bool) {
		var err error
		rep, err = r.report(2 * time.Second)
		if err != nil {
			return false
		}
		for _, p := range r.programs {
			if p.role == steady && (programOf(rep, p.name).State != policy.Running || programOf(rep, p.name).PID == nil) {
				return false
			}
		}
		return true
	}) {
		r.fail("pids", "", time.Now(), "not everything that should be is up: %s", r.statusText())
	}
	copies := processes()
	for _, p := range r.programs {
		if p.role != steady {
			continue
		}
		if len(copies[p.name]) != 1 {
			r.fail("copies", p.name, time.Now(), "%d processes after it was brought up: %v", len(copies[p.name]), copies[p.name])
			continue
		}
		m := mark{program: p.name, pid: copies[p.name][0]}
		if s := programOf(rep, p.name).Since; s != nil {
			m.since = s.Truncate(time.Millisecond)
		}
		r.marks = append(r.marks, m)
	}
	r.open()
}

// verify looks whether the marked processes are as they were.
func (r *run) verify() {
	var rep control.Report
	if !r.await(comeback, func() (ok bool) {
		var err error
		rep, err = r.report(2 * time.Second)
		return err == nil
	}) {
		r.fail("comeback", "", time.Now(), "no supervisor answers")
		return
	}
	copies := processes()
	for _, m := range r.marks {
		now := time.Now()
		if got := copies[m.program]; !slices.Equal(got, []int{m.pid}) {
			r.fail("pids", m.program, now, "had PID %d and has %v", m.pid, got)
			continue
		}
		p := programOf(rep, m.program)
		lost := p.PID == nil && !r.damaged.IsZero() && r.program(m.program).scope // only the state that was damaged had it
		if p.State != policy.Running || !lost && (p.PID == nil || *p.PID != m.pid) {
			r.fail("status", m.program, now, "runs as PID %d; msup says %s %s (%s)", m.pid, p.State, number(p.PID), p.Reason)
		} else if r.damaged.IsZero() && p.Since != nil && !p.Since.Truncate(time.Millisecond).Equal(m.since) {
			r.fail("pids", m.program, now, "was up since %s and is since %s", clock(m.since), clock(*p.Since))
		}
	}
	if pids := supervisors(); len(pids) != 1 {
		r.fail("comeback", "", time.Now(), "%d supervisors: %v", len(pids), pids)
	}
}

func number(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

func (r *run) statusText() string {
	s := command(r.ctx, 30*time.Second, r.msup, "status", "-p", "default")
	return s.text
}

// replaceBinary puts another copy in the place of msup, as a package manager does.
func (r *run) replaceBinary() {
	if err := copyFile(r.Msup, r.msup+".new"); err == nil {
		_ = os.Rename(r.msup+".new", r.msup)
	}
}

// removeSocket deletes the control socket.
func removeSocket() { _ = os.Remove(filepath.Join(runtimeDir, control.SocketName)) }
