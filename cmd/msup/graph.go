package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"msup/policy"
	"msup/units"

	"github.com/spf13/cobra"
)

func graphCommand(a *app) *cobra.Command {
	var o graphOptions
	cmd := &cobra.Command{
		Use:   "graph [NAME...]",
		Short: "Draw what depends on what",
		Long: `Draw what programs depend on (depends_on), below each of them, with the condition; of those
named (globs and GROUP:* work), or of all on which nothing depends. With --reverse, draw
what depends on them. What has been drawn above is not drawn again (…). If the project is
up, each program is shown with its state.

Instances that depend on the same are one line.

` + exitStatusHelp,
		Example: `  msup graph
  msup graph --reverse db
  msup graph --dot | dot -Tsvg > graph.svg`,
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.graph(cmd.Context(), args, o)
		},
	}
	cmd.Flags().BoolVar(&o.dot, "dot", false, "print it in the language of Graphviz's dot")
	cmd.Flags().BoolVar(&o.reverse, "reverse", false, "draw what depends on the programs")
	return cmd
}

type graphOptions struct{ dot, reverse bool }

func (a *app) graph(ctx context.Context, patterns []string, o graphOptions) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	names, err := match(t.members(), patterns, true)
	if err != nil {
		return err
	}
	states := map[string]string{}
	if rep, err := askStatus(ctx, t.client); err == nil {
		for _, p := range rep.Programs {
			states[p.Name] = string(p.State)
			if len(p.WaitsFor) > 0 {
				states[p.Name] += ": " + p.Reason
			}
		}
	}
	g := newGraph(t.project.Programs, states)
	if len(patterns) > 0 {
		g.roots = g.nodesOf(names)
	}
	if o.dot {
		g.writeDot(a.stdout, t.project.Name, len(patterns) > 0, o.reverse)
	} else {
		g.writeTree(a.stdout, o.reverse)
	}
	return nil
}

// graph is what depends on what: its nodes are programs, or the instances of one.
type graph struct {
	nodes []*node
	roots []*node // nil = those on which nothing depends
}

type node struct {
	name  string
	state string // "" = not known
	needs []link
	// neededBy are the links of others to it, from their side.
	neededBy []link
}

type link struct {
	to   *node
	kind string // "ready, optional"
}

// newGraph makes the graph of programs. Instances of one that need the same, and of which all
// are needed by whoever needs one, are one node.
func newGraph(programs []units.Program, states map[string]string) *graph {
	edges := units.Edges(programs)
	kind := func(n units.Need) string {
		if n.Optional {
			return string(n.Condition) + ", optional"
		}
		return string(n.Condition)
	}
	// What tells an instance from the others: what it needs, and what needs it.
	signs := make([]string, len(programs))
	base := func(i int) string { return baseOf(programs[i].Name) }
	for _, e := range edges {
		if e.To >= 0 {
			signs[e.From] += fmt.Sprintf("needs %s %s\n", programs[e.To].Name, kind(e.Need))
			signs[e.To] += fmt.Sprintf("for %s %s\n", programs[e.From].Name, kind(e.Need))
		}
	}
	alike := map[string]bool{} // programs whose instances are all the same
	first := map[string]int{}
	for i, p := range programs {
		b := base(i)
		if k, again := first[b]; again {
			alike[b] = alike[b] && sortedLines(signs[k]) == sortedLines(signs[i])
		} else {
			first[b], alike[b] = i, p.Base != ""
		}
	}
	g := &graph{}
	of := make([]*node, len(programs))
	byBase := map[string]*node{}
	members := map[*node][]int{}
	for i, p := range programs {
		b := base(i)
		if n := byBase[b]; n != nil && alike[b] {
			of[i] = n
		} else {
			of[i] = &node{name: p.Name}
			g.nodes, byBase[b] = append(g.nodes, of[i]), of[i]
		}
		members[of[i]] = append(members[of[i]], i)
	}
	for _, n := range g.nodes {
		n.describe(programs, members[n], states)
	}
	for _, e := range edges {
		if e.To < 0 {
			continue
		}
		from, to := of[e.From], of[e.To]
		if l := (link{to, kind(e.Need)}); !slices.Contains(from.needs, l) {
			from.needs = append(from.needs, l)
			to.neededBy = append(to.neededBy, link{from, l.kind})
		}
	}
	return g
}

func sortedLines(text string) string {
	lines := slices.Sorted(strings.Lines(text))
	return strings.Join(slices.Compact(lines), "")
}

// describe names a node, and says how its programs are.
func (n *node) describe(programs []units.Program, members []int, states map[string]string) {
	if len(members) > 1 {
		n.name = fmt.Sprintf("%s to %s", programs[members[0]].Name, programs[members[len(members)-1]].Name)
	}
	if len(states) == 0 {
		return
	}
	var all []string
	count := map[string]int{}
	for _, i := range members {
		st := states[programs[i].Name]
		if len(members) > 1 {
			st, _, _ = strings.Cut(st, ":")
		}
		if count[st]++; count[st] == 1 {
			all = append(all, st)
		}
	}
	if len(all) > 1 {
		for i, st := range all {
			all[i] = fmt.Sprintf("%d %s", count[st], st)
		}
	}
	n.state = strings.Join(all, ", ")
}

// nodesOf are the nodes that programs of these names belong to.
func (g *graph) nodesOf(names []string) []*node {
	out := []*node{}
	for _, n := range g.nodes {
		from, to, several := strings.Cut(n.name, " to ")
		if slices.ContainsFunc(names, func(name string) bool {
			return name == from || name == to || several && baseOf(name) == baseOf(from)
		}) {
			out = append(out, n)
		}
	}
	return out
}

func (n *node) links(reverse bool) []link {
	if reverse {
		return n.neededBy
	}
	return n.needs
}

// writeTree draws the graph as trees.
func (g *graph) writeTree(w io.Writer, reverse bool) {
	colours := coloured(w)
	drawn := map[*node]bool{}
	var draw func(n *node, kind, before, below string)
	draw = func(n *node, kind, before, below string) {
		text := n.name
		if kind != "" {
			text += " (" + kind + ")"
		}
		if n.state != "" {
			state := n.state
			if phase, _, _ := strings.Cut(state, ":"); colours {
				state = strings.Replace(state, phase, stateColour(policy.Phase(phase)).paint(phase), 1)
			}
			text += "  " + state
		}
		links := n.links(reverse)
		again := drawn[n] && len(links) > 0
		if again {
			text += "  …"
		}
		fmt.Fprintln(w, before+text)
		if drawn[n] = true; again {
			return
		}
		for i, l := range links {
			if i < len(links)-1 {
				draw(l.to, l.kind, below+"├─ ", below+"│  ")
			} else {
				draw(l.to, l.kind, below+"└─ ", below+"   ")
			}
		}
	}
	roots := g.roots
	if roots == nil {
		for _, n := range g.nodes {
			if len(n.links(!reverse)) == 0 {
				roots = append(roots, n)
			}
		}
	}
	for _, n := range roots {
		draw(n, "", "", "")
	}
}

// writeDot writes the graph for dot(1): what is optional is dashed. With some, it is only what
// the roots depend on.
func (g *graph) writeDot(w io.Writer, name string, some, reverse bool) {
	in := map[*node]bool{}
	var add func(n *node)
	add = func(n *node) {
		if in[n] {
			return
		}
		in[n] = true
		for _, l := range n.links(reverse) {
			add(l.to)
		}
	}
	for _, n := range g.nodes {
		if !some || slices.Contains(g.roots, n) {
			add(n)
		}
	}
	fmt.Fprintf(w, "digraph %s {\n\trankdir = LR;\n\tnode [shape = box];\n", dotQuote(name))
	for _, n := range g.nodes {
		if in[n] {
			fmt.Fprintf(w, "\t%s [label = %s%s];\n", dotQuote(n.name), dotQuote(strings.TrimSuffix(n.name+"\n"+n.state, "\n")), dotColour(n.state))
		}
	}
	for _, n := range g.nodes {
		for _, l := range n.needs {
			if !in[n] || !in[l.to] {
				continue
			}
			style := ""
			if strings.HasSuffix(l.kind, "optional") {
				style = ", style = dashed"
			}
			condition, _, _ := strings.Cut(l.kind, ",")
			fmt.Fprintf(w, "\t%s -> %s [label = %s%s];\n", dotQuote(n.name), dotQuote(l.to.name), dotQuote(condition), style)
		}
	}
	fmt.Fprintln(w, "}")
}

// dotQuote makes a string of dot's: only a quote needs a backslash, and \n is a line.
func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`).Replace(s) + `"`
}

func dotColour(state string) string {
	phase, _, _ := strings.Cut(state, ":")
	colour := map[colour]string{green: "green", yellow: "orange", red: "red", cyan: "blue"}[stateColour(policy.Phase(phase))]
	if colour == "" {
		return ""
	}
	return ", color = " + colour
}
