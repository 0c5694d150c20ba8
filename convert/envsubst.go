package convert

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// envsubst replaces ${NAME} in a text, as github.com/drone/envsubst 1.0.3 does, with which
// process-compose reads its files: $NAME stands for itself, and ${NAME:-text}, ${NAME:=text} and their
// like all mean the same. The library knows no lines, and nothing bounds what it makes.
type envsubst struct {
	text string
	pos  int
	size int // of all values
	// lookup is the value of a variable that is used in a line.
	lookup func(name string, line int) string
}

// maxSubst bounds the text that replacing makes.
const maxSubst = 8 << 20

// substError is what is wrong in a line.
type substError struct {
	line int
	msg  string
}

func (e *substError) Error() string { return e.msg }

var errTooLarge = fmt.Errorf("the text comes to more than %d MiB", maxSubst>>20)

// replaceVariables replaces the variables of a text. The error is a [*substError].
func replaceVariables(text string, lookup func(name string, line int) string) (string, error) {
	// Outside of variables the library takes \\ for \, and \/ for /. The file's own $$ is cut out before
	// it is asked.
	var b strings.Builder
	s := &envsubst{text: text, lookup: lookup}
	for s.pos < len(s.text) {
		i := strings.IndexAny(s.text[s.pos:], `$\`)
		if i < 0 {
			b.WriteString(s.text[s.pos:])
			break
		}
		b.WriteString(s.text[s.pos : s.pos+i])
		s.pos += i
		switch rest := s.text[s.pos:]; {
		case strings.HasPrefix(rest, `\\`), strings.HasPrefix(rest, `\/`):
			b.WriteByte(rest[1])
			s.pos += 2
		case strings.HasPrefix(rest, "$$"):
			b.WriteByte('$')
			s.pos += 2
		case strings.HasPrefix(rest, "${"):
			line := s.line()
			s.pos += 2
			value, err := s.variable(0)
			if err != nil {
				return "", &substError{line, err.Error()}
			}
			b.WriteString(value)
		default:
			b.WriteByte(rest[0])
			s.pos++
		}
	}
	return b.String(), nil
}

func (s *envsubst) line() int { return 1 + strings.Count(s.text[:s.pos], "\n") }

// maxSubstDepth bounds variables in the text of others.
const maxSubstDepth = 20

// variable reads what follows ${ up to the closing brace.
func (s *envsubst) variable(depth int) (string, error) {
	if depth > maxSubstDepth {
		return "", fmt.Errorf("variables are nested more than %d deep", maxSubstDepth)
	}
	length := s.next('#')
	name := s.name()
	if name == "" {
		return "", errors.New("${ is followed by no name of a variable; a $ that stands for itself is written $$")
	}
	value := s.lookup(name, s.line())
	if s.size += len(value); s.size > maxSubst {
		return "", errTooLarge
	}
	switch {
	case length:
		value = strconv.Itoa(len(value))
		return value, s.close(name)
	case s.next('}'):
		return value, nil
	case s.next('^'):
		if s.next('^') {
			return strings.ToUpper(value), s.close(name)
		}
		return firstLetter(value, unicode.ToUpper), s.close(name)
	case s.next(','):
		if s.next(',') {
			return strings.ToLower(value), s.close(name)
		}
		return firstLetter(value, unicode.ToLower), s.close(name)
	case s.next(':'), s.peek() == '=':
		if strings.IndexByte("=-?+", s.peek()) < 0 {
			return "", fmt.Errorf("${%s:…} takes a part of the value, which msup does not: write the part itself", name)
		}
		s.pos++
		other, err := s.word(depth)
		if value != "" {
			return value, err
		}
		return other, err
	case strings.IndexByte("/#%", s.peek()) >= 0:
		return "", fmt.Errorf("${%s%c…} changes the value, which msup does not: write the value itself", name, s.peek())
	}
	return "", s.unclosed(name)
}

func (s *envsubst) unclosed(name string) error {
	return fmt.Errorf("${%s is not closed by }; a $ that stands for itself is written $$", name)
}

func (s *envsubst) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// next goes over a character, if it is there.
func (s *envsubst) next(c byte) bool {
	if s.peek() == c && s.pos < len(s.text) {
		s.pos++
		return true
	}
	return false
}

func (s *envsubst) close(name string) error {
	if !s.next('}') {
		return s.unclosed(name)
	}
	return nil
}

func (s *envsubst) name() string {
	start := s.pos
	for s.pos < len(s.text) {
		r, n := utf8.DecodeRuneInString(s.text[s.pos:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		s.pos += n
	}
	return s.text[start:s.pos]
}

// word reads the text behind :- and its like up to the closing brace.
func (s *envsubst) word(depth int) (string, error) {
	var b strings.Builder
	for s.pos < len(s.text) {
		switch {
		case s.next('}'):
			return b.String(), nil
		case strings.HasPrefix(s.text[s.pos:], "${"):
			s.pos += 2
			value, err := s.variable(depth + 1)
			if err != nil {
				return "", err
			}
			b.WriteString(value)
		case strings.HasPrefix(s.text[s.pos:], "$$"):
			b.WriteByte('$')
			s.pos += 2
		default:
			b.WriteByte(s.text[s.pos])
			s.pos++
		}
	}
	return "", errors.New("${ is not closed by }; a $ that stands for itself is written $$")
}

func firstLetter(s string, to func(rune) rune) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(to(r)) + s[n:]
}
