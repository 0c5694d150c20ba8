package convert

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

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
	if n, err := strconv.Atoi(withNumber(port, 0)); port != "" && (err != nil || n < 1 || n > 65535) {
		o.change("%s is no port: process-compose asks without one; it replaces ${NAME}, but not $NAME", clip(port))
		port = ""
	}
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
