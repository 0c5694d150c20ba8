package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Diagnostic is one thing to say about a place of the configuration.
type Diagnostic struct {
	File    string `json:"file"`              // as the user gave it, or relative to the working directory when that is shorter
	Line    int    `json:"line,omitempty"`    // from 1; 0 = the file as a whole
	Section string `json:"section,omitempty"` // without brackets: "program web"
	Key     string `json:"key,omitempty"`
	Value   string `json:"value,omitempty"` // as the program would see it: without comment and quotes
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do about it
}

// String is the diagnostic on one line:
//
//	supervisor.conf:7: [program web] memory_limit: "10x" is not a size; use …
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d", d.Line)
	}
	b.WriteString(":")
	if d.Section != "" {
		fmt.Fprintf(&b, " [%s]", d.Section)
	}
	if d.Key != "" {
		fmt.Fprintf(&b, " %s:", d.Key)
	}
	b.WriteString(" " + d.Message)
	if d.Hint != "" {
		b.WriteString("; " + d.Hint)
	}
	return b.String()
}

// Error is a configuration that cannot be run: every problem of it, in the order of the
// files and their lines.
type Error struct {
	Diagnostics []Diagnostic
	Warnings    []Diagnostic // found on the way
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Diagnostics))
	for i, d := range e.Diagnostics {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// valueError is what is wrong with a value. Without a hint of its own the key's
// allowed values are the hint.
type valueError struct{ message, hint string }

func (e *valueError) Error() string { return e.message }

func hinted(hint, format string, args ...any) error {
	return &valueError{fmt.Sprintf(format, args...), hint}
}

// cause is an I/O error without the operation and the path, which the sentence around
// it already names.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
