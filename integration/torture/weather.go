//go:build linux

package torture

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// steady has one supervisor live through the weather, and compares it with itself as it was young.
func (r *run) steady(d time.Duration) {
	r.note("the weather")
	// A fresh one is ended to see its goroutines; its successor is the one to watch.
	r.restartUnit()
	r.sleep(500 * time.Millisecond)
	young := r.measure(r.pid())
	young.goroutines = r.goroutinesNow()
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
	old.goroutines = r.goroutinesNow()
	r.figure("supervisor, young: %s", young)
	r.figure("supervisor after %s of weather: %s", d.Round(time.Second), old)
	// What is on its way at one moment differs; what leaks, leaks with every one of many disturbances.
	if old.descriptors > young.descriptors+6 {
		r.fail("leaks", "", time.Now(), "the supervisor's descriptors grew from %d to %d: %s", young.descriptors, old.descriptors, strings.Join(open, " "))
	}
	if old.threads > young.threads+6 {
		r.fail("leaks", "", time.Now(), "the supervisor's threads grew from %d to %d", young.threads, old.threads)
	}
	if n := young.goroutines.lasting(); n > 0 && old.goroutines.lasting() > n+8 {
		r.fail("leaks", "", time.Now(), "the supervisor's goroutines grew from %d to %d: %s", n, old.goroutines.lasting(), old.goroutines.more(young.goroutines))
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

// goroutines are those of a supervisor, by what has created them.
type goroutines map[string]int

// onItsWay is what a goroutine is created by that makes a call or a probe, of which there are as
// many as the moment brings: each is bounded by a timeout. One that has waited for minutes is not
// on its way.
var onItsWay = regexp.MustCompile(`^msup/units\.\(\*Supervisor\)\.do\b`)

// lasting is how many there are without what is on its way.
func (g goroutines) lasting() int {
	n := 0
	for by, count := range g {
		if !onItsWay.MatchString(by) {
			n += count
		}
	}
	return n
}

// more lists of what there are more than before.
func (g goroutines) more(before goroutines) string {
	var out []string
	for _, by := range slices.Sorted(maps.Keys(g)) {
		if g[by] > before[by] {
			out = append(out, fmt.Sprintf("%s %d instead of %d", by, g[by], before[by]))
		}
	}
	return strings.Join(out, ", ")
}

var (
	goroutine = regexp.MustCompile(`(?m)^goroutine [1-9]\d* (gp=\S+ m=\S+ )?.*?\[(.*)\]:$`)
	creator   = regexp.MustCompile(`(?m)^created by (\S+)`)
	waited    = regexp.MustCompile(`, \d+ minutes`)
)

// goroutinesIn reads what Go's runtime prints of all goroutines.
func goroutinesIn(dump string) goroutines {
	out := goroutines{}
	heads := goroutine.FindAllStringSubmatchIndex(dump, -1)
	for i, h := range heads {
		end := len(dump)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		by := "nobody"
		if m := creator.FindStringSubmatch(dump[h[0]:end]); m != nil {
			by = m[1]
		}
		if waited.MatchString(dump[h[4]:h[5]]) && onItsWay.MatchString(by) {
			by = "for minutes: " + by
		}
		out[by]++
	}
	return out
}

// goroutinesNow ends the supervisor by SIGQUIT, at which Go's runtime prints all goroutines. None = the journal does not have it.
func (r *run) goroutinesNow() goroutines {
	from, pid := time.Now(), r.pid()
	r.quits++
	_ = syscall.Kill(pid, syscall.SIGQUIT)
	r.back(pid, from)
	var all goroutines
	for range 20 {
		s := command(r.ctx, 30*time.Second, "journalctl", "-o", "cat", "_PID="+strconv.Itoa(pid), "--since", "@"+strconv.FormatInt(from.Unix(), 10))
		before := all
		if all = goroutinesIn(s.text); len(all) > 0 && maps.Equal(all, before) {
			break
		}
		r.sleep(100 * time.Millisecond)
	}
	return all
}
