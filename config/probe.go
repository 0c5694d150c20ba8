package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"msup/probe"
	"msup/units"
)

// This file reads what a program is asked: "KIND: WHAT".

// probeKinds are the words a probe begins with.
var probeKinds = map[string]func(t *target, s setting, what string) (probe.Spec, error){
	string(probe.HTTP): parseHTTP,
	string(probe.TCP):  parseTCP,
	string(probe.Unix): parsePath(probe.Unix),
	string(probe.File): parsePath(probe.File),
	string(probe.Exec): parseExec,
	string(probe.Port): parsePort,

	string(probe.Notify):       parseNotify(probe.Notify),
	string(probe.NotifyReload): parseNotify(probe.NotifyReload),
	string(probe.Watchdog):     parseWatchdog,
	string(probe.Log):          parseLog,
}

// otherProbes are what other supervisors call a probe.
var otherProbes = map[string]string{
	"https": "http: https://…", "http_get": "http: URL", "httpget": "http: URL", "url": "http: URL",
	"tcp_socket": "tcp: HOST:PORT", "tcpsocket": "tcp: HOST:PORT", "connect": "tcp: HOST:PORT",
	"socket": "unix: PATH or tcp: HOST:PORT", "path": "file: PATH", "exists": "file: PATH",
	"log_line": "log: REGEXP", "line": "log: REGEXP", "regexp": "log: REGEXP", "regex": "log: REGEXP", "output": "log: REGEXP",
	"sd_notify": "notify", "type=notify": "notify", "systemd": "notify", "notify_reload": "notify-reload",
	"cmd": "exec: COMMAND", "command": "exec: COMMAND", "script": "exec: COMMAND", "shell": "exec: /bin/sh -c '…'", "run": "exec: COMMAND",
}

func setProbe(field func(*units.Program) *units.Probe) func(*target, setting) error {
	return func(t *target, s setting) error {
		spec, err := parseProbe(t, s)
		field(&t.prog.Program).Spec = spec
		return err
	}
}

func parseProbe(t *target, s setting) (probe.Spec, error) {
	if s.value == "none" {
		return probe.Spec{}, nil
	}
	kind, what, isProbe := cutKind(s.value)
	parse := probeKinds[kind]
	switch {
	case strings.HasPrefix(what, "//") && (kind == "http" || kind == "https"):
		return probe.Spec{}, hinted("write http: "+s.value, "%s is no probe", quote(s.value))
	case kind == string(probe.Port) && !isProbe:
		return probe.Spec{Kind: probe.Port}, nil
	case probe.Kind(kind).Notifies() && what == "":
		return parse(t, s, what)
	case parse != nil && isProbe && what != "":
		return parse(t, s, what)
	case kind == string(probe.Watchdog) && s.key.Name == "alive":
		return probe.Spec{}, hinted("write for example alive = watchdog 30s", "%s does not say how often", quote(s.value))
	case parse != nil:
		return probe.Spec{}, fmt.Errorf("%s does not say what to probe", quote(s.value))
	}
	if other := otherProbes[strings.NewReplacer("-", "_", " ", "_").Replace(kind)]; other != "" {
		return probe.Spec{}, hinted("write "+other, "%s is no probe", quote(kind))
	}
	known := make([]string, 0, len(probeKinds))
	for k := range probeKinds {
		known = append(known, k)
	}
	slices.Sort(known)
	if near := Suggest(kind, known); near != "" && (isProbe || probe.Kind(near).Notifies()) {
		return probe.Spec{}, hinted("did you mean "+near+"?", "%s is no probe", quote(kind))
	}
	return probe.Spec{}, fmt.Errorf("%s is no probe", quote(s.value))
}

// cutKind takes "KIND: WHAT" apart; of a watchdog no colon is needed.
func cutKind(value string) (kind, what string, isProbe bool) {
	kind, what, isProbe = strings.Cut(value, ":")
	if word, rest, spaced := strings.Cut(strings.Trim(kind, blank), " "); !isProbe && spaced && strings.EqualFold(word, string(probe.Watchdog)) {
		kind, what, isProbe = word, rest, true
	}
	return strings.ToLower(strings.Trim(kind, blank)), strings.Trim(what, blank), isProbe
}

func parseHTTP(_ *target, s setting, what string) (probe.Spec, error) {
	spec := probe.Spec{Kind: probe.HTTP}
	words, err := splitWords(what)
	if err != nil {
		return spec, err
	}
	spec.Where = words[0]
	u, err := url.Parse(spec.Where)
	switch {
	case !strings.Contains(spec.Where, "://"):
		return spec, hinted("write http: http://"+strings.TrimPrefix(spec.Where, "//"), "%s is not a whole URL", quote(spec.Where))
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		return spec, hinted("use one that begins with http:// or https://, for example http: http://127.0.0.1:8080/", "%s is not the URL of a web server", quote(spec.Where))
	case u.Hostname() == "":
		return spec, hinted("write the host, for example http://127.0.0.1:8080/", "%s names no host", quote(spec.Where))
	case u.Port() != "":
		if err := checkPort(u.Port()); err != nil {
			return spec, err
		}
	}
	for _, word := range words[1:] {
		r, err := parseStatus(strings.TrimSuffix(word, ","))
		if err != nil {
			return spec, err
		}
		spec.Status = append(spec.Status, r)
	}
	return spec, nil
}

// parseStatus reads a status of HTTP or a range of them.
func parseStatus(word string) (probe.StatusRange, error) {
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	low, err := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || low < 100 || high > 599 || low > high {
		return probe.StatusRange{}, hinted("behind the URL stand statuses from 100 to 599 and ranges of them, for example http: http://127.0.0.1:8080/ 200 204; quote a URL with spaces",
			"%s is not a status of HTTP", quote(word))
	}
	return probe.StatusRange{From: low, To: high}, nil
}

func checkPort(port string) error {
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return hinted("use a number from 1 to 65535", "%s is no port", quote(port))
	}
	return nil
}

func parseTCP(_ *target, s setting, what string) (probe.Spec, error) {
	const example = "for example tcp: 127.0.0.1:5432, or tcp: [::1]:5432"
	spec := probe.Spec{Kind: probe.TCP, Where: what}
	host, port, err := net.SplitHostPort(what)
	if _, numErr := strconv.Atoi(what); numErr == nil {
		return spec, hinted("write tcp: 127.0.0.1:"+what, "%s names no host", quote(what))
	}
	switch {
	case err != nil || strings.ContainsAny(what, blank+"/"):
		return spec, hinted("use HOST:PORT, "+example, "%s is not a host and a port", quote(what))
	case host == "":
		return spec, hinted("write tcp: 127.0.0.1:"+port, "%s names no host", quote(what))
	}
	return spec, checkPort(port)
}

// maxSocketPath is the longest path of a Unix socket, in bytes (unix(7), sun_path).
const maxSocketPath = 107

func parsePath(kind probe.Kind) func(*target, setting, string) (probe.Spec, error) {
	return func(t *target, s setting, what string) (probe.Spec, error) {
		spec := probe.Spec{Kind: kind, Where: what}
		words, err := splitWords(what)
		switch {
		case err != nil:
			return spec, err
		case len(words) != 1:
			return spec, hinted("quote a path with spaces, for example "+string(kind)+`: "/run/my shop"`, "%s is more than one path", quote(what))
		}
		spec.Where, err = filePath(t, s, words[0], kind == probe.Unix)
		return spec, err
	}
}

// filePath is the absolute path of a file or of a Unix socket; of the latter, a name in the
// abstract namespace stays as it is.
func filePath(t *target, s setting, path string, socket bool) (string, error) {
	var err error
	switch {
	case path == "" || strings.ContainsRune(path, 0):
		return "", fmt.Errorf("%s is no path", quote(path))
	case socket && path[0] == '@': // an abstract one
	default:
		if path, err = absPath(t, s, path); err != nil {
			return "", err
		}
	}
	if socket && len(path) > maxSocketPath {
		return "", hinted(fmt.Sprintf("use one of at most %d bytes", maxSocketPath), "%s is too long for the path of a socket", quote(path))
	}
	return path, nil
}

func parseExec(_ *target, _ setting, what string) (probe.Spec, error) {
	words, err := splitWords(what)
	return probe.Spec{Kind: probe.Exec, Argv: words}, err
}

// resolveProbes finds the executables of probes, as that of the program.
func (l *loader) resolveProbes(t *target) {
	resolve := func(key string, spec *probe.Spec) {
		if spec.Kind == probe.Exec && len(spec.Argv) > 0 {
			spec.Path = l.executable(t, t.prog.at(key), spec.Argv[0])
		}
	}
	resolve("ready", &t.prog.Ready.Spec)
	resolve("alive", &t.prog.Alive.Spec)
}

func parsePort(_ *target, _ setting, what string) (probe.Spec, error) {
	return probe.Spec{Kind: probe.Port, Where: strings.TrimLeft(what, "0")}, checkPort(what)
}

// defaultReadyTimeout is start_timeout where a probe must pass and the key is not given.
const defaultReadyTimeout = 90 * time.Second

// completeProbes says what the keys of probes mean for each other and for the policy.
func (t *target) completeProbes() {
	d := t.prog
	t.scopesAreNotHeard()
	idle := func(probeKey string, keys ...string) {
		if s, ok := d.given[probeKey]; ok && s.value != "none" {
			return // it has a mistake
		}
		for _, key := range keys {
			// In [defaults] they are for those programs that have a probe.
			if s, ok := d.given[key]; ok && s.section != defaultsSection {
				t.warn(s, key+" has no effect: there is no "+probeKey, "")
			}
		}
	}
	if d.Ready.Kind == "" {
		d.Ready = units.Probe{}
		idle("ready", "ready_interval", "ready_timeout", "ready_threshold")
	} else {
		d.Rules.Ready, d.Rules.ReadyTimeout = d.Ready.String(), d.StartTimeout
		if d.StartTimeout == 0 {
			d.Rules.ReadyTimeout = defaultReadyTimeout
		}
		t.completeTold("ready", &d.Ready)
	}
	if d.Alive.Kind == "" {
		d.Alive = units.Probe{}
		idle("alive", "alive_interval", "alive_timeout", "alive_threshold")
	} else {
		t.completeTold("alive", &d.Alive)
	}
	if d.Ready.Kind.Notifies() {
		// systemd has the time from the execution to READY=1, which the program may extend.
		d.StartTimeout, d.Rules.ReadyTimeout = d.Rules.ReadyTimeout, 0
	}
}
