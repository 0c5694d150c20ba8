package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/kballard/go-shellquote"
)

// variable is the name of an environment variable, IEEE 1003.1 section 8.1.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// splitWords splits a value into words as sh(1) does, without expanding anything.
//
// go-shellquote has not changed since 2018 because its task is done: it is the one of
// the known libraries that does only this. mattn/go-shellwords drops what stands behind
// a |, ; or &, google/shlex takes # for a comment, mvdan.cc/sh expands.
func splitWords(s string) ([]string, error) {
	words, err := shellquote.Split(s)
	switch {
	case errors.Is(err, shellquote.UnterminatedSingleQuoteError):
		return nil, hinted(`close it; an apostrophe is written \' or "'"`, "a quote ' is not closed")
	case errors.Is(err, shellquote.UnterminatedDoubleQuoteError):
		return nil, hinted(`close it; a double quote is written \"`, `a quote " is not closed`)
	case errors.Is(err, shellquote.UnterminatedEscapeError):
		return nil, hinted(`a value does not go on on the next line; a backslash is written \\`, `the value ends in a backslash`)
	}
	return words, err
}

// rawWord is a word as it was written.
type rawWord struct {
	text  string
	plain bool // no quotes and backslashes in it
}

// rawWords splits like [splitWords] but keeps quotes and backslashes, to see what was
// meant for a shell.
func rawWords(s string) []rawWord {
	var words []rawWord
	start := 0
	add := func(end int) {
		if text := s[start:end]; strings.Trim(text, blank) != "" {
			words = append(words, rawWord{text, !strings.ContainsAny(text, `'"\`)})
		}
	}
	for i, c := range plain(s) {
		if isBlank(c) {
			add(i)
			start = i + 1
		}
	}
	add(len(s))
	return words
}

// operator is a word that only a shell understands.
var operator = regexp.MustCompile(`^(\|\|?|&&?|[0-9&]*>>?(&[0-9-])?.*|<.*|.*;)$`)

// expanded is a word a shell would replace.
var expanded = regexp.MustCompile("^~(/|$)|\\$[A-Za-z_{(]|`")

// shell is a program that expands what is in its arguments itself.
var shell = regexp.MustCompile(`^(.*/)?(ba|da|z|k|a|fi)?sh$`)

// warnShell warns about what reaches the program literally although it looks meant for
// a shell.
func warnShell(t *target, s setting, program string) {
	const useShell = "for a shell write /bin/sh -c '…'"
	if s.comment == ';' {
		t.warn(s, "everything from the ; on is a comment", "to run several commands use /bin/sh -c '…'; a literal ; stands in quotes")
	}
	var operators, expansions []string
	for _, w := range rawWords(s.value) {
		switch {
		case w.plain && operator.MatchString(w.text):
			operators = append(operators, quote(w.text))
		case w.plain && w.text[0] == '(':
			t.warn(s, fmt.Sprintf("%s reaches the program as it stands", quote(w.text)), "begin a note with #")
		case !strings.ContainsAny(w.text, `'\`) && expanded.MatchString(w.text) && !shell.MatchString(program):
			expansions = append(expansions, quote(w.text))
		}
	}
	if operators != nil {
		t.warn(s, "no shell runs this, so the program itself gets "+strings.Join(operators, " "), useShell)
	}
	if expansions != nil {
		t.warn(s, "nothing is expanded, so the program itself gets "+strings.Join(expansions, " "), useShell)
	}
}

// commaBetween finds a comma that separates variables as in A=1,B=2, -1 if there is
// none. A comma in quotes belongs to a value.
func commaBetween(s string) int {
	for i, c := range plain(s) {
		if c != ',' {
			continue
		}
		name, _, ok := strings.Cut(strings.TrimLeft(s[i+1:], blank), "=")
		if ok && variable.MatchString(name) {
			return i
		}
	}
	return -1
}
