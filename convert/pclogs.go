package convert

import (
	"strconv"
	"strings"
)

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
