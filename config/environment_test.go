package config

import (
	"slices"
	"strings"
	"testing"
)

// What a program gets of msup's own environment, and what its own variables win over.
func TestPassEnvironment(t *testing.T) {
	cfg, err := loadText("[defaults]\npass_environment = GREETING\n" +
		"[program a]\ncommand = /usr/bin/sleep {{env GREETING}}\npass_environment = NONE PATH\n" +
		"[program b]\ncommand = /usr/bin/sleep 1\nenvironment = GREETING=own B={{env GREETING}}\n")
	if err != nil {
		t.Fatal(err)
	}
	if a := cfg.Program("a"); !slices.Equal(a.Environment, []string{"GREETING=it's me", "PATH=/home/me/bin:/usr/bin"}) || !slices.Equal(a.Argv, []string{"/usr/bin/sleep", "it's me"}) {
		t.Errorf("a: %q %q", a.Environment, a.Argv)
	}
	if b := cfg.Program("b"); !slices.Equal(b.Environment, []string{"GREETING=own", "B=it's me"}) {
		t.Errorf("b: %q", b.Environment)
	}
	if want := []string{"GREETING", "NONE", "PATH"}; !slices.Equal(cfg.Environment, want) {
		t.Errorf("looked up %q, want %q", cfg.Environment, want)
	}
}

func TestPassEnvironmentErrors(t *testing.T) {
	for text, want := range map[string]string{
		"pass_environment = A=1":       "environment = A=1",
		"pass_environment = 1A":        "is no name of a variable",
		"environment = A={{env NONE}}": "the variable NONE is not set",
	} {
		_, err := loadText("[program a]\ncommand = /usr/bin/sleep 1\n" + text + "\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	cfg, err := loadText("[program a]\ncommand = /usr/bin/sleep 1\npass_environment = LINES\n")
	if err != nil || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].Message, "LINES is left out") || cfg.Program("a").Environment != nil {
		t.Errorf("%v %v", cfg, err)
	}
}
