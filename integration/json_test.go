//go:build linux

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// status returns a field of msup status --json.
func status(ts *testscript.TestScript, name, field string) (any, error) {
	stdout, stderr, err := quiet(ts, []string{"msup", "status", "--json"})
	var report map[string]any
	if jsonErr := json.Unmarshal(stdout, &report); jsonErr != nil {
		return nil, fmt.Errorf("no JSON from msup status: %w: %w\n%s%s", err, jsonErr, stdout, stderr)
	}
	var value any = report
	if name != "-" {
		programs, _ := report["programs"].([]any)
		i := slices.IndexFunc(programs, func(p any) bool { return p.(map[string]any)["name"] == name })
		if i < 0 {
			return nil, fmt.Errorf("msup status has no program %q", name)
		}
		value = programs[i]
	}
	for key := range strings.SplitSeq(field, ".") {
		object, ok := value.(map[string]any)
		if list, isList := value.([]any); isList {
			i, err := strconv.Atoi(key)
			if ok = err == nil && i >= 0 && i < len(list); ok {
				value = list[i]
			}
		} else if ok {
			value, ok = object[key]
		}
		if !ok {
			return nil, fmt.Errorf("msup status has no field %q of %s", field, name)
		}
	}
	return value, nil
}

// asText writes a value of JSON as scripts do.
func asText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	text, _ := json.Marshal(value)
	return string(text)
}

func jsonIs(ts *testscript.TestScript, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: json NAME FIELD WANT")
	}
	value, err := status(ts, args[0], args[1])
	if err != nil {
		return err
	}
	if got := asText(value); !meets(got, args[2]) {
		return fmt.Errorf("%s of %s is %q, want %q", args[1], args[0], got, args[2])
	}
	return nil
}

// meets reports whether got is what a script wants.
func meets(got, want string) bool {
	switch {
	case len(want) > 1 && strings.HasPrefix(want, "/") && strings.HasSuffix(want, "/"):
		re, err := regexp.Compile(want[1 : len(want)-1])
		return err == nil && re.MatchString(got)
	case strings.HasPrefix(want, ">"), strings.HasPrefix(want, "<"):
		g, gotErr := strconv.ParseFloat(got, 64)
		w, wantErr := strconv.ParseFloat(want[1:], 64)
		return gotErr == nil && wantErr == nil && (want[0] == '>' && g > w || want[0] == '<' && g < w)
	}
	return got == want
}

func save(ts *testscript.TestScript, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: save VARIABLE NAME FIELD")
	}
	value, err := status(ts, args[1], args[2])
	if err != nil {
		return err
	}
	if value == nil {
		return fmt.Errorf("%s of %s is null", args[2], args[1])
	}
	ts.Setenv(args[0], asText(value))
	s := scriptOf(ts)
	s.saved = append(s.saved, args[0])
	return nil
}
