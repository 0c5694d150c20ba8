//go:build linux

package torture

import (
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// steady has one supervisor live through the weather, and compares it with itself as it was young.
func (r *run) steady(d time.Duration) {
	r.note("the weather")
	// A fresh one is ended to count its goroutines; its successor is the one to watch.
	r.restartUnit()
	r.sleep(500 * time.Millisecond)
	young := r.measure(r.pid())
	young.goroutines = r.countGoroutines()
	pid, replaced := r.pid(), r.replaced
	r.steps(weather, d)
	if r.replaced > replaced {
		return
	}
	if now := r.pid(); now != pid {
		r.fail("comeback", "", time.Now(), "the supervisor changed from PID %d to %d although nobody killed it", pid, now)
		return
	}
	r.sleep(500 * time.Millisecond)
	old := r.measure(pid)
	open := descriptorsOf(pid)
	old.goroutines = r.countGoroutines()
	r.figure("supervisor, young: %s", young)
	r.figure("supervisor after %s of weather: %s", d.Round(time.Second), old)
	// What is on its way at one moment differs; what leaks, leaks with every one of many disturbances.
	if old.descriptors > young.descriptors+6 {
		r.fail("leaks", "", time.Now(), "the supervisor's descriptors grew from %d to %d: %s", young.descriptors, old.descriptors, strings.Join(open, " "))
	}
	if old.threads > young.threads+6 {
		r.fail("leaks", "", time.Now(), "the supervisor's threads grew from %d to %d", young.threads, old.threads)
	}
	// Each program may have a call or a probe on its way.
	if young.goroutines > 0 && old.goroutines > young.goroutines+16+len(r.programs) {
		r.fail("leaks", "", time.Now(), "the supervisor's goroutines grew from %d to %d", young.goroutines, old.goroutines)
	}
	if old.rss > young.rss*3/2+8<<10 {
		r.fail("leaks", "", time.Now(), "the supervisor's memory grew from %d to %d KiB", young.rss, old.rss)
	}
}

func (r *run) measure(pid int) footprint {
	f, err := footprintOf(pid)
	if err != nil {
		r.fail("leaks", "", time.Now(), "cannot look at the supervisor: %v", err)
	}
	return f
}

var goroutine = regexp.MustCompile(`(?m)^goroutine [1-9]\d* (gp=|\[)`)

// countGoroutines ends the supervisor by SIGQUIT, at which Go's runtime prints all goroutines. 0 = the journal does not have it.
func (r *run) countGoroutines() int {
	from, pid := time.Now(), r.pid()
	r.quits++
	_ = syscall.Kill(pid, syscall.SIGQUIT)
	r.back(pid, from)
	n, last := 0, -1
	for range 20 {
		s := command(r.ctx, 30*time.Second, "journalctl", "-o", "cat", "_PID="+strconv.Itoa(pid), "--since", "@"+strconv.FormatInt(from.Unix(), 10))
		n = len(goroutine.FindAllString(s.text, -1))
		if n > 0 && n == last {
			return n
		}
		last = n
		r.sleep(100 * time.Millisecond)
	}
	return n
}
