package property

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

var environmentFiles = list[EnvironmentFile]{
	typ: "a(sb)", words: "an absolute path; a - before it lets it be missing", oneEach: true, split: wholeLine,
	read: func(s string) (EnvironmentFile, error) {
		rest, optional := strings.CutPrefix(s, "-")
		p, err := absolutePath(rest)
		return EnvironmentFile{p, optional}, err
	},
	write: func(f EnvironmentFile) string {
		if f.Optional {
			return "-" + f.Path
		}
		return f.Path
	},
}

// directory is WorkingDirectory=: a path, ~ for the user's home; a - lets it be missing.
var directory = scalar[string]{typ: "s", words: "an absolute path or ~; a - before it lets it be missing", write: escapeSpecifiers, read: func(s string) (string, error) {
	rest, optional := strings.CutPrefix(s, "-")
	if rest != "~" {
		var err error
		if rest, err = absolutePath(rest); err != nil {
			return "", err
		}
	}
	if optional {
		rest = "-" + rest
	}
	return rest, nil
}}

var credentialID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,255}$`)

var loadCredential = pairs("ID:PATH, an absolute path or the name of a credential of systemd's own", true, ":", func(id, p string, both bool) (Pair, error) {
	if !credentialID.MatchString(id) {
		return Pair{}, fmt.Errorf("%s is not the name of a credential", quoted(id))
	}
	if !both {
		p = id
	}
	if path.IsAbs(p) {
		p, err := absolutePath(p)
		return Pair{id, p}, err
	}
	if !credentialID.MatchString(p) {
		return Pair{}, fmt.Errorf("%s is neither an absolute path nor the name of a credential", quoted(p))
	}
	return Pair{id, p}, nil
})

// credential is SetCredential=, ID and data, which decode and encode make of text.
func credential(words string, decode func(string) ([]byte, error), encode func([]byte) string) list[Credential] {
	return list[Credential]{
		typ: "a(say)", words: words, oneEach: true, split: wholeLine,
		read: func(s string) (Credential, error) {
			id, text, ok := strings.Cut(s, ":")
			if !ok || !credentialID.MatchString(id) {
				return Credential{}, fmt.Errorf("%s is not ID:DATA", quoted(s))
			}
			data, err := decode(text)
			return Credential{id, data}, err
		},
		write: func(c Credential) string { return c.ID + ":" + encode(c.Data) },
	}
}

var (
	setCredential  = credential("ID:TEXT, with C's escapes", unescapeAll, escapeAll)
	setEncrypted   = credential("ID:DATA in Base64, as systemd-creds encrypt makes it", decode64, base64.StdEncoding.EncodeToString)
	standardInData = scalar[[]byte]{typ: "ay", words: "data in Base64", read: decode64, write: base64.StdEncoding.EncodeToString}
	// StandardInputText= is a line, and comes out as the property of StandardInputData=.
	standardInText = scalar[[]byte]{typ: "ay", words: "text, with C's escapes; a line feed is added", write: base64.StdEncoding.EncodeToString, read: func(s string) ([]byte, error) {
		data, err := unescapeAll(s)
		return append(data, '\n'), err
	}}
)

func decode64(s string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, fmt.Errorf("%s is not Base64", quoted(s))
	}
	return data, nil
}

func unescapeAll(s string) ([]byte, error) {
	out := []byte{}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		text, n, err := unescape(s[i:])
		if err != nil {
			return nil, err
		}
		out = append(out, text...)
		i += n - 1
	}
	return out, nil
}

func escapeAll(data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == utf8.RuneError && n == 1, checkText(string(r)) != nil, r == '\t', r == ' ':
			for _, c := range data[:n] {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteRune(r)
		}
		data = data[n:]
	}
	return b.String()
}

var extraFields = list[[]byte]{
	typ: "aay", words: "FIELD=value, several separated by spaces, quotes around those that hold spaces",
	read: func(s string) ([]byte, error) {
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}=`).MatchString(s) {
			return nil, fmt.Errorf("%s is not FIELD=value with a field of capitals", quoted(s))
		}
		return []byte(s), nil
	},
	write: func(b []byte) string { return string(b) },
}

var filterPatterns = list[Mark]{
	typ: "a(bs)", words: "a regular expression for lines to keep, or, behind a ~, to leave out", oneEach: true, split: wholeLine,
	read: func(s string) (Mark, error) {
		rest, deny := strings.CutPrefix(s, "~")
		if rest == "" {
			return Mark{}, errors.New("there is no pattern behind the ~")
		}
		return Mark{!deny, rest}, nil
	},
	write: func(m Mark) string {
		if m.Set {
			return m.Text
		}
		return "~" + m.Text
	},
}

// label is AppArmorProfile= and SmackProcessLabel=: one struct, no list.
var label = scalar[Mark]{
	typ: "(bs)", words: "the name of a profile or label; a - before it lets it be missing",
	read: func(s string) (Mark, error) {
		rest, optional := strings.CutPrefix(s, "-")
		return Mark{optional, rest}, nil
	},
	write: func(m Mark) string {
		if m.Set {
			return "-" + escapeSpecifiers(m.Text)
		}
		return escapeSpecifiers(m.Text)
	},
}

var openFlags = []string{"read-only", "append", "truncate", "graceful"} // in the order of their bits

var openFiles = list[Named]{
	typ: "a(sst)", words: "PATH:NAME:OPTIONS, the options read-only, append, truncate and graceful", oneEach: true, split: wholeLine,
	read: func(s string) (Named, error) {
		parts := strings.SplitN(s, ":", 3)
		p, err := absolutePath(parts[0])
		if err != nil {
			return Named{}, err
		}
		f := Named{Path: p, Name: path.Base(p)}
		if len(parts) > 1 && parts[1] != "" {
			f.Name = parts[1]
		}
		if len(parts) > 2 && parts[2] != "" {
			for o := range strings.SplitSeq(parts[2], ",") {
				i := slices.Index(openFlags, o)
				if i < 0 {
					return f, fmt.Errorf("%s is not %s", quoted(o), either(openFlags))
				}
				f.Flags |= 1 << i
			}
		}
		return f, nil
	},
	write: func(f Named) string {
		var options []string
		for i, o := range openFlags {
			if f.Flags>>i&1 == 1 {
				options = append(options, o)
			}
		}
		return strings.TrimSuffix(f.Path+":"+f.Name+":"+strings.Join(options, ","), ":")
	},
}

// binds is the codec of BindPaths= and BindReadOnlyPaths=. The paths may be in quotes each.
type binds struct{}

func (binds) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	list := []Bind{}
	for _, line := range lines {
		words, err := splitFields(line)
		if err != nil {
			return nil, err
		}
		for _, fields := range words {
			b, err := parseBind(fields)
			if err != nil {
				return nil, err
			}
			list = append(list, b)
		}
	}
	return []Property{{e.Name, list}}, nil
}

func parseBind(fields []string) (b Bind, err error) {
	src, optional := strings.CutPrefix(fields[0], "-")
	dst, option := src, ""
	if len(fields) > 1 && fields[1] != "" {
		dst = fields[1]
	}
	if len(fields) > 2 {
		option = strings.Join(fields[2:], ":")
	}
	b = Bind{Optional: optional, Flags: unix.MS_REC}
	if b.Source, err = absolutePath(src); err != nil {
		return b, err
	}
	if b.Destination, err = absolutePath(dst); err != nil {
		return b, err
	}
	switch option {
	case "", "rbind":
	case "norbind":
		b.Flags = 0
	default:
		return b, fmt.Errorf("%s is not rbind or norbind", quoted(option))
	}
	return b, nil
}

func (binds) format(_ *Entry, props []Property) ([]string, error) {
	path := func(s string) string {
		if strings.Contains(s, ":") {
			return inQuotes(escapeSpecifiers(s))
		}
		return quoteWord(s)
	}
	var lines []string
	for _, p := range props {
		list, err := value[[]Bind](p)
		if err != nil {
			return nil, err
		}
		var words []string
		for _, b := range list {
			s := path(b.Source) + ":" + path(b.Destination)
			if b.Optional {
				s = "-" + s
			}
			if b.Flags == 0 {
				s += ":norbind"
			}
			words = append(words, s)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines, nil
}

func (binds) sends(e *Entry) []Typed { return []Typed{{e.Name, "a(ssbt)"}} }
func (binds) isList()                {}
func (binds) allowed() string {
	return "SOURCE:DESTINATION:OPTION, absolute paths and rbind or norbind, several separated by spaces; a - before one lets the source be missing"
}

var temporary = pairs("an absolute path, or PATH:OPTIONS with those of a tmpfs, several separated by spaces", false, ":", func(p, options string, _ bool) (Pair, error) {
	p, err := absolutePath(p)
	return Pair{p, options}, err
})

var deviceAllow = pairs("the path of a device (/dev/null), or its group (char-pts, block-*), and the access r, w and m", true, " ", func(device, access string, both bool) (Pair, error) {
	if !both {
		access = "rwm"
	}
	if !path.IsAbs(device) && !strings.HasPrefix(device, "char-") && !strings.HasPrefix(device, "block-") {
		return Pair{}, fmt.Errorf("%s is neither a path nor a group of devices", quoted(device))
	}
	if access == "" || strings.Trim(access, "rwm") != "" || len(access) > 3 {
		return Pair{}, fmt.Errorf("%s is not an access of r, w and m", quoted(access))
	}
	return Pair{device, access}, nil
})

var bpfPrograms = pairs("TYPE:PATH, the type of an attachment (egress) and the path of a pinned program", true, ":", func(kind, p string, _ bool) (Pair, error) {
	if kind == "" {
		return Pair{}, errors.New("there is no type of attachment")
	}
	p, err := absolutePath(p)
	return Pair{kind, p}, err
})

// deviceValues are settings of devices, PATH VALUE.
func deviceValues(words string, read func(string) (uint64, error), write func(uint64) string) list[DeviceValue] {
	return list[DeviceValue]{
		typ: "a(st)", words: "the path of a device or of a file on it, and " + words, oneEach: true, split: wholeLine,
		read: func(s string) (DeviceValue, error) {
			f := strings.Fields(s)
			if len(f) != 2 {
				return DeviceValue{}, fmt.Errorf("%s is not PATH VALUE", quoted(s))
			}
			p, err := absolutePath(f[0])
			if err != nil {
				return DeviceValue{}, err
			}
			if f[1] == infinity {
				return DeviceValue{p, Infinity}, nil
			}
			v, err := read(f[1])
			return DeviceValue{p, v}, err
		},
		write: func(v DeviceValue) string {
			if v.Value == Infinity {
				return v.Path + " " + infinity
			}
			return v.Path + " " + write(v.Value)
		},
	}
}

// aliases of networks (systemd.resource-control(5), IPAddressAllow=).
var aliases = map[string][]string{
	"any": {"0.0.0.0/0", "::/0"}, "localhost": {"127.0.0.0/8", "::1/128"},
	"link-local": {"169.254.0.0/16", "fe80::/64"}, "multicast": {"224.0.0.0/4", "ff00::/8"},
}

var networks = list[Network]{
	typ: "a(iayu)", words: "addresses and prefixes (10.0.0.0/8 ::1), any, localhost, link-local or multicast, separated by spaces",
	split: func(line string) ([]string, error) {
		var words []string
		for w := range strings.FieldsSeq(line) {
			if nets := aliases[w]; nets != nil {
				words = append(words, nets...)
			} else {
				words = append(words, w)
			}
		}
		return words, nil
	},
	read: func(s string) (Network, error) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, addrErr := netip.ParseAddr(s)
			if addrErr != nil || a.Zone() != "" {
				return Network{}, fmt.Errorf("%s is not an address or a prefix", quoted(s))
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		n := Network{Family: unix.AF_INET, Address: p.Masked().Addr().AsSlice(), Prefix: uint32(p.Bits())}
		if p.Addr().Is6() {
			n.Family = unix.AF_INET6
		}
		return n, nil
	},
	write: func(n Network) string {
		a, _ := netip.AddrFromSlice(n.Address)
		return netip.PrefixFrom(a, int(n.Prefix)).String()
	},
}

var bindFamilies = map[string]int32{"ipv4": unix.AF_INET, "ipv6": unix.AF_INET6}
var bindProtocols = map[string]int32{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP}

var socketBinds = list[SocketBind]{
	typ: "a(iiqq)", words: "FAMILY:PROTOCOL:PORTS (ipv4:tcp:8000-8010, tcp, 443) or any", oneEach: true, split: wholeLine,
	read: func(s string) (SocketBind, error) {
		var b SocketBind
		bad := fmt.Errorf("%s is not FAMILY:PROTOCOL:PORTS", quoted(s))
		if s == "any" {
			return b, nil
		}
		parts := strings.Split(s, ":")
		if f, ok := bindFamilies[parts[0]]; ok {
			b.Family, parts = f, parts[1:]
		}
		if len(parts) > 0 {
			if p, ok := bindProtocols[parts[0]]; ok {
				b.Protocol, parts = p, parts[1:]
			}
		}
		switch {
		case len(parts) == 0 || len(parts) == 1 && parts[0] == "any":
			return b, nil
		case len(parts) > 1:
			return b, bad
		}
		from, to, isRange := strings.Cut(parts[0], "-")
		if !isRange {
			to = from
		}
		low, err := strconv.ParseUint(from, 10, 16)
		high, err2 := strconv.ParseUint(to, 10, 16)
		if err != nil || err2 != nil || low == 0 || low > high {
			return b, bad
		}
		b.First, b.Ports = uint16(low), uint16(high-low+1)
		return b, nil
	},
	write: func(b SocketBind) string {
		var parts []string
		for _, words := range []struct {
			names map[string]int32
			value int32
		}{{bindFamilies, b.Family}, {bindProtocols, b.Protocol}} {
			for w, v := range words.names {
				if v == words.value {
					parts = append(parts, w)
				}
			}
		}
		switch {
		case b.Ports > 1:
			parts = append(parts, fmt.Sprintf("%d-%d", b.First, uint32(b.First)+uint32(b.Ports)-1))
		case b.Ports == 1:
			parts = append(parts, strconv.Itoa(int(b.First)))
		case len(parts) == 0:
			return "any"
		}
		return strings.Join(parts, ":")
	},
}

var (
	nftSources  = []string{"cgroup", "user", "group"}
	nftFamilies = map[string]int32{"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10} // NFPROTO_*
)

var nftSets = list[NFTSet]{
	typ: "a(iiss)", words: "SOURCE:FAMILY:TABLE:SET (cgroup:inet:filter:services), several separated by spaces",
	read: func(s string) (NFTSet, error) {
		parts := strings.Split(s, ":")
		if len(parts) != 4 || parts[2] == "" || parts[3] == "" {
			return NFTSet{}, fmt.Errorf("%s is not SOURCE:FAMILY:TABLE:SET", quoted(s))
		}
		source, family := slices.Index(nftSources, parts[0]), nftFamilies[parts[1]]
		if source < 0 || family == 0 {
			return NFTSet{}, fmt.Errorf("%s does not begin with %s and a family", quoted(s), either(nftSources))
		}
		return NFTSet{int32(source), family, parts[2], parts[3]}, nil
	},
	write: func(n NFTSet) string {
		for f, v := range nftFamilies {
			if v == n.Family && n.Source >= 0 && int(n.Source) < len(nftSources) {
				return strings.Join([]string{nftSources[n.Source], f, n.Table, n.Set}, ":")
			}
		}
		return ""
	},
}

// rootHash is RootHash= and RootHashSignature=: bytes, or as a property of its own the
// path of a file with them.
type rootHash struct {
	words  string
	prefix string // of the bytes in text
	decode func(string) ([]byte, error)
	encode func([]byte) string
}

func (c rootHash) parse(e *Entry, lines []string, _ int) ([]Property, error) {
	s := lines[len(lines)-1]
	if path.IsAbs(s) {
		p, err := absolutePath(s)
		return []Property{{e.Name + "Path", p}}, err
	}
	rest, ok := strings.CutPrefix(s, c.prefix)
	data, err := c.decode(rest)
	if err != nil || !ok || len(data) == 0 {
		return nil, fmt.Errorf("%s is neither an absolute path nor %s", quoted(s), c.words)
	}
	return []Property{{e.Name, data}}, nil
}

func (c rootHash) format(e *Entry, props []Property) ([]string, error) {
	p := props[len(props)-1]
	if p.Name != e.Name {
		s, err := value[string](p)
		return []string{escapeSpecifiers(s)}, err
	}
	data, err := value[[]byte](p)
	return []string{c.prefix + c.encode(data)}, err
}

func (c rootHash) sends(e *Entry) []Typed { return []Typed{{e.Name, "ay"}, {e.Name + "Path", "s"}} }
func (c rootHash) allowed() string        { return c.words + ", or the absolute path of a file" }

var (
	hexHash   = rootHash{"hexadecimal digits", "", hex.DecodeString, hex.EncodeToString}
	signature = rootHash{"base64: and data", "base64:", decode64, base64.StdEncoding.EncodeToString}
)
