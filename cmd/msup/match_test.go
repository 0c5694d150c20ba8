package main

import (
	"errors"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	members := []member{{"web", "front"}, {"web-admin", "front"}, {"worker-1", "back"}, {"worker-2", "back"}, {"alone", ""}, {"api@1", "inst"}, {"api@2", "inst"}, {"api@10", "inst"}}
	for _, tt := range []struct {
		patterns string
		want     string // names, or what the error says
		code     int
	}{
		{"web", "web", 0},
		{"worker-2 web", "web worker-2", 0},
		{"w*", "web web-admin worker-1 worker-2", 0},
		{"all", "web web-admin worker-1 worker-2 alone api@1 api@2 api@10", 0},
		{"api", "api@1 api@2 api@10", 0},
		{"api@2", "api@2", 0},
		{"api@*", "api@1 api@2 api@10", 0},
		{"api@[12]", "api@1 api@2", 0},
		{"a*", "alone api@1 api@2 api@10", 0},
		{"inst:*", "api@1 api@2 api@10", 0},
		{"inst:api", "api@1 api@2 api@10", 0},
		{"inst:api@10", "api@10", 0},
		{"api@3", `no program "api@3" the instances of api are api@1 to api@10`, exitNoProgram},
		{"web@1", `no program "web@1" web has no instances`, exitNoProgram},
		{"aip", `no program "aip" did you mean "api"?`, exitNoProgram},
		{"zzzzzz", `no program "zzzzzz" the programs are web, web-admin, worker-1, worker-2, alone, api`, exitNoProgram},
		{"front:*", "web web-admin", 0},
		{"front:all", "web web-admin", 0},
		{"front:web", "web", 0},
		{"back:*-[12] alone", "worker-1 worker-2 alone", 0},
		{"*:w*-*", "web-admin worker-1 worker-2", 0},
		{"wbe", `no program "wbe" did you mean "web"?`, exitNoProgram},
		{"frnt:*", `no group "frnt" did you mean "front:*"?`, exitNoProgram},
		{"zzzzzz:*", `no group "zzzzzz" the groups are front, back, inst`, exitNoProgram},
		{"front:worker-1", `no program "worker-1" in group "front" the programs are web, web-admin`, exitNoProgram},
		{":alone", `no group "" the groups are front, back, inst`, exitNoProgram},
		{"front:", `no program "" in group "front" the programs are web, web-admin`, exitNoProgram},
		{"front:[", `bad pattern "front:[": use *, ? and [a-z] as a shell does`, exitUsage},
		{"[:*", `bad pattern "[:*": use *, ? and [a-z] as a shell does`, exitUsage},
		{"web nope:* all", `no group "nope" the groups are front, back, inst`, exitNoProgram},
	} {
		names, err := match(members, strings.Fields(tt.patterns), false)
		got, code := strings.Join(names, " "), 0
		if exit, ok := errors.AsType[*exitError](err); ok {
			got, code = strings.TrimSpace(exit.msg+" "+exit.hint), exit.code
		}
		if got != tt.want || code != tt.code {
			t.Errorf("%s: %q %d, want %q %d", tt.patterns, got, code, tt.want, tt.code)
		}
	}
	if names, err := match(members, nil, true); len(names) != len(members) || err != nil {
		t.Errorf("no pattern: %v, %v", names, err)
	}
	if _, err := match(nil, []string{"a:*"}, false); err == nil || err.(*exitError).hint != "the project has no groups" {
		t.Errorf("no groups: %v", err)
	}
}
