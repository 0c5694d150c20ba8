package main

import (
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpWidth is that of a terminal that nobody has made wider.
const helpWidth = 80

// wrapHelp makes the help of a command and of those below it fit a terminal.
func wrapHelp(cmd *cobra.Command) {
	cmd.Long = reflow(cmd.Long, helpWidth)
	for _, c := range cmd.Commands() {
		wrapHelp(c)
	}
}

// wrappedFlags is a usage template whose flags are wrapped at the width.
func wrappedFlags(template string) string {
	return strings.ReplaceAll(template, "Flags.FlagUsages ", "Flags.FlagUsagesWrapped 80 ")
}

// reflow breaks the lines of paragraphs anew so that they have at most width characters. Lines
// that begin with a blank stay as they are.
func reflow(text string, width int) string {
	var out []string
	var words []string
	flush := func() {
		line := ""
		for _, w := range words {
			switch {
			case line == "":
				line = w
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) <= width:
				line += " " + w
			default:
				out, line = append(out, line), w
			}
		}
		if line != "" {
			out = append(out, line)
		}
		words = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' || line[0] == '\t' {
			flush()
			out = append(out, line)
			continue
		}
		words = append(words, strings.Fields(line)...)
	}
	flush()
	return strings.Join(out, "\n")
}
