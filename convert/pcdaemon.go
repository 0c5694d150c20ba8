package convert

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A process that goes to the background leaves nothing that could be waited for. process-compose takes it
// for running from then on until it is stopped or a probe fails. Here a shell stays for it, in the same cgroup,
// so that the program is up as long, and a stop finds both.

// stay is what the shell does when all has been started.
const stay = " && exec sleep infinity"

func isDaemon(n *node) bool { return n.get("is_daemon").isTrue() }

// staying is the command of a process that goes to the background, for a shell that stays.
func (p *pcProcess) staying(text string) (argv []string, changed string) {
	shell, arg := p.shell[0], p.shell[1]
	variant, ok := shellVariant(shell)
	if !ok || arg != "-c" {
		return stayingWords(shell, arg, text), ""
	}
	text = strings.TrimSpace(text)
	if !continuable(text, variant) {
		text = "(\n" + text + "\n)"
	}
	return shellWords(shell, arg, text+stay)
}

// stayingWords is [pcProcess.staying] of words that need no shell, or one that is not known.
func stayingWords(argv ...string) []string { return []string{"/bin/sh", "-c", words(argv...) + stay} }

// continuable reports whether more of an AND list can follow a text, and is reached when that has ended well.
func continuable(text string, variant syntax.LangVariant) bool {
	script, err := syntax.NewParser(syntax.Variant(variant), syntax.KeepComments(true)).Parse(strings.NewReader(text), "")
	if err != nil || len(script.Stmts) != 1 || script.Stmts[0].Background || script.Stmts[0].Coprocess {
		return false
	}
	for n := range syntax.Preorder(script) {
		switch n := n.(type) {
		case *syntax.Comment:
			return false
		case *syntax.CallExpr:
			if len(n.Args) > 0 && slices.Contains([]string{"exec", "exit", "set"}, n.Args[0].Lit()) {
				return false
			}
		}
	}
	return true
}

func (p *pcProcess) daemon(o *outcome, n *node) {
	if n.isTrue() {
		o.change("a shell stays for what it leaves in the background, whose end only a probe sees; in the foreground, as docker run without -d, it needs none")
	}
}
