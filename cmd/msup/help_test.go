package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func TestReflow(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"one two three\nfour":       "one two\nthree four",
		"one\n\ntwo\n  a b c d e f": "one\n\ntwo\n  a b c d e f",
		"a-very-long-word b":        "a-very-long-word\nb",
		"ääää öööö\nü":              "ääää öööö\nü",
	} {
		if got := reflow(in, 10); got != want {
			t.Errorf("reflow(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestHelpWidth: the help of every command fits a terminal of 80 columns.
func TestHelpWidth(t *testing.T) {
	var each func(*cobra.Command)
	each = func(c *cobra.Command) {
		// cobra's own completion commands hold command lines, and long ones.
		if c.Name() == "completion" {
			return
		}
		var out bytes.Buffer
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if utf8.RuneCountInString(line) > helpWidth {
				t.Errorf("%s --help: a line of more than %d characters: %s", c.CommandPath(), helpWidth, line)
			}
		}
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(rootCommand(&app{}))
}
