package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"msup/policy"
	"msup/units"
)

// needKeys say what a program depends on.
var needKeys = []Key{
	{
		Section: programSection, Name: dependsOn, Kind: Words, Unset: "nothing", Allowed: "names of programs, each with :started, :ready, :healthy or :completed behind it and a ? before it if need be, or none", Example: "db:ready cache ?search migrate:completed",
		Doc: "What must be there before each start of it; it is STARTING meanwhile, and FAILED if that gives up. started: executed; ready: RUNNING; healthy: RUNNING, and alive has passed; completed: ended well. " +
			"NAME is a program, web@2, web (all instances) or GROUP:*; a ? before it: it is waited for only while it is on its way.",
		Other: []string{"requires", "needs", "waits_for", "depends-on", "waits-for"}, set: setNeeds,
	},
	{
		Section: programSection, Name: onDependencyKey, Kind: Scalar, Default: ignoreEnd, Allowed: "ignore, restart or stop", Example: "restart",
		Doc: "What follows when the run of something it depends on is over, or is stopped: nothing, it is restarted (and waits for that again), or stopped. What is optional or completed does not count.",
		set: func(t *target, s setting) error {
			if t.prog.OnDependency = policy.Dependence(s.value); s.value == ignoreEnd {
				t.prog.OnDependency = policy.IgnoreEnd
			}
			return oneOf(s.value, ignoreEnd, policy.RestartAtEnd, policy.StopAtEnd)
		},
	},
}

const (
	dependsOn       = "depends_on"
	onDependencyKey = "on_dependency"
	noNeeds         = "none"   // takes back what [defaults] has
	ignoreEnd       = "ignore" // policy.IgnoreEnd
)

// otherConditions are what docker compose and process-compose call a condition.
var otherConditions = map[string]policy.Condition{
	"process_started": policy.OnStarted, "service_started": policy.OnStarted, "running": policy.OnReady,
	"process_healthy": policy.OnReady, "service_healthy": policy.OnReady, "process_log_ready": policy.OnReady,
	"process_completed": policy.OnCompleted, "process_completed_successfully": policy.OnCompleted,
	"service_completed_successfully": policy.OnCompleted, "done": policy.OnCompleted, "exited": policy.OnCompleted,
}

func setNeeds(t *target, s setting) error {
	words, err := splitWords(s.value)
	if err != nil {
		return err
	}
	t.prog.Needs = nil
	if slices.Equal(words, []string{noNeeds}) {
		return nil
	}
	for _, word := range words {
		// Other supervisors want commas.
		for one := range strings.FieldsFuncSeq(word, func(r rune) bool { return r == ',' }) {
			n, err := parseNeed(one)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(t.prog.Needs, func(o units.Need) bool { return o.Of == n.Of }) {
				return hinted("name it once, with the condition that is to hold", "%s is named twice", n.Of)
			}
			t.prog.Needs = append(t.prog.Needs, n)
		}
	}
	return nil
}

// parseNeed reads "db", "?db:ready", "front:*:completed".
func parseNeed(word string) (units.Need, error) {
	n := units.Need{Condition: policy.OnStarted}
	n.Of, n.Optional = strings.CutPrefix(word, "?")
	if i := strings.LastIndexByte(n.Of, ':'); i >= 0 {
		last := n.Of[i+1:]
		condition := policy.Condition(last)
		switch pattern := strings.ContainsAny(last, "*?[") || last == "all"; {
		case slices.Contains(policy.Conditions, condition):
			n.Of, n.Condition = n.Of[:i], condition
		case !pattern || strings.Contains(n.Of[:i], ":"):
			return n, unknownCondition(n.Of[:i], last)
		}
	}
	if n.Of == "" || n.Of == noNeeds || strings.HasPrefix(n.Of, "?") {
		return n, fmt.Errorf("%s names no program", quote(word))
	}
	return n, nil
}

func unknownCondition(of, word string) error {
	words := make([]string, len(policy.Conditions))
	for i, c := range policy.Conditions {
		words[i] = string(c)
	}
	hint := "use " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	if other, ok := otherConditions[word]; ok {
		hint = fmt.Sprintf("write %s:%s", of, other)
	} else if near := Suggest(word, words); near != "" {
		hint = fmt.Sprintf("did you mean %s:%s?", of, near)
	}
	return hinted(hint, "%s is no condition", quote(word))
}

// checkNeeds looks at what the programs depend on: whether it is there, whether it can ever be
// as it must, and whether anything depends on itself. at is where a program says so.
func (l *loader) checkNeeds(programs []units.Program, at func(i int, key string) setting) {
	fail := func(i int, message, hint string) {
		l.reportFor(&draft{Program: programs[i]}, at(i, dependsOn), message, hint)
	}
	edges := units.Edges(programs)
	said := map[string]bool{} // of programs that are instances of one: it is one line
	once := func(e units.Edge, what string) bool {
		key := fmt.Sprintln(at(e.From, dependsOn).line, at(e.From, dependsOn).src.index, e.Of, what)
		defer func() { said[key] = true }()
		return !said[key]
	}
	edges = slices.DeleteFunc(edges, func(e units.Edge) bool {
		switch {
		case e.To < 0:
			fail(e.From, "no program "+quote(e.Of), l.needHint(programs, e))
			return true
		case e.To == e.From:
			hint := "remove it"
			if at(e.From, dependsOn).section == defaultsSection {
				hint = fmt.Sprintf("write depends_on = none into [program %s]", cmp.Or(programs[e.From].Base, programs[e.From].Name))
			}
			fail(e.From, fmt.Sprintf("%s depends on itself", programs[e.From].Name), hint)
			return true
		}
		return false
	})
	for _, e := range edges {
		to := programs[e.To]
		switch s := at(e.From, dependsOn); {
		case e.Condition == policy.OnHealthy && to.Alive.Kind == "":
			if once(e, "healthy") {
				fail(e.From, fmt.Sprintf("%s has no alive, so nobody knows whether it is healthy", to.Name), fmt.Sprintf("write %s:ready, or give %s an alive", e.Of, to.Name))
			}
		case e.Condition == policy.OnCompleted && !to.Rules.Oneshot && to.Rules.Autorestart == policy.Always && to.Rules.RestartNeverOn.Empty():
			if once(e, "completed") {
				fail(e.From, fmt.Sprintf("%s never completes: its autorestart is always", to.Name), fmt.Sprintf("write %s:ready, or oneshot = true into [program %s]", e.Of, cmp.Or(to.Base, to.Name)))
			}
		case to.Rules.Oneshot && e.Condition == policy.OnReady, to.Rules.Oneshot && e.Condition == policy.OnStarted && !strings.Contains(s.value, e.Of+":started"):
			if once(e, "oneshot") && s.section != defaultsSection {
				l.warn(s.src, s.diagnostic(fmt.Sprintf("%s is a oneshot: this waits until it has been executed, not until it has ended", to.Name),
					fmt.Sprintf("write %s:completed; or %s:started, if it is meant so", e.Of, e.Of)))
			}
		}
	}
	l.checkCycles(programs, edges, fail)
	for i, p := range programs {
		s := at(i, onDependencyKey)
		counts := func(n units.Need) bool { return !n.Optional && n.Condition != policy.OnCompleted }
		if p.OnDependency != policy.IgnoreEnd && s.key.Name == onDependencyKey && s.section != defaultsSection && !slices.ContainsFunc(p.Needs, counts) {
			l.warn(s.src, s.diagnostic(onDependencyKey+" has no effect: the program depends on nothing whose end would count", ""))
		}
	}
}

// checkCycles reports each ring of programs that wait for each other.
func (l *loader) checkCycles(programs []units.Program, edges []units.Edge, fail func(i int, message, hint string)) {
	said := map[string]bool{}
	for {
		_, cycle := units.Order(len(programs), edges)
		if cycle == nil {
			return
		}
		// It begins with the one that stands first.
		first := slices.Index(cycle, slices.Min(cycle))
		cycle = slices.Concat(cycle[first:], cycle[:first])
		bases := make([]string, len(cycle)+1)
		names := make([]string, len(cycle)+1)
		for i := range names {
			p := programs[cycle[i%len(cycle)]]
			names[i] = p.Name
			if bases[i] = p.Name; p.Base != "" {
				bases[i] = p.Base
			}
		}
		if key := strings.Join(bases, " "); !said[key] {
			said[key] = true
			fail(cycle[0], "each would wait for the next for ever: "+strings.Join(names, " -> "), "remove one of these dependencies")
		}
		last := cycle[len(cycle)-1]
		edges = slices.DeleteFunc(edges, func(e units.Edge) bool { return e.From == last && e.To == cycle[0] })
	}
}

// needHint says what is meant most likely by a name that there is not.
func (l *loader) needHint(programs []units.Program, e units.Edge) string {
	var names, groups, instances []string
	base, _, isInstance := strings.Cut(e.Of, "@")
	for i, p := range programs {
		name := p.Name
		if p.Base != "" {
			name = p.Base
			if isInstance && base == name {
				instances = append(instances, p.Name)
			}
		}
		if i != e.From && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if p.InGroup != "" && !slices.Contains(groups, p.InGroup) {
			groups = append(groups, p.InGroup)
		}
	}
	group, _, grouped := strings.Cut(e.Of, ":")
	switch near := Suggest(e.Of, names); {
	case len(instances) > 0:
		return fmt.Sprintf("the instances of %s are %s to %s", base, instances[0], instances[len(instances)-1])
	case isInstance && slices.Contains(names, base):
		return base + " has no instances"
	case slices.Contains(groups, e.Of):
		return fmt.Sprintf("%s is a group: write %s:*", e.Of, e.Of)
	case grouped && slices.Contains(groups, group):
		return fmt.Sprintf("group %s has no such program", group)
	case grouped && Suggest(group, groups) != "":
		return fmt.Sprintf("did you mean %s:*?", Suggest(group, groups))
	case grouped:
		return "there is no group " + group
	case near != "":
		return fmt.Sprintf("did you mean %s?", near)
	case len(names) == 0:
		return "there is no other program"
	}
	return "the programs are " + clip(strings.Join(names, ", "))
}

// loadedNeeds is checkNeeds for the programs of the files.
func (l *loader) loadedNeeds() {
	var programs []units.Program
	var drafts []*draft
	for _, d := range l.programs {
		if d.good {
			programs, drafts = append(programs, d.Program), append(drafts, d)
		}
	}
	l.checkNeeds(programs, func(i int, key string) setting { return drafts[i].at(key) })
}
