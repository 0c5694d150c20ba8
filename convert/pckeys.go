package convert

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"msup/property"

	"golang.org/x/sys/unix"
)

// mustComplete reports whether another process waits for the end of this one.
func (p *pcProcess) mustComplete() bool {
	// What is started again never completes, and a oneshot is asked nothing.
	if alwaysRestarted(p.value) || p.value.get("readiness_probe") != nil || p.value.get("liveness_probe") != nil || p.value.get("ready_log_line") != nil {
		return false
	}
	return p.awaited[p.name]
}

func alwaysRestarted(n *node) bool {
	return n.get("availability").get("restart").String() == "always"
}

// dependencies are the processes that a process depends on.
func dependencies(n *node) []nodeKey {
	deps := n.get("depends_on")
	if deps == nil {
		return nil
	}
	return deps.keys
}

// needs is what a condition is called in depends_on, beside started; an optional one does not keep a
// program from being started.
var needs = map[string]struct{ condition, why string }{
	"":                               {"", ""},
	"process_started":                {"", ""},
	"process_healthy":                {"ready", ""},
	"process_log_ready":              {"ready", ""},
	"process_completed_successfully": {"completed", ""},
	"process_completed":              {"completed", "also when that has failed, but not while it is tried again"},
}

func (p *pcProcess) dependsOn(o *outcome, n *node) {
	if n.kind != mapNode {
		o.fail("write NAME: with condition: below it", "it is %s", n.kindWords())
		return
	}
	var list []string
	for _, dep := range n.keys {
		condition := dep.value.get("condition").String()
		need, ok := needs[condition]
		if other := p.process[dep.name]; other != nil && need.condition == "completed" && alwaysRestarted(other) {
			need.condition = "ready"
			o.change("%s is always started again and never completes: what waits for that waits until it is ready", dep.name)
		}
		if !ok {
			o.fail("the conditions are process_started, process_healthy, process_log_ready, process_completed and process_completed_successfully", "%s is no condition", clip(condition))
			continue
		}
		if other := p.process[dep.name]; other != nil && isDisabled(other) {
			o.change("%s is not started by itself, and not waited for", dep.name)
			continue
		}
		targets := p.targets(dep.name)
		if targets == nil {
			o.fail("", "there is no process %s", clip(dep.name))
			continue
		}
		for _, word := range targets {
			if need.condition != "" {
				word += ":" + need.condition
			}
			if condition == "process_completed" && need.condition == "completed" {
				word = "?" + word
			}
			list = append(list, word)
		}
		if need.why != "" && need.condition == "completed" {
			o.change("%s: %s", dep.name, need.why)
		}
	}
	if len(list) > 0 {
		o.set(p.s, "depends_on", strings.Join(list, " "))
	}
}

// isDisabled reports whether a process is not started by itself; what depends on it would start it.
func isDisabled(n *node) bool {
	switch n.get("is_disabled").String() {
	case "true":
		return true
	case "false":
		return false
	}
	return n.get("disabled").isTrue() || n.get("is_foreground").isTrue() || n.get("is_daemon").isTrue() || n.get("mcp") != nil
}

// targets are the programs of a process, or of one of its replicas.
func (p *pcProcess) targets(name string) []string {
	if program, ok := p.names[name]; ok {
		if n := p.split[name]; n > 0 {
			var all []string
			for i := range n {
				all = append(all, p.replicaName(name, i))
			}
			return all
		}
		return []string{program}
	}
	base, number, _ := cutLast(name, "-")
	program, ok := p.names[base]
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 {
		return nil
	}
	if n := p.split[base]; n > i {
		return []string{p.replicaName(base, i)}
	}
	return []string{fmt.Sprintf("%s@%d", program, i+1)}
}

// cutLast cuts a text at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// fields reads the keys of a mapping one by one; those that have no function are told.
func (o *outcome) fields(n *node, known map[string]func(n *node)) {
	if n.kind != mapNode {
		o.fail("", "it is %s and not a mapping", n.kindWords())
		return
	}
	for _, k := range n.keys {
		f := known[k.name]
		switch {
		case f != nil && k.value.kind != nullNode:
			f(k.value)
		case f == nil && !strings.HasPrefix(k.name, "x-"):
			var names []string
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			o.drop(k.name+": process-compose itself does not know the key", didYouMean(k.name, names))
		}
	}
}

// number reads a whole number that is not negative.
func (o *outcome) number(n *node) (int, bool) {
	i, err := strconv.Atoi(n.String())
	if err != nil || i < 0 || i > 1<<31-1 {
		o.fail("use a whole number", "%s is no number", clip(n.String()))
		return 0, false
	}
	return i, true
}

func (p *pcProcess) availability(o *outcome, n *node) {
	restart, backoff, maxRestarts := "no", 1, 0
	o.fields(n, map[string]func(*node){
		"restart":         func(n *node) { restart = n.String() },
		"backoff_seconds": func(n *node) { backoff, _ = o.number(n) },
		"max_restarts":    func(n *node) { maxRestarts, _ = o.number(n) },
		"exit_on_end": func(n *node) {
			if n.isTrue() {
				o.drop("exit_on_end: the end of one program does not end the others", "msup wait "+p.s.Name+" --for stopped && msup down")
			}
		},
		"exit_on_skipped": func(n *node) {
			if n.isTrue() {
				o.drop("exit_on_skipped: a program that cannot be started does not end the others", "msup wait "+p.s.Name+" --for ready || msup down")
			}
		},
	})
	switch restart {
	case "no", "false": // YAML 1.1 takes no for false
		o.set(p.s, "autorestart", "never")
		return
	case "exit_on_failure":
		o.set(p.s, "autorestart", "never")
		o.drop("exit_on_failure: the failure of one program does not end the others", "msup wait "+p.s.Name+" --for completed || msup down")
		return
	case "on_failure":
		o.set(p.s, "autorestart", "on-failure")
	case "always":
		o.set(p.s, "autorestart", "always")
	default:
		o.fail("use no, on_failure, always or exit_on_failure", "%s is no restart policy", clip(restart))
		return
	}
	o.set(p.s, "restart_delay", fmt.Sprintf("%ds", max(backoff, 1)))
	o.set(p.s, "max_restarts", strconv.Itoa(maxRestarts))
	if maxRestarts > 0 && !p.oneshot {
		o.set(p.s, "restart_reset", "0") // they are counted for good
	}
}

// success are exit statuses that are no failures. A shell tells of a signal by 128 and its number, systemd by
// its name.
func (p *pcProcess) success(o *outcome, n *node) {
	list := []string{"0"}
	for _, item := range n.items {
		code, ok := o.number(item)
		if !ok {
			continue
		}
		if code > 255 {
			o.fail("use numbers from 0 to 255", "%d is no exit status", code)
			continue
		}
		if code != 0 {
			list = append(list, strconv.Itoa(code))
		}
		if name := unix.SignalName(unix.Signal(code - 128)); code > 128 && name != "" {
			list = append(list, name)
			o.change("%d is what a shell says of a program that %s ended", code, name)
		}
	}
	if len(list) > 1 {
		o.set(p.s, "success_exit_codes", strings.Join(list, " "))
	}
}

// schedule starts the program at the times of a cron expression.
func (o *outcome) schedule(s *Section, cron, zone string) bool {
	events, ok := property.FromCron(cron)
	if !ok {
		o.drop("systemd has no words for "+quote(cron), "systemd.time(7) says how calendar events are written")
		return false
	}
	for _, e := range events {
		o.set(s, "schedule", strings.TrimSpace(e+" "+zone))
	}
	return true
}

func (p *pcProcess) schedule(o *outcome, n *node) {
	cron, zone, every, onStart := "", "", "", false
	o.fields(n, map[string]func(*node){
		"cron":         func(n *node) { cron = n.String() },
		"timezone":     func(n *node) { zone = n.String() },
		"interval":     func(n *node) { every = n.String() },
		"run_on_start": func(n *node) { onStart = n.isTrue() },
		"max_concurrent": func(n *node) {
			if i, ok := o.number(n); ok && i > 1 {
				o.change("a run that is due while the last one still runs is left out")
			}
		},
	})
	switch {
	case cron != "":
		if !o.schedule(p.s, cron, zone) {
			return
		}
	case every != "":
		d, err := time.ParseDuration(every)
		if err != nil || d <= 0 {
			o.fail("use a time such as 30m", "%s is no time", clip(every))
			return
		}
		o.set(p.s, "schedule", "every "+inTime(float64(max(d, time.Second).Milliseconds())))
	}
	if onStart {
		o.drop("run_on_start: it runs at its times", "msup start "+p.s.Name+" runs it at once")
	}
}

func (p *pcProcess) shutdown(o *outcome, n *node) {
	command, timeout := "", ""
	o.fields(n, map[string]func(*node){
		"command":         func(n *node) { command = n.String() },
		"timeout_seconds": func(n *node) { timeout = n.String() },
		"signal": func(n *node) {
			i, ok := o.number(n)
			name := unix.SignalName(unix.Signal(i))
			switch {
			case !ok || i == 0:
			case i > 31 || name == "":
				o.change("signal %d is none: TERM is sent, as process-compose does", i)
			default:
				o.set(p.s, "stop_signal", strings.TrimPrefix(name, "SIG"))
			}
		},
		"parent_only": func(n *node) {
			if n.isTrue() {
				o.set(p.s, "systemd.KillMode", "mixed")
				o.change("only the main process gets the signal, but when it has ended all others are killed")
			}
		},
		"send_keys": func(*node) {
			o.drop("send_keys: programs of msup's have no terminal", "stop_command = a command that ends it")
		},
	})
	if command != "" {
		argv, changed := shellWords(p.shell[0], p.shell[1], command)
		defer o.passed(p.s, argv, p.has)
		line, joined := oneLineWords(argv)
		if changed+joined != "" {
			o.change("%s", changed+joined)
		}
		o.set(p.s, "stop_command", words(p.env.command(literals(line))...))
	}
	if timeout != "" && timeout != "0" {
		o.time(&node{kind: textNode, text: timeout}, func(text string) { o.set(p.s, "stop_timeout", text) })
	}
}

func (p *pcProcess) daemon(o *outcome, n *node) {
	if !n.isTrue() {
		return
	}
	o.set(p.s, "autostart", "false")
	o.drop("msup does not run programs that go to the background: it would take their first process's end for theirs, so it is not started",
		"run it in the foreground, as most programs can (docker run without -d), and take autostart away")
}

func (p *pcProcess) foreground(o *outcome, n *node) {
	if !n.isTrue() {
		return
	}
	o.set(p.s, "autostart", "false")
	o.drop("programs of msup's have no terminal, so it is not started", "run it by hand")
}

func (p *pcProcess) mcp(o *outcome, _ *node) {
	o.set(p.s, "autostart", "false")
	o.drop("msup has no server for language models, so it is not started", "")
}

// namespace puts the program into a group.
func (p *pcProcess) namespace(o *outcome, n *node) {
	list := []*node{n}
	if n.kind == listNode {
		list = n.items
	}
	for _, item := range list {
		name := item.String()
		switch {
		case name == "" || name == "default":
		case p.group == "":
			p.group = name
			o.Became = append(o.Became, "[group "+nameOfGroup(name)+"]")
			if nameOfGroup(name) != name {
				o.change("names of groups hold letters, digits and _")
			}
		default:
			o.drop("a program is in one group, so not in "+name, "")
		}
	}
}

// logLocation writes both streams into a file.
func (p *pcProcess) logLocation(o *outcome, n *node) {
	path := p.render(o, n)
	if path == "" {
		return
	}
	number := p.replicaNumber()
	switch {
	case strings.Contains(path, "{PC_REPLICA_NUM}"):
		path = strings.ReplaceAll(path, "{PC_REPLICA_NUM}", number)
	case p.marks:
		path += "-" + number // FILE.1 would be a rotated FILE
	case p.replicas > 1:
		path += "." + number
	}
	p.writeTo(o, path, p.value.get("log_configuration"))
}

// commonLog is the file of all processes that have none of their own.
func (p *pcProcess) commonLog() {
	n := p.root.get("log_location")
	if n.isEmptyScalar() || !p.value.get("log_location").isEmptyScalar() {
		return
	}
	o := p.outcome(n.place, p.name, "log_location", n.String())
	p.writeTo(o, n.text, p.root.get("log_configuration"))
	o.set(p.s, "log_prefix", "{{program}}: ")
	if c := p.root.get("log_configuration"); c != nil && c.kind == mapNode {
		p.configureLog(o, c)
	}
}

func (p *pcProcess) writeTo(o *outcome, path string, configuration *node) {
	o.set(p.s, "stdout", withMarks(p.path(p.below(path))))
	o.set(p.s, "stderr", "stdout")
	o.set(p.s, "log_mode", "0600")
	if configuration.get("rotation") == nil {
		o.change("it is appended to and rotated at 50 MB; process-compose empties it at each start")
	}
	if !configuration.get("disable_json").isTrue() {
		o.change("lines are written as they come, not as JSON")
	}
}

func (p *pcProcess) logConfiguration(o *outcome, n *node) {
	if p.value.get("log_location") == nil {
		o.drop("there is no log_location: output is in the journal", "")
		return
	}
	p.configureLog(o, n)
}

func (p *pcProcess) configureLog(o *outcome, n *node) {
	plain := func(*node) {}
	o.fields(n, map[string]func(*node){
		"rotation": func(n *node) { p.rotation(o, n) },
		"add_timestamp": func(n *node) {
			if n.isTrue() {
				o.set(p.s, "log_timestamps", "rfc3339")
			}
		},
		"timestamp_format": func(*node) { o.change("times are written as RFC 3339 has them") },
		"disable_json":     plain,
		"no_color":         plain, "no_metadata": plain, "flush_each_line": plain,
		"fields_order": func(*node) { o.change("lines are written as they come") },
	})
}

// rotation is lumberjack's.
func (p *pcProcess) rotation(o *outcome, n *node) {
	size, backups, compress := 100, 1000, false
	o.fields(n, map[string]func(*node){
		"max_size_mb": func(n *node) {
			if i, ok := o.number(n); ok && i > 0 {
				size = i
			}
		},
		"max_age_days": func(n *node) {
			if i, ok := o.number(n); ok && i > 0 {
				o.set(p.s, "log_max_age", strconv.Itoa(i)+"d")
			}
		},
		"max_backups": func(n *node) {
			if i, ok := o.number(n); ok && i > 0 {
				backups = min(i, 1000)
			}
		},
		"compress":  func(n *node) { compress = n.isTrue() },
		"directory": func(*node) {}, "filename": func(*node) {},
	})
	o.set(p.s, "log_max_size", strconv.Itoa(size)+"MB")
	o.set(p.s, "log_backups", strconv.Itoa(backups))
	o.set(p.s, "log_compress", strconv.FormatBool(compress))
}

// pcProbe is a probe, its defaults filled in.
type pcProbe struct {
	what                                  string // as ready takes it
	delay, period, timeout, success, fail int
}

// readiness is asked before the process is ready, and goes on being asked: when it has failed so often
// in a row, the process is stopped, and its policy says what follows.
func (p *pcProcess) readiness(o *outcome, n *node) {
	probe, ok := p.probe(o, n)
	if !ok {
		return
	}
	o.set(p.s, "ready", probe.what)
	o.set(p.s, "ready_interval", fmt.Sprintf("%ds", probe.period))
	o.set(p.s, "ready_timeout", fmt.Sprintf("%ds", probe.timeout))
	o.set(p.s, "start_timeout", fmt.Sprintf("%ds", probe.delay+probe.fail*(probe.period+probe.timeout)))
	if p.value.get("liveness_probe") == nil {
		p.alive(o, probe)
	}
}

func (p *pcProcess) liveness(o *outcome, n *node) {
	probe, ok := p.probe(o, n)
	if !ok {
		return
	}
	p.alive(o, probe)
	o.change("process-compose only says that it failed; here the program is stopped, and started again if its policy says so")
}

func (p *pcProcess) alive(o *outcome, probe pcProbe) {
	o.set(p.s, "alive", probe.what)
	o.set(p.s, "alive_interval", fmt.Sprintf("%ds", probe.period))
	o.set(p.s, "alive_timeout", fmt.Sprintf("%ds", probe.timeout))
	o.set(p.s, "alive_threshold", strconv.Itoa(probe.fail))
}

func (p *pcProcess) probe(o *outcome, n *node) (pcProbe, bool) {
	probe := pcProbe{period: 10, timeout: 1, success: 1, fail: 3}
	seconds := func(to *int) func(*node) {
		return func(n *node) {
			if i, ok := o.number(n); ok && i > 0 {
				*to = i
			}
		}
	}
	o.fields(n, map[string]func(*node){
		"exec": func(n *node) { probe.what = p.execProbe(o, n) },
		"http_get": func(n *node) {
			if probe.what == "" {
				probe.what = p.httpProbe(o, n)
			}
		},
		"initial_delay_seconds": seconds(&probe.delay),
		"period_seconds":        seconds(&probe.period),
		"timeout_seconds":       seconds(&probe.timeout),
		"success_threshold":     seconds(&probe.success), // process-compose ignores it
		"failure_threshold":     seconds(&probe.fail),
	})
	if probe.what == "" && len(o.in.problems) == 0 {
		o.fail("add exec: or http_get:", "the probe asks nothing")
	}
	return probe, probe.what != ""
}

func (p *pcProcess) execProbe(o *outcome, n *node) string {
	command := p.render(o, n.get("command"))
	if strings.TrimSpace(command) == "" {
		return ""
	}
	if dir := n.get("working_dir"); !dir.isEmptyScalar() && p.below(dir.String()) != p.workingDir() {
		command = "cd " + quoteWord(p.below(dir.String())) + " && " + command
	}
	argv, changed := shellWords(p.shell[0], p.shell[1], command)
	defer o.passed(p.s, argv, p.has)
	line, joined := oneLineWords(argv)
	if changed+joined != "" {
		o.change("%s", changed+joined)
	}
	return "exec: " + words(p.env.command(markedWords(line))...)
}

func (p *pcProcess) httpProbe(o *outcome, n *node) string {
	host, scheme, path, port, status := "127.0.0.1", "http", "/", "", 200
	text := func(to *string) func(*node) {
		return func(n *node) {
			if s := strings.TrimSpace(p.render(o, n)); s != "" {
				*to = s
			}
		}
	}
	var headers []string
	o.fields(n, map[string]func(*node){
		"host": text(&host), "scheme": text(&scheme), "path": text(&path), "port": text(&port),
		"num_port": func(*node) {},
		"headers": func(n *node) {
			for _, k := range n.keys {
				headers = append(headers, k.name+": "+k.value.String())
			}
		},
		"status_code": func(n *node) {
			if i, ok := o.number(n); ok && i >= 100 && i < 400 {
				status = i
			}
		},
	})
	if port != "" {
		host = net.JoinHostPort(host, port)
	}
	url := quoteWord(scheme + "://" + host + path)
	if len(headers) == 0 {
		return fmt.Sprintf("http: %s %d", withMarks(url), status)
	}
	o.change("curl asks, because msup sends no headers")
	for i, h := range headers {
		headers[i] = "-H " + inQuotes(h)
	}
	script := fmt.Sprintf(`test "$(curl -s -o /dev/null -w '%%{http_code}' %s %s)" = %d`, strings.Join(headers, " "), url, status)
	return "exec: " + words("/bin/sh", "-c", withMarks(script))
}

// readyLine waits for a line that has a text in it.
func (p *pcProcess) readyLine(o *outcome, n *node) {
	if p.value.get("readiness_probe") != nil {
		o.fail("remove one of them", "a process cannot have readiness_probe too")
		return
	}
	o.set(p.s, "ready", "log: "+literal(linePattern(n.String())))
	o.set(p.s, "start_timeout", "1d") // process-compose waits for ever
}

// linePattern is a regular expression for a text, without characters that mean something where it
// stands.
func linePattern(text string) string {
	pattern := regexp.QuoteMeta(text)
	for _, c := range `"'#;` {
		pattern = strings.ReplaceAll(pattern, string(c), fmt.Sprintf(`\x%02x`, c))
	}
	if strings.HasPrefix(pattern, " ") {
		pattern = `\x20` + pattern[1:]
	}
	if strings.HasSuffix(pattern, " ") {
		pattern = pattern[:len(pattern)-1] + `\x20`
	}
	return pattern
}
