package policy

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// longestDelay bounds what no configuration bounds.
const longestDelay = 365 * 24 * time.Hour

// restartDelay is the time before the n-th restart in a row, from 1 on. random, in [0,1),
// is the chance that jitter needs.
func (r Rules) restartDelay(n int, random float64) time.Duration {
	if n <= 1 || len(r.MoreDelays) == 0 {
		return r.stretch(r.RestartDelay, max(0, n-1), random)
	}
	return r.nth(r.MoreDelays, n-1, random)
}

// retryDelay is the time before the n-th retry of a start in a row.
func (r Rules) retryDelay(n int, random float64) time.Duration {
	if len(r.StartRetryDelays) == 0 {
		return r.restartDelay(n, random)
	}
	return r.nth(r.StartRetryDelays, n, random)
}

func (r Rules) nth(delays []time.Duration, n int, random float64) time.Duration {
	i := min(n, len(delays))
	return r.stretch(delays[i-1], n-i, random)
}

// stretch is d multiplied by the backoff some times, with jitter, capped.
func (r Rules) stretch(d time.Duration, times int, random float64) time.Duration {
	if d <= 0 {
		return 0
	}
	v := float64(d)
	if r.RestartBackoff > 1 {
		v *= math.Pow(r.RestartBackoff, float64(times))
	}
	v *= 1 + r.RestartJitter*random
	limit := longestDelay
	if r.RestartDelayMax > 0 {
		limit = r.RestartDelayMax
	}
	if v >= float64(limit) {
		return limit
	}
	return time.Duration(v)
}

// The storm guard. Each start costs systemd some milliseconds: 50 programs that die at once
// and start again at once cost it most of a CPU.
const (
	// startsApart is the least time from start to start of a program that is held.
	startsApart = 100 * time.Millisecond
	// quickEnds is how many runs in a row must have ended within startsApart for that.
	quickEnds = 2
)

// quick reports whether the run that ended was over at once. On a machine that is busy with
// such programs the way from a start to the news of its end is much longer.
func (s State) quick(e Exit, now time.Time) bool {
	if e.Ran > 0 {
		return e.Ran < startsApart
	}
	return now.Sub(s.Started) < startsApart
}

// hold delays the next start of a program that dies at once again and again; held tells
// whether it does.
func (s State) hold(delay time.Duration, now time.Time) (_ time.Duration, held bool) {
	if s.Quick < quickEnds {
		return delay, false
	}
	apart := startsApart
	if s.Quick == quickEnds {
		// The restart that was let through comes off here, or eleven starts were in the first
		// second.
		apart *= quickEnds
	}
	least := apart - now.Sub(s.Started)
	if least = min(least, apart); least <= delay { // the clock may have been set back
		return delay, false
	}
	return least, true
}

// Words formats a time as a configuration would write it: "0s", "1.5s", "90s", "5m",
// "1h30m".
func Words(d time.Duration) string {
	d = d.Round(time.Millisecond)
	if d >= time.Minute && d < 2*time.Minute {
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
