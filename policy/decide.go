package policy

import (
	"fmt"
	"time"
)

// verdict is what the rules make of one end, before anybody has counted.
type verdict int

const (
	leave   verdict = iota // it ended well, and that is it
	giveUp                 // it ended badly, and that is it
	again                  // a restart, if there is one left
	tryOnce                // a start has failed: another try, if there is one left
)

// judge says what follows an end nobody asked for, and which rule says so, "" = nothing
// worth telling. failedStart means that it ended before it counted as started, and that
// StartRetries has a say in that.
func (r Rules) judge(e Exit, failedStart bool) (verdict, string) {
	well := r.EndedWell(e) && !failedStart
	never, isNever := r.RestartNeverOn.Match(e)
	on, isOn := r.RestartOn.Match(e)
	switch {
	case well && isNever:
		return leave, "restart_never_on has " + never
	case well && (r.Oneshot || !isOn && r.Autorestart != Always):
		if member, ok := r.Success.Match(e); ok && member != "0" {
			return leave, "success_exit_codes has " + member
		}
		return leave, ""
	case e.Final:
		return giveUp, ""
	case isNever:
		return giveUp, "restart_never_on has " + never
	case e.Cause == CauseOOM && r.OnOOM == OOMStop:
		return giveUp, "on_oom is stop"
	case failedStart:
		return tryOnce, ""
	case e.Cause == CauseOOM && r.OnOOM == OOMRestart:
		return again, "on_oom is restart"
	case isOn:
		return again, "restart_on has " + on
	case r.Autorestart == Never:
		return giveUp, "autorestart is never"
	case well:
		return again, "autorestart is always"
	}
	return again, ""
}

// executed reports whether an end of that cause is one of the program itself: a busy systemd
// may not have said that it was executed before it has ended.
func executed(c Cause) bool { return c == CauseExit || c == CauseSignal || c == CauseCoreDump }

// decide answers an end nobody asked for.
func (s State) decide(r Rules, ev Ended, up time.Duration, now time.Time) State {
	e := ev.Exit
	bad := Failed
	if e.limit() {
		bad = Killed
	}
	failedStart := s.Phase == Starting && r.StartRetries != nil && (!r.Oneshot || !r.EndedWell(e))
	v, rule := r.judge(e, failedStart)
	reason := e.Reason
	switch {
	case s.waitsForReady(r):
		switch e.Cause {
		case CauseTimeout, CauseProtocol, CauseExec, CauseStart, CauseResources: // they say so, or that it did not run
		default:
			reason += ", was not ready yet"
		}
	case failedStart && v != giveUp && (up > 0 || executed(e.Cause)):
		reason += ", did not stay up for " + Words(r.StartPeriod)
	}
	if rule != "" {
		reason += ", " + rule
	}
	switch v {
	case leave:
		return s.to(Exited, now, reason)
	case giveUp:
		return s.to(bad, now, reason)
	case tryOnce:
		return s.retry(r, ev, bad, reason, now)
	}
	s.Failures = 0
	return s.restartAfter(r, ev, bad, reason, now)
}

// restartAfter waits for the next restart, if one is left.
func (s State) restartAfter(r Rules, ev Ended, bad Phase, reason string, now time.Time) State {
	delay, held := s.hold(r.restartDelay(s.Restarts+1, ev.Random), now)
	used := s.Restarts
	if r.window() > 0 {
		used = r.within(s, now.Add(delay))
	}
	if r.MaxRestarts > 0 && used >= r.MaxRestarts {
		text := "gave up after " + count(used, "restart", "restarts")
		if w := r.window(); w > 0 {
			text += " within " + Words(w)
		}
		return s.exhausted(r, bad, reason+", "+text, now)
	}
	s.Restarts++
	return s.backoff(r, delay, held, reason, now)
}

// retry waits for the next try after a failed start, if one is left.
func (s State) retry(r Rules, ev Ended, bad Phase, reason string, now time.Time) State {
	if s.Failures >= *r.StartRetries {
		return s.exhausted(r, bad, reason+", gave up after "+count(s.Failures, "start retry", "start retries"), now)
	}
	s.Failures++
	delay, held := s.hold(r.retryDelay(s.Failures, ev.Random), now)
	return s.backoff(r, delay, held, reason, now)
}

func (s State) backoff(r Rules, delay time.Duration, held bool, reason string, now time.Time) State {
	s = s.to(Backoff, now, reason)
	s.Deadline = now.Add(delay)
	s.Reason = fmt.Sprintf("%s, %s in %s", reason, s.words(r, now), Words(delay))
	if held {
		s.Reason += ", held to ten starts a second"
	}
	return s
}

// exhausted gives up, until a cooldown is over.
func (s State) exhausted(r Rules, bad Phase, reason string, now time.Time) State {
	s = s.to(bad, now, reason)
	if r.RestartCooldown > 0 {
		s.Deadline = now.Add(r.RestartCooldown)
		s.Reason += ", tries again in " + Words(r.RestartCooldown)
	}
	return s
}
