package config

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"msup/units"
)

func ram() (uint64, error) { return 8 << 30, nil }

func TestParseSize(t *testing.T) {
	for value, want := range map[string]uint64{
		"500KB": 500 << 10, "30MB": 30 << 20, "1GB": 1 << 30, "30M": 30 << 20, "30MiB": 30 << 20, "30m": 30 << 20,
		"1048576": 1 << 20, "50%": 4 << 30, "12.5 %": 1 << 30, "infinity": units.Infinity, "1.5G": 3 << 29, "0.5K": 512, "0": 0, "7B": 7,
		"1 GB": 1 << 30, "2T": 2 << 40, "100%": 8 << 30,
	} {
		if got, err := parseSize(value, ram); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", value, got, err, want)
		}
	}
	for _, value := range []string{
		"", "x", "10x", "-1", "+1", "1e9", ".5", "5.", "1.2.3", "0x10", "1KBB", "KB", "%", "101%", "NaN", "inf",
		"1152921504606846977", "2000000T", strings.Repeat("9", 40), "1,5G", "1_000",
	} {
		if got, err := parseSize(value, ram); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", value, got)
		}
	}
	if _, err := parseSize("50%", func() (uint64, error) { return 0, fmt.Errorf("no memory") }); err == nil {
		t.Error("a percentage of unknown memory is no error")
	}
}

func TestParseCPU(t *testing.T) {
	for value, want := range map[string]struct {
		percent uint64
		rounded bool
	}{
		"0.5": {50, false}, "1.5": {150, false}, "50%": {50, false}, "150%": {150, false}, "1": {100, false}, "0.01": {1, false}, "1%": {1, false},
		"infinity": {units.Infinity, false}, "0.125": {13, true}, "12.4%": {12, true}, "0.333": {33, true}, "10000": {1000000, false},
	} {
		if got, rounded, err := parseCPU(value); err != nil || got != want.percent || rounded != want.rounded {
			t.Errorf("parseCPU(%q) = %d, %t, %v; want %v", value, got, rounded, err, want)
		}
	}
	for _, value := range []string{"", "0", "0%", "0.9%", "0.005", "-1", "x", "50 percent", "10001", "1e1", "%"} {
		if got, _, err := parseCPU(value); err == nil {
			t.Errorf("parseCPU(%q) = %d, want an error", value, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"2": 2 * time.Second, "1.5": 1500 * time.Millisecond, "500ms": 500 * time.Millisecond, "2m": 2 * time.Minute, "1h30m": 90 * time.Minute,
		"1h 30m": 90 * time.Minute, "0": 0, "0s": 0, "10s": 10 * time.Second, "1.5h": 90 * time.Minute, "1d": 24 * time.Hour, "5 min": 5 * time.Minute, "250us": 250 * time.Microsecond,
	} {
		if got, err := ParseDuration(value); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", value, got, err, want)
		}
	}
	for _, value := range []string{"", "-1", "-1s", "soon", "1x", "s", "1h30", "1.s", "366d", "infinity", "1e3", strings.Repeat("9", 30)} {
		if got, err := ParseDuration(value); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", value, got)
		}
	}
}

func TestParseWords(t *testing.T) {
	for value, want := range map[string]int{"TERM": 15, "SIGTERM": 15, "int": 2, "9": 9, "sighup": 1, "34": 34} {
		if got, err := ParseSignal(value); err != nil || int(got) != want {
			t.Errorf("ParseSignal(%q) = %d, %v; want %d", value, got, err, want)
		}
	}
	for _, value := range []string{"", "0", "65", "-9", "SIG", "NOPE", "SIGSIGTERM"} {
		if got, err := ParseSignal(value); err == nil {
			t.Errorf("ParseSignal(%q) = %v, want an error", value, got)
		}
	}
	for value, want := range map[string]uint32{"022": 0o22, "0": 0, "777": 0o777, "0077": 0o77} {
		if got, err := parseUmask(value); err != nil || got != want {
			t.Errorf("parseUmask(%q) = %o, %v; want %o", value, got, err, want)
		}
	}
	for _, value := range []string{"", "8", "1000", "-1", "0x1", "u=rwx"} {
		if got, err := parseUmask(value); err == nil {
			t.Errorf("parseUmask(%q) = %o, want an error", value, got)
		}
	}
}

// decimals draws a number with up to three places, exact as thousandths.
func decimals(t *rapid.T, high int64) (text string, thousandths int64) {
	n := rapid.Int64Range(0, high*1000).Draw(t, "thousandths")
	text = fmt.Sprintf("%d.%03d", n/1000, n%1000)
	if rapid.Bool().Draw(t, "short") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text, n
}

func TestSizeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := decimals(t, 1000)
		unit := rapid.SampledFrom([]string{"", "B", "K", "KB", "KiB", "M", "mb", "G", "GiB", "T"}).Draw(t, "unit")
		want := new(big.Int).Mul(big.NewInt(n), big.NewInt(sizeUnits[strings.ToLower(unit)]))
		want.Quo(want, big.NewInt(1000))
		got, err := parseSize(text+unit, ram)
		if err != nil || got != want.Uint64() {
			t.Fatalf("parseSize(%q) = %d, %v; want %v", text+unit, got, err, want)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		text, n := decimals(t, 100)
		got, err := parseSize(text+"%", ram)
		if want := uint64(n) * (8 << 30) / 100000; err != nil || got != want {
			t.Fatalf("parseSize(%q) = %d, %v; want %d", text+"%", got, err, want)
		}
	})
}

func TestCPUProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := decimals(t, 500) // CPUs
		got, rounded, err := parseCPU(text)
		if n < 10 {
			if err == nil {
				t.Fatalf("parseCPU(%q) = %d, want an error", text, got)
			}
			return
		}
		if err != nil || got < 1 || rounded != (n%10 != 0) || 10*int64(got)-n > 5 || n-10*int64(got) >= 5 {
			t.Fatalf("parseCPU(%q) = %d, %t, %v", text, got, rounded, err)
		}
		percent := fmt.Sprintf("%d.%d%%", n/10, n%10)
		if same, _, err := parseCPU(percent); err != nil || same != got {
			t.Fatalf("parseCPU(%q) = %d, %v; %q gives %d", percent, same, err, text, got)
		}
	})
}

func TestDurationProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// What Go prints for a duration reads back as the same.
		want := time.Duration(rapid.Int64Range(0, int64(maxDuration/time.Microsecond)).Draw(t, "us")) * time.Microsecond
		text := strings.ReplaceAll(want.String(), "µs", "us")
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Fatalf("ParseDuration(%q) = %v, %v", text, got, err)
		}
	})
}
