package convert

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msup/property"
)

// milliseconds reads a number of milliseconds.
func (o *outcome) milliseconds(n *node) (float64, bool) {
	ms, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || !(ms >= 0 && ms <= 1e12) {
		o.fail("use a number of milliseconds", "%s is no time", clip(n.String()))
		return 0, false
	}
	return ms, true
}

// inTime is a number of milliseconds as msup writes it.
func inTime(ms float64) string {
	i := int64(ms)
	if i%1000 == 0 {
		return strconv.FormatInt(i/1000, 10) + "s"
	}
	return strconv.FormatInt(i, 10) + "ms"
}

var uptimeText = regexp.MustCompile(`^(\d{1,9})(h|m|s)?$`)

// restarts is when the app is started again, lib/God.js.
func (a *pm2App) restarts() {
	minUptime, delay, backoff := 1000.0, 0.0, 0.0
	maxRestarts := 16
	if n := a.get("min_uptime"); !n.isEmptyScalar() {
		if m := uptimeText.FindStringSubmatch(n.String()); m == nil {
			a.entry("min_uptime").fail("use milliseconds, or a number with s, m or h", "%s is no time", clip(n.String()))
		} else {
			minUptime, _ = strconv.ParseFloat(m[1], 64)
			minUptime *= map[string]float64{"": 1, "s": 1e3, "m": 6e4, "h": 36e5}[m[2]]
		}
	}
	if n := a.get("max_restarts"); !n.isEmptyScalar() {
		maxRestarts, _ = a.entry("max_restarts").number(n)
	}
	if n := a.get("restart_delay"); !n.isEmptyScalar() {
		delay, _ = a.entry("restart_delay").milliseconds(n)
		a.entry("restart_delay").set(a.s, "restart_delay", inTime(delay))
	}
	reset := inTime(minUptime)
	if n := a.get("exp_backoff_restart_delay"); !n.isEmptyScalar() && !n.isEmpty() {
		o := a.entry("exp_backoff_restart_delay")
		backoff, _ = o.milliseconds(n)
		o.set(a.s, "restart_delay", inTime(min(backoff, 15000)))
		o.set(a.s, "restart_backoff", "1.5")
		o.set(a.s, "restart_delay_max", "15s")
		reset = "30s" // EXP_BACKOFF_RESET_TIMER of constants.js
	}
	if n := a.get("autorestart"); n != nil && n.isFalse() {
		a.entry("autorestart").set(a.s, "autorestart", "never")
		return
	}
	o := a.entry("max_restarts")
	if !unstable(minUptime, maxRestarts, delay, backoff) {
		// pm2 counts only in the first min_uptime × max_restarts of an app, which the delays fill.
		o.change("with these delays pm2 never gives up")
		maxRestarts = 0
	}
	o.set(a.s, "max_restarts", strconv.Itoa(maxRestarts))
	a.entry("min_uptime").set(a.s, "restart_reset", reset)
	if n := a.get("stop_exit_codes"); n != nil && n.kind != nullNode {
		a.stopCodes(a.entry("stop_exit_codes"), n)
	}
}

// unstable reports whether an app that dies at once is ever given up: only restarts within the first
// min_uptime × max_restarts count.
func unstable(minUptime float64, maxRestarts int, delay, backoff float64) bool {
	now, window := 0.0, minUptime*float64(maxRestarts)
	for range min(maxRestarts, 100_000) - 1 {
		if backoff > 0 {
			now += backoff
			backoff = min(15000, backoff*1.5)
		} else {
			now += delay
		}
	}
	return maxRestarts > 0 && now < window
}

// stopCodes are exit statuses after which pm2 does not start an app again.
func (a *pm2App) stopCodes(o *outcome, n *node) {
	items := n.items
	if n.kind != listNode {
		items = []*node{n}
	}
	var codes []string
	for _, item := range items {
		i, ok := o.number(item)
		if ok && i <= 255 && !slices.Contains(codes, strconv.Itoa(i)) {
			codes = append(codes, strconv.Itoa(i))
		}
	}
	if len(codes) == 0 {
		return
	}
	o.set(a.s, "autorestart", "on-failure")
	o.set(a.s, "success_exit_codes", strings.Join(codes, " "))
}

var memoryText = regexp.MustCompile(`^(\d+)([KMG])?$`)

func (a *pm2App) memory(o *outcome, n *node) {
	m := memoryText.FindStringSubmatch(n.String())
	if m == nil {
		o.fail("use a number of bytes, or one with K, M or G", "%s is no size", clip(n.String()))
		return
	}
	o.set(a.s, "memory_limit", n.String())
	o.set(a.s, "on_oom", "restart")
	o.change("the kernel kills the program when all its processes need more, at once; pm2 looks at the main process every 30 s and restarts it")
}

func (a *pm2App) cron(o *outcome, n *node) {
	text := n.String()
	if text == "0" || text == "" {
		return
	}
	if n := a.get("autorestart"); n == nil || !n.isFalse() {
		instead := "max_age = 1d restarts it a day after its start"
		if events, ok := property.FromCron(text); ok {
			instead += "; or a second program with schedule = " + events[0] + " that runs msup restart " + a.s.Name
		}
		o.drop("msup restarts no program that runs at a time of the clock", instead)
		return
	}
	if o.schedule(a.s, text, "") {
		o.change("it is started at these times, and not by msup up as well")
	}
}

// timestamps stand before each line.
func (a *pm2App) timestamps(o *outcome, n *node) {
	if n.isFalse() || n.isEmptyScalar() {
		return
	}
	o.set(a.s, "log_timestamps", "rfc3339")
	if !n.isTrue() {
		o.change("times are written as RFC 3339 has them")
	}
}

func (a *pm2App) sourceMaps(o *outcome, n *node) {
	if n.isTrue() {
		o.drop("pm2 loads a module for it", "environment = NODE_OPTIONS=--enable-source-maps")
	}
}

// output is where the streams go.
func (a *pm2App) output() {
	if n := a.get("disable_logs"); n != nil && n.isTrue() {
		a.entry("disable_logs").set(a.s, "stdout", "null")
		a.entry("disable_logs").set(a.s, "stderr", "null")
		return
	}
	out, errFile, all := a.logFile("out_file"), a.logFile("error_file"), a.logFile("log_file")
	switch {
	case all == "" || all == "null":
	case out == "" && errFile == "":
		a.entry("log_file").set(a.s, "stdout", all)
		a.entry("log_file").set(a.s, "stderr", "stdout")
	default:
		a.entry("log_file").drop("a stream goes to one file", "msup logs "+a.s.Name+" shows both")
	}
	if out != "" {
		a.entry("out_file").set(a.s, "stdout", out)
	}
	if errFile != "" {
		if errFile == out {
			errFile = "stdout"
		}
		a.entry("error_file").set(a.s, "stderr", errFile)
	}
}

// logFile is the file of a key as the configuration names it: each instance has its own, unless
// they are merged.
func (a *pm2App) logFile(key string) string {
	n := a.get(key)
	if n.isEmptyScalar() || n.kind == boolNode {
		return ""
	}
	file := a.home(n.text)
	if file == "NULL" || file == "/dev/null" {
		return "null"
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.cwd, file)
	}
	file = literal(a.path(file))
	if a.instances > 1 && (a.get("merge_logs") == nil || !a.get("merge_logs").isTrue()) {
		ext := filepath.Ext(file)
		file = fmt.Sprintf("%s-%s%s", strings.TrimSuffix(file, ext), a.number(), ext)
	}
	return file
}
