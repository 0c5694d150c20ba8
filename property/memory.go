package property

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// amount is the codec of limits that are a number or, as a property of its own whose name
// ends in Scale, a percentage of what there is.
type amount struct {
	words string
	read  func(string) (uint64, error)
	write func(uint64) string
	scale bool
}

func (c amount) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	s := lines[len(lines)-1]
	switch {
	case s == infinity:
		return []Property{{e.Name, Infinity}}, nil
	case strings.HasSuffix(s, "%") && c.scale:
		v, err := parseScale(s)
		return []Property{{e.Name + "Scale", v}}, err
	}
	v, err := c.read(s)
	return []Property{{e.Name, v}}, err
}

func (c amount) format(e *Entry, props []Property) ([]string, error) {
	p := props[len(props)-1]
	if p.Name != e.Name {
		v, err := value[uint32](p)
		return []string{formatScale(v)}, err
	}
	v, err := value[uint64](p)
	if v == Infinity {
		return []string{infinity}, err
	}
	return []string{c.write(v)}, err
}

func (c amount) sends(e *Entry) []Typed {
	sends := []Typed{{e.Name, "t"}}
	if c.scale {
		sends = append(sends, Typed{e.Name + "Scale", "u"})
	}
	return sends
}

func (c amount) allowed() string {
	if c.scale {
		return c.words + ", a percentage, or infinity"
	}
	return c.words + ", or infinity"
}

var memory = amount{
	words: "a number of bytes, a number with K, M, G or T (1024-based)", scale: true,
	read:  func(s string) (uint64, error) { return parseScaled(s, 1024) },
	write: func(n uint64) string { return formatScaled(n, 1024) },
}

// zswap is memory without percentages.
var zswap = func() amount { c := memory; c.scale = false; return c }()

var tasks = amount{
	words: "a whole number from 1", scale: true,
	read:  func(s string) (uint64, error) { return parseUint(s, 1, 1<<31-1) },
	write: func(n uint64) string { return strconv.FormatUint(n, 10) },
}

// cpuQuota is CPU time per second of time, in microseconds for D-Bus: 100 % are 1 s.
var cpuQuota = scalar[uint64]{
	typ: "t", words: "a percentage of one CPU",
	read: func(s string) (uint64, error) {
		h, err := parsePercent(s)
		if err == nil && h == 0 {
			err = fmt.Errorf("%s is nothing", quoted(s))
		}
		return h * 100, err
	},
	write: func(us uint64) string {
		if us == Infinity {
			return ""
		}
		return formatPercent(us / 100)
	},
}

// pressureLimit is a percentage as a scale.
var pressureLimit = scalar[uint32]{typ: "u", words: "a percentage", read: parseScale, write: formatScale}

// rlimit is the codec of LimitCPU= and the like: one value for the soft and the hard limit
// or SOFT:HARD. The property with the setting's name sets both, one that ends in Soft the
// soft one.
type rlimit struct {
	words string
	read  func(string) (uint64, error)
}

func (c rlimit) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	soft, hard, both := strings.Cut(lines[len(lines)-1], ":")
	if !both {
		hard = soft
	}
	h, err := c.one(hard)
	if err != nil {
		return nil, err
	}
	s, err := c.one(soft)
	switch {
	case err != nil:
		return nil, err
	case s == h:
		return []Property{{e.Name, h}}, nil
	case s > h:
		return nil, fmt.Errorf("the soft limit %s is above the hard one", quoted(soft))
	}
	return []Property{{e.Name, h}, {e.Name + "Soft", s}}, nil
}

func (c rlimit) one(s string) (uint64, error) {
	if s == infinity {
		return Infinity, nil
	}
	return c.read(s)
}

func (c rlimit) format(e *Entry, props []Property) ([]string, error) {
	text := func(p Property) (string, error) {
		v, err := value[uint64](p)
		if v == Infinity {
			return infinity, err
		}
		return strconv.FormatUint(v, 10), err
	}
	hard, soft := "", ""
	for _, p := range props {
		s, err := text(p)
		if err != nil {
			return nil, err
		}
		if p.Name == e.Name {
			hard, soft = s, ""
		} else {
			soft = s
		}
	}
	switch {
	case hard == "":
		return nil, fmt.Errorf("%s is set without %s", e.Name+"Soft", e.Name)
	case soft == "":
		return []string{hard}, nil
	}
	return []string{soft + ":" + hard}, nil
}

func (c rlimit) sends(e *Entry) []Typed { return []Typed{{e.Name, "t"}, {e.Name + "Soft", "t"}} }
func (c rlimit) allowed() string {
	return c.words + " or infinity; SOFT:HARD for two limits"
}

var (
	bytesLimit = rlimit{"a number of bytes, a number with K, M, G or T", func(s string) (uint64, error) { return parseScaled(s, 1024) }}
	countLimit = rlimit{"a whole number", func(s string) (uint64, error) { return parseUint(s, 0, Infinity-1) }}
	// RLIMIT_CPU is in seconds, and part of one is one.
	secondsLimit = rlimit{"a time span (seconds)", func(s string) (uint64, error) {
		us, err := parseSpan(s, microseconds)
		if us == Infinity {
			return us, err
		}
		return us/microseconds + min(1, us%microseconds), err
	}}
	// RLIMIT_RTTIME is in microseconds, also without a unit.
	usecLimit = rlimit{"a time span (microseconds)", func(s string) (uint64, error) {
		if n, ok := new(big.Int).SetString(s, 10); ok && n.IsUint64() && n.Uint64() != Infinity {
			return n.Uint64(), nil
		}
		return parseSpan(s, microseconds)
	}}
	// RLIMIT_NICE is 20 minus the lowest nice level, which +n and -n stand for.
	niceLimit = rlimit{"a nice level with its sign (-5, +5), a whole number from 1 to 40", func(s string) (uint64, error) {
		if s != "" && (s[0] == '+' || s[0] == '-') {
			n, err := strconv.Atoi(s)
			if err != nil || n < -20 || n > 19 {
				return 0, fmt.Errorf("%s is not a nice level", quoted(s))
			}
			return uint64(20 - n), nil
		}
		return parseUint(s, 0, 40)
	}}
)
