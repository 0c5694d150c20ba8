package main

import (
	"os"
	"testing"

	"msup/logview"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

func TestSources(t *testing.T) {
	got := sources([]units.Program{
		{Name: "plain", Unit: "msup-plain.service"},
		{Name: "both", Stdout: "/both", Stderr: "/both"},
		{Name: "apart", Stdout: "/out", Stderr: "/err"},
		{Name: "half", Unit: "msup-half.service", Stderr: "/half"},
		{Name: "silent", Stdout: os.DevNull, Stderr: os.DevNull},
		{Name: "shares", Stdout: "/out", Stderr: "/both"},
		{Name: "too", Stdout: os.DevNull, Stderr: "/out"},
	}, true)
	want := []logview.Source{
		{Program: "plain", Unit: "msup-plain.service", User: true},
		{Program: "both,shares", File: "/both"},
		{Program: "apart,shares,too", File: "/out"},
		{Program: "apart", Stream: "stderr", File: "/err"},
		{Program: "half", Stream: "stdout", Unit: "msup-half.service", User: true},
		{Program: "half", Stream: "stderr", File: "/half"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
