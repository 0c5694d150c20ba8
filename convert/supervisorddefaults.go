package convert

import (
	"maps"
	"slices"
	"strings"
)

// hoisted are keys whose commonest value is put into [defaults], and what holds without them.
var hoisted = []struct{ name, otherwise string }{
	{"start_retries", ""},
	{"start_retry_delay", ""},
	{"restart_delay", "1s"},
	{"max_restarts", "5"},
	{"log_compress", "true"},
	{"systemd.KillMode", "control-group"},
}

// hoist puts what most programs have into [defaults].
func (c *supervisord) hoist() {
	defaults := c.document.find(defaultsSection, "")
	for _, h := range hoisted {
		count := map[string]int{}
		for _, p := range c.programs {
			if v := p.out.get(h.name); v != "" {
				count[v]++
			}
		}
		best := ""
		for _, v := range slices.Sorted(maps.Keys(count)) {
			if count[v] > count[best] {
				best = v
			}
		}
		if best != "" && best != h.otherwise {
			_ = defaults.set(Place{}, h.name, best) // it was set like this in a program
		}
		for _, p := range c.programs {
			if v := p.out.get(h.name); v == best || best == h.otherwise && v == h.otherwise {
				p.out.unset(h.name)
			}
		}
	}
	c.hoistPath(defaults)
	if len(defaults.Keys) > 0 && defaults.Comments == nil {
		defaults.Comments = []string{"what supervisord does where msup has other defaults"}
	}
}

// hoistPath passes PATH to all programs where several need it; with supervisord all have it.
func (c *supervisord) hoistPath(defaults *Section) {
	const key = "pass_environment"
	var need []*program
	for _, p := range c.programs {
		if slices.Contains(strings.Fields(p.out.get(key)), "PATH") {
			need = append(need, p)
		}
	}
	if len(need) < 2 {
		return
	}
	_ = defaults.set(Place{}, key, "PATH")
	for _, p := range need {
		i := slices.IndexFunc(p.out.Keys, func(k Key) bool { return k.Name == key })
		others := slices.DeleteFunc(strings.Fields(p.out.Keys[i].Value), func(s string) bool { return s == "PATH" })
		if p.out.Keys[i].Value = strings.Join(others, " "); len(others) == 0 {
			p.out.unset(key)
		}
	}
	for _, e := range c.entries {
		for i := range e.Became {
			if after, ok := strings.CutPrefix(e.Became[i], key+" = PATH "); ok {
				e.Became[i] = key + " = " + after
			}
		}
	}
}
