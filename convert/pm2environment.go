package convert

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// This file has the variables of an app of pm2, and what they say of its instances.

// portNode is where the port of the app stands.
func (a *pm2App) portNode() *node {
	if n := a.get("port"); !n.isEmptyScalar() {
		return n
	}
	for _, env := range a.environments() {
		if n := env.get("PORT"); !n.isEmptyScalar() {
			return n
		}
	}
	return nil
}

// environments are the mappings of variables that hold, the last one first.
func (a *pm2App) environments() []*node {
	var list []*node
	if a.Env != "" {
		if n := a.node.get("env_" + a.Env); n != nil {
			list = append(list, n)
		}
	}
	return append(list, a.get("env"))
}

// environment sets the variables of the app, and those that pm2 adds.
func (a *pm2App) environment() {
	o := a.entry("env")
	if a.jlist {
		o.change("variables of the shell in which pm2 was started are left out")
	}
	taken := map[string]bool{}
	add := func(name, value string) {
		if taken[name] {
			return
		}
		taken[name] = true
		switch why := unprintable(value); {
		case !shellName.MatchString(name):
			o.drop(name+" is no name for a variable", "")
		case why != "":
			o.drop(name+": "+why, "write env_file = FILE, whose double quotes may go over several lines")
		default:
			a.env.add(name, value)
		}
	}
	if n := a.get("port"); !n.isEmptyScalar() {
		add("PORT", a.portText(n.String()))
	}
	for _, env := range a.environments() {
		if env == nil {
			continue
		}
		for _, k := range env.keys {
			switch {
			case k.value.kind == nullNode:
			case k.name == "PORT":
				add(k.name, a.portText(k.value.String()))
			case k.name == a.get("increment_var").String() && a.instances > 1 && digits.MatchString(k.value.text):
				add(k.name, "{{instance "+k.value.text+"}}") // it begins with that
			default:
				add(k.name, literal(jsonText(k.value)))
			}
		}
	}
	if n := a.get("increment_var"); !n.isEmptyScalar() {
		add(n.String(), a.number())
	}
	instanceVar := "NODE_APP_INSTANCE"
	if n := a.get("instance_var"); !n.isEmptyScalar() {
		instanceVar = n.String()
	}
	if a.instances > 1 || a.get("instance_var") != nil || !strangers.MatchString(path.Base(a.interpreter())) {
		add(instanceVar, a.number())
	}
	if strings.Contains(a.interpreter(), "python") {
		add("PYTHONUNBUFFERED", "1")
	}
	a.entry("script").set(a.s, "command", words(a.env.command(a.words)...))
	a.entry("script").sigPipe(a.s, a.raw)
	a.entry("script").passed(a.s, a.raw, func(name string) bool {
		return taken[name] || slices.Contains(inherited, name)
	})
	o.set(a.s, "environment", strings.Join(a.env.list, " "))
}

// number is the number of an instance, from 0.
func (a *pm2App) number() string {
	if a.instances > 1 {
		return "{{instance 0}}"
	}
	return "0"
}

// portText is a port, one after the other for instances of a cluster.
func (a *pm2App) portText(text string) string {
	if port, err := strconv.Atoi(text); err == nil && a.instances > 1 && a.cluster && port > 0 && port+a.instances-1 <= 65535 {
		return fmt.Sprintf("{{port %d}}", port)
	}
	return literal(text)
}

// jsonText is a value as pm2 puts it into the environment: objects as JSON.
func jsonText(n *node) string {
	switch n.kind {
	case listNode:
		parts := make([]string, len(n.items))
		for i, item := range n.items {
			parts[i] = jsonValue(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case mapNode:
		parts := make([]string, len(n.keys))
		for i, k := range n.keys {
			parts[i] = strconv.Quote(k.name) + ":" + jsonValue(k.value)
		}
		return "{" + strings.Join(parts, ",") + "}"
	case nullNode:
		return "null"
	}
	return n.text
}

func jsonValue(n *node) string {
	if n.kind == textNode {
		return strconv.Quote(n.text)
	}
	return jsonText(n)
}
