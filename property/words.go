package property

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// splitWords splits a value as systemd does (systemd.syntax(7), "Quoting"): words are
// separated by white space; single and double quotes keep it together, anywhere in a word;
// a backslash begins one of C's escapes.
func splitWords(s string) ([]string, error) {
	var words []string
	for rest := strings.TrimLeft(s, blank); rest != ""; rest = strings.TrimLeft(rest, blank) {
		word, left, err := firstWord(rest, blank)
		if err != nil {
			return nil, err
		}
		words, rest = append(words, word), left
	}
	return words, nil
}

// splitFields is [splitWords] for words of several fields, between which a colon stands
// outside quotes.
func splitFields(s string) ([][]string, error) {
	var words [][]string
	for rest := strings.TrimLeft(s, blank); rest != ""; rest = strings.TrimLeft(rest, blank) {
		var fields []string
		for more := true; more; {
			field, left, err := firstWord(rest, blank+":")
			if err != nil {
				return nil, err
			}
			fields = append(fields, field)
			rest, more = strings.CutPrefix(left, ":")
		}
		words = append(words, fields)
	}
	return words, nil
}

const blank = " \t"

// firstWord takes what stands before the first separator off s, which does not begin with
// white space.
func firstWord(s, separators string) (word, rest string, err error) {
	var b strings.Builder
	var in byte // the quote we are in
	i := 0
	for i < len(s) {
		c := s[i]
		switch {
		case c == '\\':
			text, n, err := unescape(s[i:])
			if err != nil {
				return "", "", err
			}
			b.WriteString(text)
			i += n
			continue
		case in != 0 && c == in:
			in = 0
		case in == 0 && (c == '\'' || c == '"'):
			in = c
		case in == 0 && strings.IndexByte(separators, c) >= 0:
			return b.String(), s[i:], checkText(b.String())
		default:
			b.WriteByte(c)
		}
		i++
	}
	if in != 0 {
		return "", "", fmt.Errorf("a quote %c is not closed", in)
	}
	return b.String(), "", checkText(b.String())
}

var escapes = map[byte]string{
	'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
	'\\': `\`, '"': `"`, '\'': "'", 's': " ", ' ': " ", ';': ";",
}

// unescape reads the escape that s begins with; n is its length.
func unescape(s string) (text string, n int, err error) {
	if len(s) < 2 {
		return "", 0, errors.New("the value ends in a backslash")
	}
	if text, ok := escapes[s[1]]; ok {
		return text, 2, nil
	}
	bad := fmt.Errorf(`%s is no escape; a backslash is written \\`, s[:2])
	digits, base, skip := 3, 8, 1
	switch s[1] {
	case 'x':
		digits, base, skip = 2, 16, 2
	case 'u':
		digits, base, skip = 4, 16, 2
	case 'U':
		digits, base, skip = 8, 16, 2
	}
	if len(s) < skip+digits {
		return "", 0, bad
	}
	v, convErr := strconv.ParseUint(s[skip:skip+digits], base, 32)
	switch {
	case convErr != nil || v == 0:
		return "", 0, bad
	case s[1] == 'u' || s[1] == 'U':
		if !utf8.ValidRune(rune(v)) {
			return "", 0, bad
		}
		return string(rune(v)), skip + digits, nil
	case v > 0xff:
		return "", 0, bad
	}
	return string([]byte{byte(v)}), skip + digits, nil
}

// quoteWord is one word of a list as a unit file has it.
func quoteWord(s string) string {
	s = escapeSpecifiers(s)
	if s != "" && !strings.ContainsAny(s, " \t\"'\\;") {
		return s
	}
	return inQuotes(s)
}

func inQuotes(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(s) + `"`
}

func quoteWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoteWord(w)
	}
	return strings.Join(out, " ")
}

// escapeSpecifiers keeps a unit file from expanding what stands for itself.
func escapeSpecifiers(s string) string { return strings.ReplaceAll(s, "%", "%%") }
