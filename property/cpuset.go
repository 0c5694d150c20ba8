package property

import (
	"fmt"
	"strconv"
	"strings"
)

// cpuSet is a set of numbers, a bit mask of little-endian bytes for D-Bus.
type cpuSet struct {
	words string
	numa  bool // CPUAffinity= has the word numa
}

// maxCPU bounds the numbers; the kernel has fewer (CONFIG_NR_CPUS).
const maxCPU = 8191

func (c cpuSet) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	if c.numa && lines[len(lines)-1] == "numa" {
		return []Property{{e.Name + "FromNUMA", true}}, nil
	}
	set := []byte{}
	for _, line := range lines {
		for w := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
			from, to, isRange := strings.Cut(w, "-")
			if !isRange {
				to = from
			}
			low, err := strconv.ParseUint(from, 10, 16)
			high, err2 := strconv.ParseUint(to, 10, 16)
			if err != nil || err2 != nil || low > high || high > maxCPU {
				return nil, fmt.Errorf("%s is neither a number nor a range", quoted(w))
			}
			for n := low; n <= high; n++ {
				for uint64(len(set)) <= n/8 {
					set = append(set, 0)
				}
				set[n/8] |= 1 << (n % 8)
			}
		}
	}
	return []Property{{e.Name, set}}, nil
}

func (c cpuSet) format(e *Entry, props []Property) ([]string, error) {
	p := props[len(props)-1]
	if p.Name != e.Name {
		if on, err := value[bool](p); err != nil || !on {
			return nil, err
		}
		return []string{"numa"}, nil
	}
	set, err := value[[]byte](p)
	if err != nil {
		return nil, err
	}
	has := func(n int) bool { return n/8 < len(set) && set[n/8]>>(n%8)&1 == 1 }
	var words []string
	for n := 0; n < 8*len(set); n++ {
		if !has(n) {
			continue
		}
		end := n
		for has(end + 1) {
			end++
		}
		if w := strconv.Itoa(n); end == n {
			words = append(words, w)
		} else {
			words = append(words, w+"-"+strconv.Itoa(end))
		}
		n = end
	}
	return []string{strings.Join(words, " ")}, nil
}

func (c cpuSet) sends(e *Entry) []Typed {
	sends := []Typed{{e.Name, "ay"}}
	if c.numa {
		sends = append(sends, Typed{e.Name + "FromNUMA", "b"})
	}
	return sends
}

func (c cpuSet) allowed() string {
	if c.numa {
		return c.words + ", or numa"
	}
	return c.words
}
