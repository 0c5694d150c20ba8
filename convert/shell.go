package convert

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Other process managers hand a command to a shell. Here a shell runs only what needs one,
// and a command of several lines, which a value of msup's cannot have, becomes one.

// maxScript bounds what is parsed; the parser calls itself for each level of nesting.
const maxScript = 64 << 10

// shellWords is the command that runs text as "SHELL ARG TEXT" does: the words of text itself
// where they need no shell. changed says what is different about the text, "" if nothing.
func shellWords(shell, arg, text string) (argv []string, changed string) {
	text = strings.TrimSpace(text)
	variant, isShell := shellVariant(shell)
	if !isShell || arg != "-c" || len(text) > maxScript {
		return []string{shell, arg, text}, ""
	}
	script, err := syntax.NewParser(syntax.Variant(variant)).Parse(strings.NewReader(text), "")
	if err != nil {
		return []string{shell, arg, text}, "" // the shell will say what is wrong with it
	}
	if words := simpleCommand(script); words != nil {
		return words, ""
	}
	if !strings.Contains(text, "\n") {
		return []string{shell, arg, text}, ""
	}
	one, err := singleLine(script)
	if err != nil || strings.Contains(one, "\n") {
		return []string{shell, arg, text}, ""
	}
	// The line must be read as it was meant.
	again, err := syntax.NewParser(syntax.Variant(variant)).Parse(strings.NewReader(one), "")
	if err != nil {
		return []string{shell, arg, text}, ""
	}
	if check, err := singleLine(again); err != nil || check != one {
		return []string{shell, arg, text}, ""
	}
	return []string{shell, arg, one}, "its lines were put into one"
}

// singleLine prints a script on one line, without comments, as far as it can be.
func singleLine(script *syntax.File) (string, error) {
	var line bytes.Buffer
	err := syntax.NewPrinter(syntax.SingleLine(true)).Print(&line, script)
	return strings.TrimSpace(line.String()), err
}

// assignments are the variables that a text sets for its only command, and that command, where no
// shell is needed for it then: A=1 ./run.
func assignments(shell, arg, text string) (vars []envVar, command string) {
	variant, ok := shellVariant(shell)
	if !ok || arg != "-c" || len(text) > maxScript {
		return nil, text
	}
	script, err := syntax.NewParser(syntax.Variant(variant)).Parse(strings.NewReader(text), "")
	if err != nil || len(script.Stmts) != 1 {
		return nil, text
	}
	call, ok := script.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Assigns) == 0 || len(call.Args) == 0 {
		return nil, text
	}
	for _, a := range call.Assigns {
		// The command is looked for in the PATH that is set for it.
		if a.Append || a.Index != nil || a.Array != nil || a.Naked || a.Name.Value == "PATH" {
			return nil, text
		}
		v := envVar{name: a.Name.Value}
		if a.Value != nil {
			if v.value, ok = literalWord(a.Value); !ok || unprintable(v.value) != "" {
				return nil, text
			}
		}
		vars = append(vars, v)
	}
	call.Assigns = nil
	if simpleCommand(script) == nil {
		return nil, text
	}
	return vars, text[call.Args[0].Pos().Offset():]
}

// shellVariant is the language of a shell whose commands can be parsed.
func shellVariant(shell string) (v syntax.LangVariant, ok bool) {
	switch path.Base(shell) {
	case "sh", "dash", "ash":
		return syntax.LangPOSIX, true
	case "bash":
		return syntax.LangBash, true
	case "mksh":
		return syntax.LangMirBSDKorn, true
	}
	return 0, false
}

// builtins are words that a shell runs itself. Some of them are programs too, which do not
// always do the same.
var builtins = strings.Fields(`: . [ alias bg bind break builtin caller case cd command compgen
	complete compopt continue coproc declare dirs disown do done echo elif else enable esac eval exec
	exit export false fc fg fi for function getopts hash help history if in jobs kill let local
	logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source
	suspend test then time times trap true type typeset ulimit umask unalias unset until wait while`)

// simpleCommand is the words of a script that is one command and nothing that a shell would
// do something about; nil if it is not. An exec before it is what running it without a shell
// does.
func simpleCommand(script *syntax.File) []string {
	if len(script.Stmts) != 1 || len(script.Last) > 0 {
		return nil
	}
	stmt := script.Stmts[0]
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || stmt.Negated || stmt.Background || stmt.Coprocess || stmt.Disown || len(stmt.Redirs) > 0 || len(call.Assigns) > 0 {
		return nil
	}
	var words []string
	for _, w := range call.Args {
		text, ok := literalWord(w)
		if !ok {
			return nil
		}
		words = append(words, text)
	}
	if len(words) > 1 && words[0] == "exec" && !strings.HasPrefix(words[1], "-") {
		words = words[1:]
	}
	if len(words) == 0 || words[0] == "" || slices.Contains(builtins, words[0]) || strings.Contains(words[0], "=") {
		return nil
	}
	return words
}

// literalWord is a word that stands for itself.
func literalWord(w *syntax.Word) (string, bool) {
	var b strings.Builder
	for _, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			// Patterns, ~, braces and backslashes are the shell's.
			if strings.ContainsAny(part.Value, "*?[]{}~\\\n!") {
				return "", false
			}
			b.WriteString(part.Value)
		case *syntax.SglQuoted:
			if part.Dollar {
				return "", false
			}
			b.WriteString(part.Value)
		case *syntax.DblQuoted:
			for _, inner := range part.Parts {
				lit, ok := inner.(*syntax.Lit)
				if !ok || part.Dollar {
					return "", false
				}
				b.WriteString(doubleQuoted.Replace(lit.Value))
			}
		default:
			return "", false
		}
	}
	return b.String(), true
}

// doubleQuoted takes away the backslashes that mean something in double quotes.
var doubleQuoted = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`", "\\\n", "")

// shellReads are the variables that a command for a shell reads, and neither sets nor gets from the shell
// itself or systemd.
func shellReads(argv []string) []string {
	if len(argv) != 3 || argv[1] != "-c" {
		return nil
	}
	variant, ok := shellVariant(argv[0])
	if !ok || len(argv[2]) > maxScript {
		return nil
	}
	script, err := syntax.NewParser(syntax.Variant(variant)).Parse(strings.NewReader(argv[2]), "")
	if err != nil {
		return nil
	}
	var read, set []string
	for n := range syntax.Preorder(script) {
		switch n := n.(type) {
		case *syntax.ParamExp:
			if n.Param != nil && shellName.MatchString(n.Param.Value) {
				read = append(read, n.Param.Value)
			}
		case *syntax.Assign:
			if n.Name != nil {
				set = append(set, n.Name.Value)
			}
		case *syntax.WordIter:
			set = append(set, n.Name.Value)
		case *syntax.CallExpr:
			if words := literalWords(n.Args); len(words) > 0 && words[0] == "read" {
				set = append(set, words[1:]...)
			}
		}
	}
	slices.Sort(read)
	return slices.DeleteFunc(slices.Compact(read), func(name string) bool {
		return slices.Contains(set, name) || slices.Contains(given, name)
	})
}

func literalWords(args []*syntax.Word) []string {
	var list []string
	for _, w := range args {
		list = append(list, w.Lit())
	}
	return list
}

// passed gives a program the variables that its shell reads and nobody sets.
func (o *outcome) passed(s *Section, argv []string, known func(name string) bool) {
	names := slices.DeleteFunc(shellReads(argv), known)
	if len(names) == 0 {
		return
	}
	o.pass(s, names...)
	o.change("the shell replaces variables that are not set here: they come from the environment of msup up")
}

// pass gives a program variables of the environment of msup up.
func (o *outcome) pass(s *Section, names ...string) {
	old := s.get("pass_environment")
	all := strings.Fields(old)
	for _, name := range names {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	s.unset("pass_environment")
	o.set(s, "pass_environment", strings.Join(all, " "))
	o.in.report.replace(o.Section, "pass_environment = "+old, "pass_environment = "+s.get("pass_environment"))
}

// sigPipe has a program whose shell runs a pipeline die of SIGPIPE, as it does elsewhere: systemd has
// it ignored, see IgnoreSIGPIPE= in systemd.exec(5).
func (o *outcome) sigPipe(s *Section, argv []string) {
	if len(argv) == 3 && argv[1] == "-c" && strings.Contains(argv[2], "|") && s.get("systemd.IgnoreSIGPIPE") == "" {
		o.set(s, "systemd.IgnoreSIGPIPE", "no")
	}
}

// oneLineWords is a command without control characters, which a value of msup's cannot hold:
// a shell prints the words that have some, and is replaced by the program. changed says so, ""
// if there were none.
func oneLineWords(argv []string) (words []string, changed string) {
	if !slices.ContainsFunc(argv, func(w string) bool { return unprintable(w) != "" }) {
		return argv, ""
	}
	if len(argv) == 3 && argv[1] == "-c" {
		line, changed := shellWords(argv[0], argv[1], argv[2])
		if !slices.ContainsFunc(line, func(w string) bool { return unprintable(w) != "" }) {
			return line, changed
		}
	}
	script := []string{"exec"}
	var ends strings.Builder
	for i, word := range argv {
		switch {
		case unprintable(word) == "":
			script = append(script, quoteWord(word))
		case strings.HasSuffix(word, "\n"): // which a shell would take away
			fmt.Fprintf(&ends, "w%d=$(printf %%b %s); ", i, quoteWord(escapeControl(word+".")))
			script = append(script, fmt.Sprintf(`"${w%d%%.}"`, i))
		default:
			script = append(script, `"$(printf %b `+quoteWord(escapeControl(word))+`)"`)
		}
	}
	return []string{"/bin/sh", "-c", ends.String() + strings.Join(script, " ")}, "a shell puts its lines together again, because a value of msup's is one line"
}

// escapeControl is a text as printf %b of sh(1) takes it.
func escapeControl(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch text := s[i : i+n]; {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case unprintable(text) != "":
			for _, c := range []byte(text) {
				fmt.Fprintf(&b, `\0%03o`, c)
			}
		default:
			b.WriteString(text)
		}
		i += n
	}
	return b.String()
}
