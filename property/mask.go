package property

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// bit is a name for bits of a mask.
type bit struct {
	name string
	mask uint64
}

// mask is the codec of settings that are sets of words, a bit mask for D-Bus. A ~ before
// the words means all others. Further lines add to the set or, with ~, take from it.
type mask struct {
	words string
	bits  []bit
	all   uint64
	// boolean words of RestrictNamespaces=: yes is none of them, no is all.
	boolean bool
}

func (c mask) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	set, begun := uint64(0), false
	for _, line := range lines {
		if b, err := parseBool(line); err == nil && c.boolean {
			set, begun = c.all, true
			if b {
				set = 0
			}
			continue
		}
		rest, invert := strings.CutPrefix(line, "~")
		sum := uint64(0)
		words, err := splitWords(rest)
		if err != nil {
			return nil, err
		}
		for _, w := range words {
			i := slices.IndexFunc(c.bits, func(b bit) bool { return strings.EqualFold(b.name, w) })
			if i < 0 {
				return nil, fmt.Errorf("%s is not one of %s", quoted(w), c.words)
			}
			sum |= c.bits[i].mask
		}
		switch {
		case invert && (!begun || sum == 0):
			set = c.all &^ sum
		case invert:
			set &^= sum
		case sum == 0:
			set = 0
		default:
			set |= sum
		}
		begun = true
	}
	return []Property{{e.property(), set}}, nil
}

func (c mask) format(_ *Entry, props []Property) ([]string, error) {
	set, err := value[uint64](props[len(props)-1])
	if err != nil {
		return nil, err
	}
	names := func(set uint64) string {
		var names []string
		for _, b := range c.bits {
			if set&b.mask != 0 {
				names = append(names, b.name)
			}
		}
		return strings.Join(names, " ")
	}
	switch {
	case c.boolean && set == 0:
		return []string{"yes"}, nil
	case c.boolean && set == c.all:
		return []string{"no"}, nil
	case set>>63 == 1: // of bits that no name is for only a ~ has any
		return []string{"~" + names(c.all&^set)}, nil
	}
	return []string{names(set)}, nil
}

func (c mask) sends(e *Entry) []Typed { return []Typed{{e.property(), "t"}} }
func (c mask) allowed() string {
	s := c.words + ", separated by spaces; a ~ before them means all others"
	if c.boolean {
		s = "yes, no, or " + s
	}
	return s
}

// capabilityNames in the order of their numbers (capabilities(7), linux/capability.h).
var capabilityNames = strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL
	CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
	CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN
	CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE
	CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ
	CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

var capabilities = func() mask {
	m := mask{words: "capabilities (CAP_NET_BIND_SERVICE)", all: Infinity}
	for i, n := range capabilityNames {
		m.bits = append(m.bits, bit{n, 1 << i})
	}
	return m
}()

// namespaces are those that RestrictNamespaces= leaves to the program.
var namespaces = mask{
	words: "cgroup, ipc, net, mnt, pid, user and uts", boolean: true,
	bits: []bit{
		{"cgroup", unix.CLONE_NEWCGROUP},
		{"ipc", unix.CLONE_NEWIPC},
		{"net", unix.CLONE_NEWNET},
		{"mnt", unix.CLONE_NEWNS},
		{"pid", unix.CLONE_NEWPID},
		{"user", unix.CLONE_NEWUSER},
		{"uts", unix.CLONE_NEWUTS},
	},
	all: unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS,
}

// mountFlags are how mounts reach the program and what it mounts reaches others.
var mountFlags = func() scalar[uint64] {
	words := map[string]uint64{"shared": unix.MS_SHARED, "slave": unix.MS_SLAVE, "private": unix.MS_PRIVATE}
	return scalar[uint64]{
		typ: "t", words: "shared, slave or private",
		read: func(s string) (uint64, error) {
			if v, ok := words[s]; ok {
				return v, nil
			}
			return 0, fmt.Errorf("%s is not shared, slave or private", quoted(s))
		},
		write: func(v uint64) string {
			for w, f := range words {
				if f == v {
					return w
				}
			}
			return ""
		},
	}
}()

// bitWords is a scalar of words that are bits of a number, separated by spaces.
func bitWords[N int32 | uint64](typ, words string, bits []bit) scalar[N] {
	return scalar[N]{
		typ: typ, words: words + ", separated by spaces",
		read: func(s string) (N, error) {
			var sum uint64
			for w := range strings.FieldsSeq(s) {
				if i := slices.IndexFunc(bits, func(b bit) bool { return b.name == w }); i >= 0 {
					sum |= bits[i].mask
				} else if n, err := strconv.ParseUint(strings.TrimPrefix(w, "0x"), 16, 31); err == nil && typ == "t" {
					sum |= n
				} else {
					return 0, fmt.Errorf("%s is not one of %s", quoted(w), words)
				}
			}
			return N(sum), nil
		},
		write: func(v N) string {
			var names []string
			rest := uint64(v)
			for _, b := range bits {
				if bit := b.mask; bit&(bit-1) == 0 && uint64(v)&bit != 0 {
					names, rest = append(names, b.name), rest&^bit
				}
			}
			if rest != 0 || len(names) == 0 && typ == "t" {
				return "0x" + strconv.FormatUint(uint64(v), 16)
			}
			return strings.Join(names, " ")
		},
	}
}

var secureBits = bitWords[int32]("i", "keep-caps, keep-caps-locked, no-setuid-fixup, no-setuid-fixup-locked, noroot and noroot-locked", []bit{
	{"noroot", 1 << 0},
	{"noroot-locked", 1 << 1},
	{"no-setuid-fixup", 1 << 2},
	{"no-setuid-fixup-locked", 1 << 3},
	{"keep-caps", 1 << 4},
	{"keep-caps-locked", 1 << 5},
})

// coredumpFilter is core(5), /proc/PID/coredump_filter.
var coredumpFilter = bitWords[uint64]("t", "private-anonymous, shared-anonymous, private-file-backed, shared-file-backed, elf-headers, private-huge, shared-huge, private-dax, shared-dax, default, all and hexadecimal masks", []bit{
	{"private-anonymous", 1 << 0},
	{"shared-anonymous", 1 << 1},
	{"private-file-backed", 1 << 2},
	{"shared-file-backed", 1 << 3},
	{"elf-headers", 1 << 4},
	{"private-huge", 1 << 5},
	{"shared-huge", 1 << 6},
	{"private-dax", 1 << 7},
	{"shared-dax", 1 << 8},
	{"default", 0x33},
	{"all", 0x1ff},
})
