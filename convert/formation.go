package convert

import (
	"fmt"
	"strconv"
	"strings"
)

// maxCount is as many instances as a program of msup's may have.
const maxCount = 1000

// ParseFormation reads how many of each program shall run, as foreman has it: "web=2,worker=1",
// with "all" for those that are not named. 0 = it is not started.
//
// The error says what is wrong with the text.
func ParseFormation(text string) (map[string]int, error) {
	formation := map[string]int{}
	for pair := range strings.SplitSeq(text, ",") {
		name, count, ok := strings.Cut(strings.Join(strings.Fields(pair), ""), "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not NAME=NUMBER, as in web=2,worker=1", strings.TrimSpace(pair))
		}
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 || n > maxCount {
			return nil, fmt.Errorf("%q is no number of programs from 0 to %d", count, maxCount)
		}
		formation[name] = n
	}
	return formation, nil
}

// countOf is how many of a program a formation has; rest, of those that it does not name.
func countOf(formation map[string]int, name string, rest int) int {
	if len(formation) == 0 {
		return 1
	}
	if n, ok := formation[name]; ok {
		return n
	}
	if n, ok := formation["all"]; ok {
		return n
	}
	return rest
}
