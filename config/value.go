package config

import (
	"iter"
	"strings"
)

// cutComment takes the comment off text without quotes: a # or ; at its start or behind
// white space begins one. mark is the character the comment begins with, 0 if none.
func cutComment(s string) (text string, mark byte) {
	for i := range len(s) {
		if (s[i] == '#' || s[i] == ';') && i > 0 && isBlank(s[i-1]) {
			return strings.Trim(s[:i], blank), s[i]
		}
	}
	return strings.Trim(s, blank), 0
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// cutWords is [cutComment] for values that are shell words: quoted and escaped
// characters begin no comment.
func cutWords(s string) (text string, mark byte) {
	last := -1 // the last character that is neither quoted nor escaped
	for i, c := range plain(s) {
		if (c == '#' || c == ';') && last == i-1 && i > 0 && isBlank(s[i-1]) {
			return strings.Trim(s[:i], blank), c
		}
		last = i
	}
	return strings.TrimLeft(trimRightWords(s), blank), 0
}

// trimRightWords trims white space that is not escaped: "a\ " ends with a space.
func trimRightWords(s string) string {
	t := strings.TrimRight(s, blank)
	if len(t) == len(s) {
		return s
	}
	escapes := len(t) - len(strings.TrimRight(t, `\`))
	if escapes%2 == 1 {
		return s[:len(t)+1]
	}
	return t
}

// plain yields the bytes of s that stand outside quotes and behind no backslash.
func plain(s string) iter.Seq2[int, byte] {
	return func(yield func(int, byte) bool) { unquoted(s, yield) }
}

// openQuote is the quote that is open at the end of a text of words, 0 if none is.
func openQuote(s string) byte { return unquoted(s, func(int, byte) bool { return true }) }

// unquoted goes through s by the rules of sh(1), and yields what [plain] does. It returns the
// quote that is open where that ends.
func unquoted(s string, yield func(int, byte) bool) (in byte) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && in != '\'':
			i++
		case in != 0:
			if c == in {
				in = 0
			}
		case c == '\'' || c == '"':
			in = c
		default:
			if !yield(i, c) {
				return in
			}
		}
	}
	return in
}

// cutText reads a text or path: exactly what stands there, or, when it begins with a
// quote, what stands between the quotes. Quotes further in are ordinary characters.
func cutText(raw string) (string, error) {
	s := strings.TrimLeft(raw, blank)
	if s == "" || (s[0] != '"' && s[0] != '\'') {
		text, _ := cutComment(raw)
		return text, nil
	}
	inner, rest, closed := strings.Cut(s[1:], s[:1])
	if !closed {
		return "", hinted("close it, or put the value in quotes of the other kind", "the quote %s is not closed", s[:1])
	}
	if text, _ := cutComment(rest); text != "" {
		return "", hinted("put the whole value in quotes of the other kind", "%s follows the closing quote", quote(text))
	}
	return inner, nil
}

// cutScalar reads a number, size, word or the like, which cannot hold a parenthesis: a
// note in parentheses behind white space is a comment as well.
func cutScalar(raw string) (string, error) {
	for i := 1; i < len(raw); i++ {
		if !isBlank(raw[i-1]) {
			continue
		}
		if raw[i] == '#' || raw[i] == ';' {
			break
		}
		if raw[i] == '(' {
			if text, _ := cutComment(raw[i+noteLen(raw[i:]):]); text == "" {
				raw = raw[:i]
			}
			break
		}
	}
	return cutText(raw)
}

// noteLen is the length of the note in parentheses s begins with, 0 if it does not end.
func noteLen(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
