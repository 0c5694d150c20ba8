package convert

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// mustComplete reports whether another process waits for the end of this one.
func (p *pcProcess) mustComplete() bool {
	// A oneshot is asked nothing.
	if neverCompletes(p.value) || p.value.get("readiness_probe") != nil || p.value.get("liveness_probe") != nil || p.value.get("ready_log_line") != nil {
		return false
	}
	return p.awaited[p.name]
}

// neverCompletes reports whether a process does not end but by a stop.
func neverCompletes(n *node) bool {
	return n.get("availability").get("restart").String() == "always" || isDaemon(n)
}

// dependencies are the processes that a process depends on.
func dependencies(n *node) []nodeKey {
	deps := n.get("depends_on")
	if deps == nil {
		return nil
	}
	return deps.keys
}

// ring refuses processes that would wait for each other for ever.
func (pc *pcProject) ring(processes *node) {
	const under, done = 1, 2
	state, all := map[string]int{}, map[string]nodeKey{}
	for _, k := range processes.keys {
		all[k.name] = k
	}
	var way []string
	var visit func(k nodeKey) bool
	visit = func(k nodeKey) bool {
		state[k.name] = under
		way = append(way, k.name)
		for _, dep := range dependencies(k.value) {
			other, known := all[dep.name]
			switch {
			case !known:
			case state[dep.name] == under:
				names := append(way[slices.Index(way, dep.name):], dep.name)
				pc.fail(dep.place, config.Diagnostic{
					Section: k.name, Key: "depends_on",
					Message: "each would wait for the next for ever: " + clip(strings.Join(names, " -> ")), Hint: "remove one of these dependencies",
				})
				return false
			case state[dep.name] == 0 && !visit(other):
				return false
			}
		}
		state[k.name] = done
		way = way[:len(way)-1]
		return true
	}
	for _, k := range processes.keys {
		if state[k.name] == 0 && !visit(k) {
			return
		}
	}
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
		if other := p.process[dep.name]; other != nil && need.condition == "completed" && neverCompletes(other) {
			need.condition = "ready"
			o.change("%s never completes: what waits for that waits until it is ready", dep.name)
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
			hint := "files that belong together are named together: msup import FILE FILE"
			if near := didYouMean(dep.name, slices.Sorted(maps.Keys(p.names))); near != "" {
				hint = near
			}
			o.fail(hint, "there is no process %s", clip(dep.name))
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
	return n.get("disabled").isTrue() || n.get("is_foreground").isTrue() || n.get("mcp") != nil
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
