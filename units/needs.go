package units

import (
	"path"
	"slices"
	"strings"
	"time"

	"msup/policy"
)

// This file is what programs depend on: who is meant, and who is first.

// Need is something a program depends on, as it is written.
type Need struct {
	Of        string           `json:"of"` // "db", "web@2", "web@*", "front:*"; see Selects
	Condition policy.Condition `json:"condition"`
	Optional  bool             `json:"optional,omitempty"`
}

// String is the need as it would be written: "?db:ready".
func (n Need) String() string {
	text := n.Of
	if n.Optional {
		text = "?" + text
	}
	if n.Condition != policy.OnStarted {
		text += ":" + string(n.Condition)
	}
	return text
}

// Selects reports whether a pattern of a command line or of depends_on means a program: by its
// name, or that of the program it is an instance of, with *, ? and [a-z]; with "GROUP:" before
// it those of a group only.
func Selects(pattern, name, group string) bool {
	if g, rest, grouped := strings.Cut(pattern, ":"); grouped {
		if ok, _ := path.Match(g, group); !ok || group == "" {
			return false
		}
		pattern = rest
		if pattern == "all" {
			pattern = "*"
		}
	}
	if pattern == name {
		return true
	}
	if ok, _ := path.Match(pattern, name); ok {
		return true
	}
	base, _, _ := strings.Cut(name, "@")
	ok, _ := path.Match(pattern, base)
	return ok
}

// Edge is a need of one program, of another: both by their positions in a list of programs.
type Edge struct {
	From, To int
	Need
}

// Edges finds the programs that the needs of all programs mean, in their order. An edge whose
// To is -1 is a need of nothing that is there.
func Edges(programs []Program) []Edge {
	byName, byBase := map[string][]int{}, map[string][]int{}
	for i, p := range programs {
		byName[p.Name] = append(byName[p.Name], i)
		if p.Base != "" {
			byBase[p.Base] = append(byBase[p.Base], i)
		}
	}
	var edges []Edge
	for i, p := range programs {
		for _, n := range p.Needs {
			found := byName[n.Of] // nearly always, and quicker
			if len(found) == 0 {
				found = byBase[n.Of]
			}
			if len(found) == 0 && strings.ContainsAny(n.Of, ":*?[") {
				for k, q := range programs {
					if Selects(n.Of, q.Name, q.InGroup) {
						found = append(found, k)
					}
				}
			}
			for _, k := range found {
				edges = append(edges, Edge{i, k, n})
			}
			if len(found) == 0 {
				edges = append(edges, Edge{i, -1, n})
			}
		}
	}
	return edges
}

// Order sorts programs so that each stands behind all that it depends on, and else where it
// was. It returns their positions. With a cycle there is no such order, and they stay where they
// are: cycle has the programs of one, each of which depends on the next, and the last one on
// the first.
func Order(n int, edges []Edge) (order, cycle []int) {
	needs := make([][]int, n)
	for _, e := range edges {
		if e.To >= 0 {
			needs[e.From] = append(needs[e.From], e.To)
		}
	}
	const (
		unseen = iota
		under  // what it depends on is being looked at
		done
	)
	mark := make([]int, n)
	var way []int // those that are under way, each depends on the next
	var visit func(int) bool
	visit = func(i int) bool {
		switch mark[i] {
		case done:
			return true
		case under:
			cycle = slices.Clone(way[slices.Index(way, i):])
			return false
		}
		mark[i] = under
		way = append(way, i)
		for _, k := range needs[i] {
			if !visit(k) {
				return false
			}
		}
		way = way[:len(way)-1]
		mark[i] = done
		order = append(order, i)
		return true
	}
	for i := range n {
		if !visit(i) {
			order = make([]int, n)
			for i := range order {
				order[i] = i
			}
			return order, cycle
		}
	}
	return order, nil
}

// WithNeeds returns names of programs and of what they depend on, in the order of programs.
// What is optional is not among it.
func WithNeeds(programs []Program, names []string) []string {
	edges, in := Edges(programs), map[int]bool{}
	for i, p := range programs {
		in[i] = slices.Contains(names, p.Name)
	}
	order, _ := Order(len(programs), edges)
	for _, i := range slices.Backward(order) {
		for _, e := range edges {
			if e.From == i && e.To >= 0 && in[i] && !e.Optional {
				in[e.To] = true
			}
		}
	}
	var out []string
	for i, p := range programs {
		if in[i] {
			out = append(out, p.Name)
		}
	}
	return out
}

// StopTime bounds the stop of all programs, which wait for those that depend on them.
func (p *Project) StopTime() time.Duration {
	edges := Edges(p.Programs)
	order, _ := Order(len(p.Programs), edges)
	longest, took := time.Duration(0), make([]time.Duration, len(p.Programs))
	for _, i := range slices.Backward(order) { // took[i] is how long it waits before its own
		took[i] += p.Programs[i].StopTime()
		longest = max(longest, took[i])
		for _, e := range edges {
			if e.From == i && e.To >= 0 {
				took[e.To] = max(took[e.To], took[i])
			}
		}
	}
	return longest
}

// NeedStatus is how it stands with one program that another depends on.
type NeedStatus struct {
	Program   string
	Condition policy.Condition
	Optional  bool
	State     policy.State
	Standing  policy.Standing
}

// NeedStatuses is how it stands with each program that the named one depends on, as far as
// their statuses tell.
func NeedStatuses(programs []Program, name string, status map[string]Status) []NeedStatus {
	var out []NeedStatus
	for _, e := range Edges(programs) {
		if programs[e.From].Name != name || e.To < 0 {
			continue
		}
		to := programs[e.To]
		st := status[to.Name]
		out = append(out, NeedStatus{to.Name, e.Condition, e.Optional, st.State, e.Look(to, st).Standing()})
	}
	return out
}

// Look is the need of a program as it is by its status.
func (n Need) Look(to Program, st Status) policy.Need {
	healthy := slices.ContainsFunc(st.Probes, ProbeStatus.saysHealthy)
	return policy.Need{
		Condition: n.Condition, Optional: n.Optional, State: st.State, Oneshot: to.Rules.Oneshot, Healthy: healthy,
		Listens: to.Listen.OnDemand && st.State.Armed,
	}
}
