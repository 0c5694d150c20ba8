package units_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"msup/policy"
	"msup/units"
)

// needs reads "db:ready", "?cache".
func needs(words ...string) func(*units.Program) {
	return func(p *units.Program) {
		for _, w := range words {
			n := units.Need{Condition: policy.OnStarted}
			w, n.Optional = strings.CutPrefix(w, "?")
			of, condition, found := strings.Cut(w, ":")
			if n.Of = of; found {
				n.Condition = policy.Condition(condition)
			}
			p.Needs = append(p.Needs, n)
		}
	}
}

func onDependency(d policy.Dependence) func(*units.Program) {
	return func(p *units.Program) { p.OnDependency = d }
}

func TestNeedsString(t *testing.T) {
	p := program("web", needs("db:ready", "cache", "?migrate:completed"))
	if got := fmt.Sprint(p.Needs); got != "[db:ready cache ?migrate:completed]" {
		t.Error(got)
	}
}

func TestOrder(t *testing.T) {
	names := func(order []int, programs []units.Program) (out []string) {
		for _, i := range order {
			out = append(out, programs[i].Name)
		}
		return out
	}
	programs := []units.Program{
		program("web", needs("db", "cache")), program("x"), program("cache", needs("db")), program("db"),
		program("all", needs("w*")),
	}
	order, cycle := units.Order(len(programs), units.Edges(programs))
	if got := names(order, programs); !slices.Equal(got, []string{"db", "cache", "web", "x", "all"}) || cycle != nil {
		t.Errorf("%v %v", got, cycle)
	}
	programs[3].Needs = []units.Need{{Of: "web"}}
	_, cycle = units.Order(len(programs), units.Edges(programs))
	if got := names(cycle, programs); !slices.Equal(got, []string{"web", "db"}) {
		t.Errorf("%v", got)
	}
}

// Many in a chain and around one.
func BenchmarkNeeds(b *testing.B) {
	for _, shape := range []string{"chain", "star"} {
		for _, n := range []int{100, 500, 1000} {
			b.Run(fmt.Sprintf("%s/%d", shape, n), func(b *testing.B) {
				programs := shaped(n, shape)
				for b.Loop() {
					if order, _ := units.Order(n, units.Edges(programs)); len(order) != n {
						b.Fatal("a cycle")
					}
				}
			})
		}
	}
}

func shaped(n int, shape string) []units.Program {
	programs := make([]units.Program, n)
	for i := range programs {
		programs[i] = program(fmt.Sprintf("p%d", i))
		switch {
		case i == 0:
		case shape == "chain":
			needs(fmt.Sprintf("p%d:ready", i-1))(&programs[i])
		default:
			needs("p0:ready")(&programs[i])
		}
	}
	return programs
}
