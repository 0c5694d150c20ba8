package config

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/ini.v1"
)

// iniOptions switches off what ini.v1 does to values of its own accord. What cannot be
// switched off is kept from it by the normalised text, see [scanned.readValues].
var iniOptions = ini.LoadOptions{
	IgnoreContinuation:         true, // a backslash at the end of a line is a backslash
	IgnoreInlineComment:        true, // it would cut at the first # or ; wherever that is
	PreserveSurroundedQuote:    true,
	KeyValueDelimiters:         "=",    // ":" is part of many commands
	AllowShadows:               true,   // a repeated key would silently win
	AllowDuplicateShadowValues: true,   // and equal values would be one
	ChildSectionDelimiter:      "\x00", // [web.api] would inherit the keys of [web]
}

// guard stands around each value in the text for ini.v1, which takes a value that begins
// with """ or ` as one of several lines, drops empty repeated values and trims any
// Unicode space.
const guard = "|"

// readValues lets ini.v1 read the values of the file's entries. It gets a normalised
// text: numbers for headers (the bare ones are unknown to it, and [DEFAULT] is special),
// no comments, guarded values.
func (s *scanned) readValues() error {
	for i := range s.blocks {
		fmt.Fprintf(&s.text, "[%d]\n", i)
		for _, e := range s.blocks[i].entries {
			fmt.Fprintf(&s.text, "%s=%s%s%s\n", e.key, guard, e.raw, guard)
		}
	}
	file, err := ini.LoadSources(iniOptions, s.text.Bytes())
	if err != nil {
		return fmt.Errorf("cannot read the normalised text: %w", err)
	}
	for i := range s.blocks {
		section, err := file.GetSection(strconv.Itoa(i))
		if err != nil {
			return err
		}
		nth := map[string]int{}
		for j := range s.blocks[i].entries {
			e := &s.blocks[i].entries[j]
			values := section.Key(e.key).ValueWithShadows() // raw: Value and this do not interpolate %(x)s
			if nth[e.key] >= len(values) {
				return fmt.Errorf("line %d: key %s is lost", e.line, e.key)
			}
			value := values[nth[e.key]]
			nth[e.key]++
			if !strings.HasPrefix(value, guard) || !strings.HasSuffix(value, guard) || len(value) < 2*len(guard) {
				return fmt.Errorf("line %d: the value of %s is damaged", e.line, e.key)
			}
			e.raw = value[len(guard) : len(value)-len(guard)]
		}
	}
	return nil
}
