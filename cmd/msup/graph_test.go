package main

import (
	"bytes"
	"testing"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

func TestGraph(t *testing.T) {
	program := func(name string, needs ...units.Need) units.Program {
		p := units.Program{Name: name, Needs: needs}
		if base := baseOf(name); base != name {
			p.Base = base
		}
		return p
	}
	need := func(of string, c policy.Condition) units.Need { return units.Need{Of: of, Condition: c} }
	programs := []units.Program{
		program("front", need("web", policy.OnReady), units.Need{Of: "search", Condition: policy.OnStarted, Optional: true}),
		program("web@1", need("db", policy.OnReady), need("migrate", policy.OnCompleted)),
		program("web@2", need("db", policy.OnReady), need("migrate", policy.OnCompleted)),
		program("job@1", need("shard@1", policy.OnStarted)),
		program("job@2", need("shard@2", policy.OnStarted)),
		program("shard@1"), program("shard@2"),
		program("db"), program("search"), program("migrate", need("db", policy.OnReady)),
		program("alone"),
	}
	states := map[string]string{"front": "STARTING: waits for web@2 (ready), 3s", "web@1": "RUNNING", "web@2": "STARTING", "db": "RUNNING", "search": "FAILED", "migrate": "EXITED", "alone": "STOPPED"}
	tests := []struct {
		name          string
		states        map[string]string
		roots         []string
		dot, reversed bool
		want          string
	}{
		{name: "tree", want: `
front
├─ web@1 to web@2 (ready)
│  ├─ db (ready)
│  └─ migrate (completed)
│     └─ db (ready)
└─ search (started, optional)
job@1
└─ shard@1 (started)
job@2
└─ shard@2 (started)
alone
`},
		{name: "states", states: states, roots: []string{"web@2", "front"}, want: `
front  STARTING: waits for web@2 (ready), 3s
├─ web@1 to web@2 (ready)  1 RUNNING, 1 STARTING
│  ├─ db (ready)  RUNNING
│  └─ migrate (completed)  EXITED
│     └─ db (ready)  RUNNING
└─ search (started, optional)  FAILED
web@1 to web@2  1 RUNNING, 1 STARTING  …
`},
		{name: "reverse", reversed: true, roots: []string{"db"}, want: `
db
├─ web@1 to web@2 (ready)
│  └─ front (ready)
└─ migrate (ready)
   └─ web@1 to web@2 (completed)  …
`},
		{name: "dot", dot: true, states: states, roots: []string{"front"}, want: `
digraph "shop" {
	rankdir = LR;
	node [shape = box];
	"front" [label = "front\nSTARTING: waits for web@2 (ready), 3s", color = orange];
	"web@1 to web@2" [label = "web@1 to web@2\n1 RUNNING, 1 STARTING"];
	"db" [label = "db\nRUNNING", color = green];
	"search" [label = "search\nFAILED", color = red];
	"migrate" [label = "migrate\nEXITED", color = blue];
	"front" -> "web@1 to web@2" [label = "ready"];
	"front" -> "search" [label = "started", style = dashed];
	"web@1 to web@2" -> "db" [label = "ready"];
	"web@1 to web@2" -> "migrate" [label = "completed"];
	"migrate" -> "db" [label = "ready"];
}
`},
	}
	for _, test := range tests {
		g := newGraph(programs, test.states)
		if test.roots != nil {
			g.roots = g.nodesOf(test.roots)
		}
		var out bytes.Buffer
		out.WriteByte('\n')
		if test.dot {
			g.writeDot(&out, "shop", test.roots != nil, test.reversed)
		} else {
			g.writeTree(&out, test.reversed)
		}
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestDotQuote(t *testing.T) {
	if got := dotQuote("a\"b\\c\nd"); got != `"a\"b\\c\nd"` {
		t.Error(got)
	}
}
