package convert

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pm2 has JavaScript evaluate its .json files, so that some hold literals of that language: keys without
// quotes, texts in single ones or over several lines.

// jsonOfJS is a literal of JavaScript's as JSON with comments. Each line stays where it is; what is no
// literal is left for a parser to refuse.
func jsonOfJS(data []byte) []byte {
	var out bytes.Buffer
	for i := 0; i < len(data); {
		rest := data[i:]
		n := 1
		switch c := rest[0]; {
		case bytes.HasPrefix(rest, []byte("//")):
			n = until(rest, "\n")
			out.Write(rest[:n])
		case bytes.HasPrefix(rest, []byte("/*")):
			n = until(rest, "*/")
			out.Write(rest[:n])
		case c == '"' || c == '\'' || c == '`':
			text, length, ok := jsText(rest)
			if !ok {
				out.WriteByte(c)
				break
			}
			n = length
			quoted, _ := json.Marshal(text) // a text has no values that JSON lacks
			out.Write(quoted)
			out.WriteString(strings.Repeat("\n", bytes.Count(rest[:n], []byte("\n"))))
		default:
			if n = jsName(rest); n == 0 {
				n = 1
				out.WriteByte(c)
				break
			}
			out.WriteString(jsonOfName(string(rest[:n]), rest[n:]))
		}
		i += n
	}
	return out.Bytes()
}

// until is the length of a text up to and with its end.
func until(text []byte, end string) int {
	if i := bytes.Index(text[1:], []byte(end)); i >= 0 {
		return 1 + i + len(end)
	}
	return len(text)
}

// jsonOfName is a word as JSON has it: in quotes where it is a key.
func jsonOfName(name string, rest []byte) string {
	switch {
	case bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(":")):
		return strconv.Quote(name)
	case name == "undefined":
		return "null"
	}
	return name
}

// jsName is the length of the word at the beginning, 0 if there is none. A number is one, so that its letters
// are none.
func jsName(data []byte) int {
	n := 0
	for n < len(data) {
		r, size := utf8.DecodeRune(data[n:])
		if r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		n += size
	}
	return n
}

// jsText reads the text that begins with a quote, and its length with both quotes. One that JavaScript would
// put together when it is evaluated is none.
func jsText(data []byte) (text string, length int, ok bool) {
	quote := data[0]
	var b strings.Builder
	for i := 1; i < len(data); {
		switch c := data[i]; {
		case c == quote:
			return b.String(), i + 1, true
		case c == '\n' && quote != '`', quote == '`' && bytes.HasPrefix(data[i:], []byte("${")):
			return "", 0, false
		case c == '\\':
			part, n := jsEscape(data[i+1:])
			b.WriteString(part)
			i += 1 + n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return "", 0, false
}

// jsEscapes are the characters that a letter behind a backslash stands for.
var jsEscapes = map[byte]string{'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v", '0': "\x00", '\n': ""}

// jsEscape is what stands behind a backslash, and how long it is.
func jsEscape(data []byte) (text string, length int) {
	if len(data) == 0 {
		return "", 0
	}
	if digits := map[byte]int{'x': 2, 'u': 4}[data[0]]; digits > 0 && len(data) > digits {
		if r, err := strconv.ParseUint(string(data[1:1+digits]), 16, 32); err == nil {
			return string(rune(r)), 1 + digits
		}
	}
	if text, ok := jsEscapes[data[0]]; ok {
		return text, 1
	}
	_, n := utf8.DecodeRune(data)
	return string(data[:n]), n // any other character stands for itself
}
