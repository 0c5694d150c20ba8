package property

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
)

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

// partitions reads the mount options of an image, PARTITION:OPTIONS:PARTITION:OPTIONS …, or
// only the options, which are those of the root partition.
func partitions(s string) ([]Pair, error) {
	options := []Pair{}
	if s == "" {
		return options, nil
	}
	parts := strings.Split(s, ":")
	if len(parts) == 1 {
		return append(options, Pair{"root", s}), nil
	}
	if len(parts)%2 != 0 {
		return nil, fmt.Errorf("%s is not PARTITION:OPTIONS", quoted(s))
	}
	for i := 0; i < len(parts); i += 2 {
		options = append(options, Pair{parts[i], parts[i+1]})
	}
	return options, nil
}

func formatPartitions(options []Pair) string {
	var b strings.Builder
	for _, o := range options {
		b.WriteString(":" + o.First + ":" + o.Second)
	}
	return b.String()
}

var mountImages = list[Image]{
	typ: "a(ssba(ss))", words: "SOURCE:DESTINATION, absolute paths, then :PARTITION:OPTIONS, several separated by spaces; a - before one lets it be missing",
	read: func(s string) (img Image, err error) {
		rest, optional := strings.CutPrefix(s, "-")
		img.Optional = optional
		src, rest, _ := strings.Cut(rest, ":")
		dst, rest, _ := strings.Cut(rest, ":")
		if img.Source, err = absolutePath(src); err != nil {
			return img, err
		}
		if img.Destination, err = absolutePath(dst); err != nil {
			return img, err
		}
		img.Options, err = partitions(rest)
		return img, err
	},
	write: func(i Image) string {
		s := i.Source + ":" + i.Destination + formatPartitions(i.Options)
		if i.Optional {
			return "-" + s
		}
		return s
	},
}

var extensionImages = list[Extension]{
	typ: "a(sba(ss))", words: "absolute paths, then :PARTITION:OPTIONS, several separated by spaces; a - before one lets it be missing",
	read: func(s string) (x Extension, err error) {
		rest, optional := strings.CutPrefix(s, "-")
		x.Optional = optional
		src, rest, _ := strings.Cut(rest, ":")
		if x.Source, err = absolutePath(src); err != nil {
			return x, err
		}
		x.Options, err = partitions(rest)
		return x, err
	},
	write: func(x Extension) string {
		s := x.Source + formatPartitions(x.Options)
		if x.Optional {
			return "-" + s
		}
		return s
	},
}

var rootImageOptions = pairs("PARTITION:OPTIONS, or the options of the root partition, several separated by spaces", false, ":", func(partition, options string, both bool) (Pair, error) {
	if !both {
		return Pair{"root", partition}, nil
	}
	return Pair{partition, options}, nil
})
