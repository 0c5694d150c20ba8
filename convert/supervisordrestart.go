package convert

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// This file has when programs are started again, and how they are stopped.

// maxDelays is how many times between tries are written down one by one.
const maxDelays = 20

// starts: supervisord looks once a second whether the time is up, so the n-th wait of n seconds
// takes a second more, but for the first: it spawns at 0, 1, 4 and 8 seconds.
func (p *program) starts() {
	c := p.supervisord
	if k := c.keyOf(p.section, "startsecs"); k != nil {
		p.seconds(k, "start_seconds", p.integer(p.section, "startsecs", 1, p.x))
	}
	retries := min(max(0, p.integer(p.section, "startretries", 3, p.x)), math.MaxInt32)
	var delays []string
	for n := 1; n <= min(retries, maxDelays); n++ {
		wait := n + 1
		if n == 1 {
			wait = 1
		}
		delays = append(delays, strconv.Itoa(wait))
	}
	place := Place{}
	k := c.keyOf(p.section, "startretries")
	if k != nil {
		place = k.place
	}
	_ = p.out.set(place, "start_retries", strconv.Itoa(retries))
	lines := []string{"start_retries = " + strconv.Itoa(retries)}
	if delays != nil {
		_ = p.out.set(place, "start_retry_delay", strings.Join(delays, " "))
		lines = append(lines, "start_retry_delay = "+strings.Join(delays, " "))
	}
	if k != nil && !c.lost[k] {
		if retries > maxDelays {
			c.note(k, Changed, lines, fmt.Sprintf("from try %d on it waits %d seconds, and not longer and longer", maxDelays, maxDelays+1), "")
		} else {
			c.note(k, Kept, lines, "", "")
		}
	}
}

// restarts: an end while it is RUNNING is answered at once and for ever.
func (p *program) restarts() {
	c, x := p.supervisord, p.x
	mode := "on-failure"
	k := c.keyOf(p.section, "autorestart")
	if k != nil {
		if value, ok := c.now(k, x); ok {
			switch b, err := pythonBool(value); {
			case err == nil && b:
				mode = "always"
			case err == nil:
				mode = "never"
			case strings.EqualFold(value, "unexpected"):
			default:
				c.wrong(k, fmt.Errorf("%s is none of true, false and unexpected", quote(value)))
			}
		}
	}
	codes := c.keyOf(p.section, "exitcodes")
	var list []string
	if codes != nil {
		if value, ok := c.now(codes, x); ok {
			for word := range strings.SplitSeq(value, ",") {
				if word = strings.TrimSpace(word); word == "" && value == "" {
					continue
				}
				n, err := pythonInt(word)
				if err != nil || n < 0 || n > 255 {
					c.wrong(codes, fmt.Errorf("%s is not an exit status from 0 to 255", quote(word)))
					continue
				}
				if text := strconv.Itoa(n); !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
			switch {
			case list != nil:
				c.kept(p.out, codes, "success_exit_codes", strings.Join(list, " "))
			case mode == "on-failure":
				mode = "always"
				c.note(codes, Changed, []string{"autorestart = always"}, "no exit status is expected", "")
			default:
				c.note(codes, Kept, nil, "", "")
			}
		}
	}
	if k != nil && !c.lost[k] {
		c.kept(p.out, k, "autorestart", mode)
	} else if k == nil {
		_ = p.out.set(Place{}, "autorestart", mode)
	}
	_ = p.out.set(Place{}, "restart_delay", "0")
	_ = p.out.set(Place{}, "max_restarts", "0")
}

func (p *program) stopSignal(k *iniKey) {
	c := p.supervisord
	value, ok := c.now(k, p.x)
	if !ok {
		return
	}
	if _, err := config.ParseSignal(value); err != nil {
		c.wrong(k, fmt.Errorf("%s is no signal", quote(value)))
		return
	}
	c.kept(p.out, k, "stop_signal", strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(value)), "SIG"))
}

func (p *program) stopTimeout(k *iniKey) {
	p.seconds(k, "stop_timeout", p.integer(p.section, "stopwaitsecs", 10, p.x))
}

// maxSeconds is a year, the longest time that msup takes.
const maxSeconds = 365 * 24 * 60 * 60

// seconds writes a time.
func (p *program) seconds(k *iniKey, name string, n int) {
	switch c := p.supervisord; {
	case c.lost[k]:
	case n > maxSeconds:
		c.changed(p.out, k, name, strconv.Itoa(maxSeconds), "a year is the longest that msup takes")
	default:
		c.kept(p.out, k, name, strconv.Itoa(max(0, n)))
	}
}

// killMode: supervisord sends signals to one process or to its group, systemd to that of a
// control group, from which nothing escapes.
func (p *program) killMode() {
	c := p.supervisord
	stop := p.boolean("stopasgroup", false)
	kill := p.boolean("killasgroup", stop)
	stopKey, killKey := c.keyOf(p.section, "stopasgroup"), c.keyOf(p.section, "killasgroup")
	mode := "mixed"
	if stop {
		mode = "control-group"
	}
	_ = p.out.set(Place{}, "systemd.KillMode", mode)
	if stop && !kill {
		c.wrong(killKey, fmt.Errorf("stopasgroup=true and killasgroup=false exclude each other"))
		return
	}
	became := []string{"systemd.KillMode = " + mode}
	if stopKey != nil && !c.lost[stopKey] {
		if stop {
			c.note(stopKey, Kept, became, "the signal reaches all of its processes, also those that have left the process group", "")
		} else {
			c.note(stopKey, Changed, became, onlyKill, "")
		}
	}
	if killKey != nil && !c.lost[killKey] {
		if kill {
			c.note(killKey, Kept, became, "", "")
		} else {
			c.note(killKey, Changed, became, onlyKill, "")
		}
	}
}

// onlyKill says what of the children of a program becomes other than with supervisord.
const onlyKill = "the stop signal goes to the main process alone, as before; what else is left of the program then is killed, and not left behind"
