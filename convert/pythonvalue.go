package convert

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// This file has what Python does to the values of supervisord: its % formatting, and shlex.

// A value that is still to be filled in stands in texts as a mark: NUL, what it is, NUL. No file
// holds a NUL. [template] turns marks into double braces.
const mark = "\x00"

// template is a text with marks as it is written in a value of msup's: marks in double braces,
// and double braces of the text itself as literal ones.
func template(text string) string {
	parts := strings.Split(text, mark)
	for i := range parts {
		if i%2 == 0 {
			parts[i] = literal(parts[i])
			// A brace before a mark would be read as part of it.
			continue
		}
		parts[i] = "{{" + parts[i] + "}}"
	}
	return strings.Join(parts, "")
}

// marked reports whether there is a mark in the text.
func marked(text string) bool { return strings.Contains(text, mark) }

// expansions are the names that %(name)s may have, and their values.
type expansions struct {
	texts   map[string]string
	numbers map[string]int
	// instances: process_num is that of the first of several.
	instances bool
	// env is asked for ENV_ names that are not in texts.
	env func(name string) (string, bool)
}

func (x expansions) with(name, value string) expansions {
	x.texts = maps.Clone(x.texts)
	x.texts[name] = value
	return x
}

// missingError is a variable of the environment that is not set.
type missingError struct{ name string }

func (e *missingError) Error() string { return fmt.Sprintf("the variable %s is not set", e.name) }

// formatError is a % that Python cannot format.
type formatError struct{ message string }

func (e *formatError) Error() string { return e.message }

func unformatted(format string, args ...any) error { return &formatError{fmt.Sprintf(format, args...)} }

// envPrefix is that of variables of the environment.
const envPrefix = "ENV_"

// expand is s % x as Python has it.
func (x expansions) expand(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			break
		}
		if after, ok := strings.CutPrefix(rest, "%"); ok {
			b.WriteByte('%')
			s = after
			continue
		}
		name, spec, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		if rest == "" || rest[0] != '(' || !closed {
			return "", unformatted("%s is no name to be replaced", quote("%"+first(rest, 10)))
		}
		text, after, err := x.format(name, spec)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		s = after
		if b.Len() > maxValue {
			return "", unformatted("the value comes to more than %d KiB", maxValue>>10)
		}
	}
	if b.Len() > maxValue {
		return "", unformatted("the value comes to more than %d KiB", maxValue>>10)
	}
	return b.String(), nil
}

// first is at most the first n bytes of a text.
func first(s string, n int) string { return s[:min(n, len(s))] }

// format formats the value of a name; spec begins behind the parenthesis.
func (x expansions) format(name, spec string) (text, rest string, err error) {
	flags, rest := span(spec, "-+ #0")
	width, rest := span(rest, "0123456789")
	precision := ""
	if after, ok := strings.CutPrefix(rest, "."); ok {
		precision, rest = span(after, "0123456789")
		precision = "." + precision
	}
	_, rest = span(rest, "hlL")
	if rest == "" {
		return "", "", unformatted("%%(%s) has no type behind it, as in %%(%s)s", name, name)
	}
	kind := rest[0]
	rest = rest[1:]
	if len(width) > 3 || len(precision) > 4 {
		return "", "", unformatted("%%(%s) has a width of more than 999", name)
	}
	if kind == '%' {
		return "%", rest, nil
	}
	verb := "%" + flags + width + precision
	n, isNumber := x.numbers[name]
	value, isText := x.texts[name]
	if !isNumber && !isText && strings.HasPrefix(name, envPrefix) {
		if value, isText = x.env(name[len(envPrefix):]); !isText {
			return "", "", &missingError{name[len(envPrefix):]}
		}
	}
	switch {
	case isNumber && strings.IndexByte("diu", kind) >= 0, isNumber && strings.IndexByte("sr", kind) >= 0 && precision == "":
		if strings.IndexByte("sr", kind) >= 0 {
			verb = "%" + strings.NewReplacer("0", "", "+", "", " ", "", "#", "").Replace(flags) + width
		}
		text = fmt.Sprintf(verb+"d", n)
		if name == processNum && x.instances {
			if strings.ContainsAny(text, " +-") {
				return "", "", unformatted("%s cannot be written for several processes", quote("%("+name+")"+spec[:len(spec)-len(rest)]))
			}
			text = mark + "instance " + text + mark
		}
		return text, rest, nil
	case isNumber:
		return "", "", unformatted("%%(%s)%c: it is a number, write %%(%s)d", name, kind, name)
	case isText && kind == 's':
		if flags+width+precision == "" {
			return value, rest, nil
		}
		if marked(value) {
			return "", "", unformatted("%s cannot be written: the value is known only later", quote("%("+name+")"+spec[:len(spec)-len(rest)]))
		}
		return fmt.Sprintf("%"+strings.NewReplacer("0", "", "+", "", " ", "", "#", "").Replace(flags)+width+precision+"s", value), rest, nil
	case isText:
		return "", "", unformatted("%%(%s)%c: it is a text, write %%(%s)s", name, kind, name)
	}
	known := slices.Sorted(maps.Keys(x.texts))
	known = append(known, slices.Sorted(maps.Keys(x.numbers))...)
	known = slices.DeleteFunc(known, func(s string) bool { return strings.HasPrefix(s, envPrefix) })
	return "", "", unformatted("%%(%s) is not known here; known are %s and ENV_NAME", oneLine(name), strings.Join(known, ", "))
}

// processNum is the number of a process of several.
const processNum = "process_num"

// span cuts the longest beginning of s of these characters.
func span(s, chars string) (head, rest string) {
	rest = strings.TrimLeft(s, chars)
	return s[:len(s)-len(rest)], rest
}

// Errors of shlex.
var (
	errNoClosingQuote = errors.New("a quote is not closed")
	errNoEscaped      = errors.New("it ends in a backslash")
)

// lexer is Python's shlex in POSIX mode.
type lexer struct {
	// word: characters of words; nil = all but white space, quotes and backslashes.
	word func(r rune) bool
	// comments: # begins a comment.
	comments bool
}

// split splits a text into tokens.
func (l lexer) split(text string) ([]string, error) {
	var tokens []string
	var token strings.Builder
	quoted := false
	emit := func() {
		if token.Len() > 0 || quoted {
			tokens = append(tokens, token.String())
		}
		token.Reset()
		quoted = false
	}
	const (
		blank, word = 0, 'a'
	)
	var state, before rune // before: the state that an escape returns to
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case state == '\'' || state == '"':
			quoted = true
			switch {
			case r == state:
				state = word
			case r == '\\' && state == '"':
				before, state = state, '\\'
			default:
				token.WriteRune(r)
			}
		case state == '\\':
			if before == '"' && r != '\\' && r != '"' {
				token.WriteByte('\\')
			}
			token.WriteRune(r)
			state = before
		case r == 0: // a mark, which is one word
			end := slices.Index(runes[i+1:], 0)
			if end < 0 {
				end = len(runes) - i - 2
			}
			token.WriteString(string(runes[i : i+end+2]))
			i += end + 1
			state = word
		case l.isSpace(r):
			if state == word {
				emit()
			}
			state = blank
		case l.comments && r == '#':
			if state == word {
				emit()
			}
			state = blank
			for i+1 < len(runes) && runes[i+1] != '\n' {
				i++
			}
		case r == '\'' || r == '"':
			state = r
		case r == '\\':
			before, state = word, '\\'
		case l.word == nil || l.word(r):
			token.WriteRune(r)
			state = word
		default: // a character that is a token of its own
			if state == word {
				emit()
			}
			token.WriteRune(r)
			emit()
			state = blank
		}
	}
	switch state {
	case '\'', '"':
		return nil, errNoClosingQuote
	case '\\':
		return nil, errNoEscaped
	}
	emit()
	return tokens, nil
}

// isSpace: shlex knows these and no other white space.
func (l lexer) isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// splitCommand splits a command into its words, as shlex.split does.
func splitCommand(s string) ([]string, error) { return lexer{}.split(s) }

// pair is KEY=value.
type pair struct{ name, value string }

// splitPairs reads KEY="value",KEY2=value2 (dict_of_key_value_pairs, supervisor/datatypes.py):
// every fourth token is skipped, whatever it is. A name that stands several times has its last
// value, in its first place.
func splitPairs(s string) ([]pair, error) {
	l := lexer{comments: true, word: func(r rune) bool {
		return r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) ||
			r >= 'ß' && r <= 'þ' && r != '÷' && r != '×' || strings.ContainsRune("/.+-():", r)
	}}
	tokens, err := l.split(s)
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for i := 0; i < len(tokens); i += 4 {
		if i+2 >= len(tokens) || tokens[i+1] != "=" {
			return nil, fmt.Errorf("behind %s stands no =value", quote(tokens[i]))
		}
		p := pair{tokens[i], tokens[i+2]}
		if at := slices.IndexFunc(pairs, func(q pair) bool { return q.name == p.name }); at >= 0 {
			pairs[at] = p
			continue
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// Values of supervisor/datatypes.py.

func pythonBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%s is none of yes, true, on, 1, no, false, off, 0", quote(s))
}

// pythonNumber is what int() of Python's takes; it may be of any length.
var pythonNumber = regexp.MustCompile(`^[+-]?[0-9]+(_[0-9]+)*$`)

func pythonInt(s string) (int, error) {
	digits := strings.TrimSpace(s)
	if !pythonNumber.MatchString(digits) {
		return 0, fmt.Errorf("%s is not a whole number", quote(s))
	}
	n, _ := strconv.Atoi(strings.ReplaceAll(digits, "_", "")) // what is too long is the largest one
	return n, nil
}

// maxBytes is more than any file comes to, and the most that msup takes.
const maxBytes = 1 << 60

// byteSize reads a size: KB, MB and GB are 1024-based. A negative one is none, as 0 is.
func byteSize(s string) (uint64, error) {
	lower := strings.ToLower(s)
	factor := 1
	for suffix, f := range map[string]int{"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30} {
		if rest, ok := strings.CutSuffix(lower, suffix); ok {
			lower, factor = rest, f
			break
		}
	}
	n, err := pythonInt(lower)
	if err != nil {
		return 0, fmt.Errorf("%s is not a size: a number of bytes, or one with KB, MB or GB", quote(s))
	}
	return uint64(max(0, min(n, maxBytes/factor)) * factor), nil
}
