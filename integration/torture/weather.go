//go:build linux

package torture

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// steady has one supervisor live through the weather, and compares it with itself as it was young.
func (r *run) steady(d time.Duration) {
	r.note("the weather")
	// A fresh one is the one to watch.
	r.restartUnit()
	r.sleep(500 * time.Millisecond)
	pid, replaced := r.pid(), r.replaced
	young := r.measure(pid)
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
	r.figure("supervisor, young: %s", young)
	r.figure("supervisor after %s of weather: %s", d.Round(time.Second), old)
	// What is on its way at one moment differs; what leaks, leaks with every one of many disturbances.
	if old.descriptors > young.descriptors+6 {
		r.fail("leaks", "", time.Now(), "the supervisor's descriptors grew from %d to %d: %s", young.descriptors, old.descriptors, strings.Join(open, " "))
	}
	if old.threads > young.threads+6 {
		r.fail("leaks", "", time.Now(), "the supervisor's threads grew from %d to %d", young.threads, old.threads)
	}
	if old.goroutines > young.goroutines+8 {
		r.fail("leaks", "", time.Now(), "the supervisor's goroutines grew from %d to %d: %s", young.goroutines, old.goroutines, r.goroutines())
	}
	if old.rss > young.rss*3/2+8<<10 {
		r.fail("leaks", "", time.Now(), "the supervisor's memory grew from %d to %d KiB", young.rss, old.rss)
	}
}

// measure is the least that the supervisor takes at any of some moments: a call, a probe or an
// event that is on its way goes, a leak is there at each of them.
func (r *run) measure(pid int) footprint {
	const looks = 15
	var least footprint
	for i := range looks {
		if i > 0 {
			r.sleep(100 * time.Millisecond)
		}
		f, err := footprintOf(pid)
		if err != nil {
			r.fail("leaks", "", time.Now(), "cannot look at the supervisor: %v", err)
			return f
		}
		rep, err := r.report(comeback)
		if err != nil || rep.Supervisor.Goroutines == 0 {
			r.fail("leaks", "", time.Now(), "the supervisor does not say how many goroutines it has: %v", err)
			return f
		}
		f.goroutines = rep.Supervisor.Goroutines
		if i == 0 {
			least = f
		}
		least = footprint{min(least.descriptors, f.descriptors), min(least.threads, f.threads), min(least.goroutines, f.goroutines), min(least.rss, f.rss)}
	}
	return least
}

var (
	goroutine = regexp.MustCompile(`(?m)^goroutine [1-9]\d* (gp=\S+ m=\S+ )?.*?\[.*\]:$`)
	creator   = regexp.MustCompile(`(?m)^created by (\S+)`)
)

// goroutinesIn reads what Go's runtime prints of all goroutines, and counts them by what has
// created them.
func goroutinesIn(dump string) map[string]int {
	out := map[string]int{}
	heads := goroutine.FindAllStringIndex(dump, -1)
	for i, h := range heads {
		end := len(dump)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		by := "nobody"
		if m := creator.FindStringSubmatch(dump[h[0]:end]); m != nil {
			by = m[1]
		}
		out[by]++
	}
	return out
}

// goroutines ends the supervisor by SIGQUIT, at which Go's runtime prints all goroutines into the
// journal, and returns them for a report.
func (r *run) goroutines() string {
	from, pid := time.Now(), r.pid()
	r.quits++
	_ = syscall.Kill(pid, syscall.SIGQUIT)
	r.back(pid, from)
	var all map[string]int
	for range 20 {
		s := command(r.ctx, 30*time.Second, "journalctl", "-o", "cat", "_PID="+strconv.Itoa(pid), "--since", "@"+strconv.FormatInt(from.Unix(), 10))
		before := all
		if all = goroutinesIn(s.text); len(all) > 0 && maps.Equal(all, before) {
			break
		}
		r.sleep(100 * time.Millisecond)
	}
	return strings.TrimPrefix(fmt.Sprint(all), "map")
}
