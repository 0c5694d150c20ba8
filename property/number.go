package property

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Infinity is systemd's "no limit" in a property of type t (UINT64_MAX).
const Infinity = ^uint64(0)

const infinity = "infinity"

var decimal = regexp.MustCompile(`^[0-9]{1,24}(\.[0-9]{1,24})?$`)

// microseconds of the units of systemd.time(7). A month and a year are averages.
var spanUnits = map[string]int64{
	"us": 1, "usec": 1, "µs": 1, "μs": 1,
	"ms": 1e3, "msec": 1e3,
	"": 1e6, "s": 1e6, "sec": 1e6, "second": 1e6, "seconds": 1e6,
	"m": 60e6, "min": 60e6, "minute": 60e6, "minutes": 60e6,
	"h": 3600e6, "hr": 3600e6, "hour": 3600e6, "hours": 3600e6,
	"d": 86400e6, "day": 86400e6, "days": 86400e6,
	"w": 604800e6, "week": 604800e6, "weeks": 604800e6,
	"M": 2629800e6, "month": 2629800e6, "months": 2629800e6,
	"y": 31557600e6, "year": 31557600e6, "years": 31557600e6,
}

var spanPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)[ \t]*(\pL*)[ \t]*`)

// parseSpan reads a time span (systemd.time(7)): "1min 30s", "500ms", seconds without a
// unit, infinity. It is in units of which a second has perSecond.
func parseSpan(s string, perSecond int64) (uint64, error) {
	if s == infinity {
		return Infinity, nil
	}
	sum := new(big.Rat)
	for rest := s; rest != ""; {
		part := spanPart.FindStringSubmatch(rest)
		if part == nil || !decimal.MatchString(part[1]) {
			return 0, fmt.Errorf("%s is not a time span", quoted(s))
		}
		rest = rest[len(part[0]):]
		factor, known := spanUnits[part[2]]
		if part[2] == "ns" || part[2] == "nsec" {
			factor, known = 0, perSecond == nanoseconds
			n, _ := new(big.Rat).SetString(part[1])
			sum.Add(sum, n)
		} else if part[2] == "" && perSecond == nanoseconds {
			factor = 0 // TimerSlackNSec= counts nanoseconds without a unit
			n, _ := new(big.Rat).SetString(part[1])
			sum.Add(sum, n)
		}
		if !known {
			return 0, fmt.Errorf("%s is not a time span", quoted(s))
		}
		n, _ := new(big.Rat).SetString(part[1])
		n.Mul(n, big.NewRat(factor, 1))
		sum.Add(sum, n.Mul(n, big.NewRat(perSecond, 1e6)))
	}
	return whole(sum, s)
}

const (
	microseconds = 1_000_000
	nanoseconds  = 1_000_000_000
)

// whole rounds down to a number below [Infinity].
func whole(r *big.Rat, s string) (uint64, error) {
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsUint64() || n.Uint64() == Infinity {
		return 0, fmt.Errorf("%s is too large", quoted(s))
	}
	return n.Uint64(), nil
}

// formatSpan is the time span in microseconds as a unit file has it.
func formatSpan(us uint64) string {
	switch us {
	case 0:
		return "0"
	case Infinity:
		return infinity
	}
	var parts []string
	for _, u := range []struct {
		name string
		size uint64
	}{{"d", 86400e6}, {"h", 3600e6}, {"min", 60e6}, {"s", 1e6}, {"ms", 1e3}, {"us", 1}} {
		if n := us / u.size; n > 0 {
			parts = append(parts, strconv.FormatUint(n, 10)+u.name)
			us -= n * u.size
		}
	}
	return strings.Join(parts, " ")
}

// parseScaled reads a number with one of systemd's suffixes, K to E, each base times the
// one before: 1024 for memory, 1000 for rates.
func parseScaled(s string, base int64) (uint64, error) {
	bad := fmt.Errorf("%s is not a number with K, M, G, T, P or E", quoted(s))
	number, factor := s, int64(1)
	if s != "" {
		if i := strings.IndexByte("BKMGTPE", s[len(s)-1]); i >= 0 {
			number = strings.TrimRight(s[:len(s)-1], blank)
			for range i {
				factor *= base
			}
		}
	}
	if !decimal.MatchString(number) {
		return 0, bad
	}
	r, _ := new(big.Rat).SetString(number)
	return whole(r.Mul(r, big.NewRat(factor, 1)), s)
}

// formatScaled is the shortest exact form.
func formatScaled(n, base uint64) string {
	suffix := ""
	for _, s := range []string{"K", "M", "G", "T", "P", "E"} {
		if n == 0 || n%base != 0 {
			break
		}
		n, suffix = n/base, s
	}
	return strconv.FormatUint(n, 10) + suffix
}

// scaleMax is 100 % in a property of the type that systemd calls scale.
const scaleMax = 1<<32 - 1

var percentage = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,2})?%$`)

// parsePercent reads a percentage with at most two decimals, in hundredths of a percent.
func parsePercent(s string) (uint64, error) {
	if !percentage.MatchString(s) {
		return 0, fmt.Errorf("%s is not a percentage with at most two decimals", quoted(s))
	}
	r, _ := new(big.Rat).SetString(strings.TrimSuffix(s, "%"))
	return whole(r.Mul(r, big.NewRat(100, 1)), s)
}

// formatPercent is the reverse.
func formatPercent(hundredths uint64) string {
	if hundredths%100 == 0 {
		return fmt.Sprintf("%d%%", hundredths/100)
	}
	return fmt.Sprintf("%d.%02d%%", hundredths/100, hundredths%100)
}

// parseScale reads a percentage up to 100 as a scale.
func parseScale(s string) (uint32, error) {
	h, err := parsePercent(s)
	if err == nil && h > 100_00 {
		err = fmt.Errorf("%s is more than all", quoted(s))
	}
	if err != nil {
		return 0, err
	}
	return uint32(h * scaleMax / 100_00), nil
}

// formatScale rounds, because parseScale has rounded down.
func formatScale(v uint32) string {
	return formatPercent((uint64(v)*100_00 + scaleMax/2) / scaleMax)
}

// parseBool knows systemd's boolean words (systemd.syntax(7)).
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither yes nor no", quoted(s))
}

func formatBool(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// parseUint reads a whole number between low and high.
func parseUint(s string, low, high uint64) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strings.HasPrefix(s, "+") {
		return 0, fmt.Errorf("%s is not a whole number", quoted(s))
	}
	if n < low || n > high {
		return 0, fmt.Errorf("%d is not between %d and %d", n, low, high)
	}
	return n, nil
}

func parseSigned(s string, low, high int64) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || strings.HasPrefix(s, "+") {
		return 0, fmt.Errorf("%s is not a whole number", quoted(s))
	}
	if n < low || n > high {
		return 0, fmt.Errorf("%d is not between %d and %d", n, low, high)
	}
	return int32(n), nil
}
