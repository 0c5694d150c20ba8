package units

import (
	"testing"

	"msup/policy"

	"github.com/google/go-cmp/cmp"
)

func TestJointUnit(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"db", "db@1", "db-1", "db.1", "db--1", "db-needed", "db-needed@1", "db-needed-1", "needed", "x-y", "x_y"} {
		for _, project := range []string{DefaultProject, "shop"} {
			unit := JointUnit(project, name)
			if other := seen[unit]; other != "" {
				t.Errorf("%s of %s and %s", unit, name, other)
			}
			seen[unit] = name
			if !isJoint(unit, project) || isJoint(unit, "other") || project != DefaultProject && isJoint(unit, DefaultProject) {
				t.Errorf("%s: whose is it?", unit)
			}
		}
	}
	for program, want := range map[string]string{"my-db": "msup-shop-my:db:needed.slice", "db@12": "msup-shop-db:needed:12.slice"} {
		if got := JointUnit("shop", program); got != want {
			t.Errorf("%s: %s", program, got)
		}
	}
	for _, unit := range []string{"msup-front.slice", "msup.slice", "msup:order.slice", "msup-needed.slice"} {
		if isJoint(unit, DefaultProject) {
			t.Errorf("%s is none", unit)
		}
	}
}

func TestJointsOf(t *testing.T) {
	programs := []Program{
		{Name: "web", Needs: []Need{{Of: "db", Condition: policy.OnReady}, {Of: "d*"}}}, {Name: "db"}, {Name: "dc", Needs: []Need{{Of: "db"}}}, {Name: "alone"},
	}
	want := []Joints{
		{Needs: []string{"msup-db:needed.slice", "msup-dc:needed.slice"}},
		{Own: "msup-db:needed.slice"},
		{Own: "msup-dc:needed.slice", Needs: []string{"msup-db:needed.slice"}},
		{},
	}
	if diff := cmp.Diff(want, JointsOf(DefaultProject, programs)); diff != "" {
		t.Error(diff)
	}
}
