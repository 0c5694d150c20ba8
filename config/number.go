package config

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"msup/units"
)

// decimal is a number people write. Its length is limited so that big.Rat stays small.
var decimal = regexp.MustCompile(`^[0-9]{1,24}(\.[0-9]{1,24})?$`)

// rational reads a decimal number exactly.
func rational(s string) (*big.Rat, bool) {
	if !decimal.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// isInfinity recognises systemd's word for "no limit".
func isInfinity(s string) bool { return strings.EqualFold(s, "infinity") }

// maxSize bounds sizes well below [units.Infinity] (bytes: 1 EiB).
const maxSize = 1 << 60

var sizeUnits = map[string]int64{
	"": 1, "b": 1,
	"k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10,
	"m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20,
	"g": 1 << 30, "gb": 1 << 30, "gib": 1 << 30,
	"t": 1 << 40, "tb": 1 << 40, "tib": 1 << 40,
}

// parseSize reads a size in bytes. A percentage is one of total (bytes of physical
// memory), which is asked only then; it becomes absolute here because the text form of
// a transient unit keeps only rounded percentages over a daemon-reload.
func parseSize(s string, total func() (uint64, error)) (uint64, error) {
	if isInfinity(s) {
		return units.Infinity, nil
	}
	if number, ok := strings.CutSuffix(s, "%"); ok {
		percent, ok := rational(strings.TrimRight(number, blank))
		if !ok || percent.Cmp(big.NewRat(100, 1)) > 0 {
			return 0, fmt.Errorf("%s is not a percentage of the physical memory", quote(s))
		}
		all, err := total()
		if err != nil {
			return 0, hinted("give the size in bytes", "cannot learn the size of the physical memory: %v", err)
		}
		percent.Mul(percent, new(big.Rat).SetFrac(new(big.Int).SetUint64(all), big.NewInt(100)))
		return floor(percent), nil
	}
	size, ok := bytesOf(s)
	switch {
	case !ok:
		return 0, fmt.Errorf("%s is not a size", quote(s))
	case size > maxSize:
		return 0, hinted("write infinity for no limit", "%s is larger than any memory", quote(s))
	}
	return size, nil
}

// parseLogSize reads the size of a file in bytes.
func parseLogSize(s string) (uint64, error) {
	size, ok := bytesOf(s)
	switch {
	case isInfinity(s):
		return 0, hinted("write 0 for no limit", "%s is not the size of a file", quote(s))
	case !ok:
		return 0, fmt.Errorf("%s is not the size of a file", quote(s))
	case size > maxSize:
		return 0, hinted("write 0 for no limit", "%s is larger than any disk", quote(s))
	}
	return size, nil
}

// bytesOf reads a number with a unit; what is larger than maxSize is cut to one more.
func bytesOf(s string) (size uint64, ok bool) {
	end := strings.LastIndexAny(s, "0123456789.") + 1
	factor, known := sizeUnits[strings.ToLower(strings.Trim(s[end:], blank))]
	number, ok := rational(s[:end])
	if !known || !ok {
		return 0, false
	}
	number.Mul(number, new(big.Rat).SetInt64(factor))
	if number.Cmp(new(big.Rat).SetInt64(maxSize)) > 0 {
		return maxSize + 1, true
	}
	return floor(number), true
}

func floor(r *big.Rat) uint64 { return new(big.Int).Quo(r.Num(), r.Denom()).Uint64() }

// maxCPUs bounds cpu_limit; systemd and the kernel take more, no machine has it.
const maxCPUs = 10000

// parseCPU reads CPUs ("0.5") or a percentage of one CPU ("50%") as percent of one CPU.
// rounded says that the value was not a whole percent: systemd before 256 keeps only
// whole percents over a daemon-reload, so msup never asks for others.
func parseCPU(s string) (percent uint64, rounded bool, err error) {
	if isInfinity(s) {
		return units.Infinity, false, nil
	}
	number, isPercent := strings.CutSuffix(s, "%")
	value, ok := rational(strings.TrimRight(number, blank))
	if !ok {
		return 0, false, fmt.Errorf("%s is not a number of CPUs", quote(s))
	}
	if !isPercent {
		value.Mul(value, big.NewRat(100, 1))
	}
	if value.Cmp(big.NewRat(1, 1)) < 0 {
		return 0, false, hinted("leave the key out for no limit", "%s is less than 1%% of one CPU", quote(s))
	}
	if value.Cmp(big.NewRat(maxCPUs*100, 1)) > 0 {
		return 0, false, hinted("write infinity for no limit", "%s is more CPUs than any machine has", quote(s))
	}
	rounded = !value.IsInt()
	return floor(value.Add(value, big.NewRat(1, 2))), rounded, nil
}

// maxDuration bounds durations: a delay of more than a year is a mistake.
const maxDuration = 365 * 24 * time.Hour

var durationUnits = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "sec": time.Second,
	"m": time.Minute, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour,
}

var durationPart = regexp.MustCompile(`^([0-9.]+)[ \t]*([a-z]+)[ \t]*`)

// ParseDuration reads seconds ("1.5") or parts with units ("1h30m").
func ParseDuration(s string) (time.Duration, error) { return parseDuration(s, maxDuration, "a year") }

// parseDuration is [ParseDuration] with another bound, which words names.
func parseDuration(s string, most time.Duration, words string) (time.Duration, error) {
	bad := fmt.Errorf("%s is not a duration", quote(s))
	sum := new(big.Rat)
	if seconds, ok := rational(s); ok {
		sum.Mul(seconds, big.NewRat(int64(time.Second), 1))
	} else {
		for rest := s; ; {
			part := durationPart.FindStringSubmatch(rest)
			if part == nil {
				if rest != "" || s == "" {
					return 0, bad
				}
				break
			}
			rest = rest[len(part[0]):]
			number, ok := rational(part[1])
			unit, known := durationUnits[part[2]]
			if !ok || !known {
				return 0, bad
			}
			sum.Add(sum, number.Mul(number, big.NewRat(int64(unit), 1)))
		}
	}
	if sum.Cmp(big.NewRat(int64(most), 1)) > 0 {
		return 0, fmt.Errorf("%s is more than %s", quote(s), words)
	}
	return time.Duration(floor(sum)), nil
}

// parseInt reads a whole number between low and high.
func parseInt(s string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strings.HasPrefix(s, "+") {
		return 0, fmt.Errorf("%s is not a whole number", quote(s))
	}
	if n < low || n > high {
		return 0, fmt.Errorf("%d is out of range", n)
	}
	return n, nil
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", quote(s))
}

// parseUmask reads octal permission bits.
func parseUmask(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("%s is not an octal file mode mask", quote(s))
	}
	return uint32(n), nil
}

// maxSignal is the last real-time signal of Linux, signal(7).
const maxSignal = 64

// ParseSignal reads a signal's name, with or without SIG, or its number.
func ParseSignal(s string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= maxSignal {
		return syscall.Signal(n), nil
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("%s is not a signal", quote(s))
}
