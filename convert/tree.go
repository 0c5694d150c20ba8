package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"
	"go.yaml.in/yaml/v4"
)

// nodeKind is what a node of a YAML or JSON file is.
type nodeKind int

const (
	nullNode nodeKind = iota
	textNode
	boolNode
	numberNode
	listNode
	mapNode
)

// node is a value of a YAML or JSON file that knows where it stands.
type node struct {
	kind  nodeKind
	text  string   // of a scalar, as it is written
	head  []string // comments above the whole file
	items []*node
	keys  []nodeKey
	place Place
}

// nodeKey is a key of a mapping and its value.
type nodeKey struct {
	name     string
	place    Place
	value    *node
	comments []string // above it, without #
	note     string   // behind it
}

// Bounds of a tree, far above any configuration that somebody has written.
const (
	maxNodes = 200_000 // aliases count as what they stand for
	maxDepth = 100
)

// get is the value of a key, nil if the node has none.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.keys {
		if n.keys[i].name == name {
			return n.keys[i].value
		}
	}
	return nil
}

// put sets a key.
func (n *node) put(k nodeKey) {
	if i := slices.IndexFunc(n.keys, func(o nodeKey) bool { return o.name == k.name }); i >= 0 {
		n.keys[i] = k
		return
	}
	n.keys = append(n.keys, k)
}

// without is the node without some of its keys.
func (n *node) without(names ...string) *node {
	out := *n
	out.keys = slices.DeleteFunc(slices.Clone(n.keys), func(k nodeKey) bool { return slices.Contains(names, k.name) })
	return &out
}

func (n *node) isScalar() bool {
	return n != nil && (n.kind == textNode || n.kind == boolNode || n.kind == numberNode)
}

// String is the value for people, on one line.
func (n *node) String() string {
	var b strings.Builder
	n.show(&b)
	return b.String()
}

// shownLength bounds what is shown of a value.
const shownLength = 200

func (n *node) show(b *strings.Builder) {
	switch {
	case n == nil || b.Len() > shownLength:
	case n.kind == listNode:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			item.show(b)
		}
		b.WriteByte(']')
	case n.kind == mapNode:
		b.WriteByte('{')
		for i, k := range n.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k.name + ": ")
			k.value.show(b)
		}
		b.WriteByte('}')
	case n.kind == nullNode:
		b.WriteString("null")
	default:
		b.WriteString(n.text)
	}
}

// kindWords is what a node is, in words.
func (n *node) kindWords() string {
	return [...]string{"nothing", "a text", "true or false", "a number", "a list", "a mapping"}[n.kind]
}

// treeError is what is wrong with a YAML or JSON file.
type treeError struct {
	line int
	msg  string
}

func (e *treeError) Error() string { return e.msg }

// parseYAML reads the first document of a YAML file. Aliases are replaced by what they stand
// for, and merge keys merged; the error is a [*treeError].
func parseYAML(file string, data []byte) (*node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, yamlError(err)
	}
	if doc.Kind == 0 {
		return &node{place: Place{file, 1}}, nil
	}
	p := yamlTree{file: file}
	root, err := p.node(&doc, 0)
	if root != nil {
		root.head = commentLines(doc.HeadComment)
	}
	return root, err
}

// commentLines are the lines of a comment, without #.
func commentLines(text string) []string {
	if text == "" {
		return nil
	}
	var list []string
	for line := range strings.SplitSeq(text, "\n") {
		list = append(list, commentText(strings.TrimSpace(line)))
	}
	return withoutEmptyEnd(list) // of lines between the comment and its key
}

// yamlError is an error of the library's without its line, which is apart.
func yamlError(err error) error {
	e := &treeError{msg: strings.TrimPrefix(err.Error(), "yaml: ")}
	if parse, ok := errors.AsType[*yaml.LoadError](err); ok {
		e.line, e.msg = parse.Mark.Line, parse.Message
	}
	return e
}

// yamlTree makes nodes of the library's.
type yamlTree struct {
	file  string
	count int
	open  []*yaml.Node // anchors that are being read
}

func (p *yamlTree) node(y *yaml.Node, depth int) (*node, error) {
	p.count++
	switch {
	case p.count > maxNodes:
		return nil, &treeError{y.Line, fmt.Sprintf("there are more than %d values, those that aliases stand for counted each time", maxNodes)}
	case depth > maxDepth:
		return nil, &treeError{y.Line, fmt.Sprintf("values are nested more than %d deep", maxDepth)}
	}
	n := &node{place: Place{p.file, y.Line}}
	switch y.Kind {
	case yaml.DocumentNode:
		return p.node(y.Content[0], depth)
	case yaml.AliasNode:
		if slices.Contains(p.open, y.Alias) {
			return nil, &treeError{y.Line, fmt.Sprintf("the alias *%s stands for itself", clip(y.Value))}
		}
		return p.node(y.Alias, depth+1)
	case yaml.SequenceNode:
		n.kind = listNode
		p.open = append(p.open, y)
		for _, item := range y.Content {
			child, err := p.node(item, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, child)
		}
		p.open = p.open[:len(p.open)-1]
	case yaml.MappingNode:
		n.kind = mapNode
		p.open = append(p.open, y)
		if err := p.mapping(n, y, depth); err != nil {
			return nil, err
		}
		p.open = p.open[:len(p.open)-1]
	default:
		n.text = y.Value
		switch y.ShortTag() {
		case "!!null":
		case "!!bool":
			n.kind = boolNode
		case "!!int", "!!float":
			n.kind = numberNode
		default:
			n.kind = textNode
		}
	}
	return n, nil
}

func (p *yamlTree) mapping(n *node, y *yaml.Node, depth int) error {
	var merged []*node
	seen := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		child, err := p.node(value, depth+1)
		if err != nil {
			return err
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			return &treeError{key.Line, "a key is a list or a mapping"}
		case key.ShortTag() == "!!merge":
			sources := []*node{child}
			if child.kind == listNode {
				sources = child.items
			}
			for _, s := range sources {
				if s.kind != mapNode {
					return &treeError{key.Line, "<< merges mappings, and this is " + s.kindWords()}
				}
			}
			merged = append(merged, sources...)
		case seen[key.Value]:
			return &treeError{key.Line, fmt.Sprintf("the key %s stands in this mapping already", clip(key.Value))}
		default:
			seen[key.Value] = true
			n.keys = append(n.keys, nodeKey{
				name: key.Value, place: Place{p.file, key.Line}, value: child,
				comments: commentLines(key.HeadComment), note: strings.Join(commentLines(value.LineComment), " "),
			})
		}
	}
	// Keys of the mapping itself win, then those of the first source.
	for _, source := range merged {
		for _, k := range source.keys {
			if !seen[k.name] {
				seen[k.name] = true
				n.keys = append(n.keys, k)
			}
		}
	}
	return nil
}

// parseJSON reads a JSON file, which may have comments and commas behind the last item, or be a
// literal of JavaScript's. The error is a [*treeError].
func parseJSON(file string, data []byte) (*node, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	std, err := standardJSON(data)
	if err != nil {
		std, err = standardJSON(jsonOfJS(data))
	}
	if err != nil {
		return nil, err
	}
	p := &jsonTree{file: file, data: std, dec: json.NewDecoder(bytes.NewReader(std))}
	p.dec.UseNumber()
	n, err := p.node()
	if err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &treeError{p.line(), "something follows the end of the JSON value"}
	}
	return n, nil
}

// standardJSON is JSON without what only some read. Comments and commas become spaces, so that all stays
// in its place.
func standardJSON(data []byte) ([]byte, error) {
	if line := tooDeep(data); line > 0 {
		return nil, &treeError{line, fmt.Sprintf("values are nested more than %d deep", maxDepth)}
	}
	std, err := hujson.Standardize(data)
	if err != nil {
		return nil, jsonError(data, err)
	}
	return std, nil
}

// tooDeep is the line where brackets are nested more than maxDepth, 0 if they are not. The
// library calls itself for each level.
func tooDeep(data []byte) int {
	depth, line, quoted := 0, 1, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\n':
			line++
			quoted = false // no string goes over a line
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return line
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return 0
}

// jsonError is an error of the library's, which begins with "hujson: line 3, column 4: ".
func jsonError(data []byte, err error) error {
	msg := strings.TrimPrefix(err.Error(), "hujson: ")
	e := &treeError{msg: msg}
	if place, rest, ok := strings.Cut(msg, ": "); ok {
		var line, column int
		if n, _ := fmt.Sscanf(place, "line %d, column %d", &line, &column); n == 2 {
			e.line, e.msg = line, rest
		}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		e.line, e.msg = 1, "the file is empty"
	}
	return e
}

type jsonTree struct {
	file  string
	data  []byte
	dec   *json.Decoder
	at    int // offset up to which lines were counted
	lines int // in data[:at]
	count int
}

// line is the line of the token that was read last.
func (p *jsonTree) line() int {
	to := int(p.dec.InputOffset())
	p.lines += bytes.Count(p.data[p.at:to], []byte("\n"))
	p.at = to
	return p.lines + 1
}

func (p *jsonTree) fail(err error) error { return &treeError{p.line(), err.Error()} }

func (p *jsonTree) node() (*node, error) {
	token, err := p.dec.Token()
	if err != nil {
		return nil, p.fail(err)
	}
	if p.count++; p.count > maxNodes {
		return nil, &treeError{p.line(), fmt.Sprintf("there are more than %d values", maxNodes)}
	}
	n := &node{place: Place{p.file, p.line()}}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			n.kind = listNode
			err = p.list(n)
		} else {
			n.kind = mapNode
			err = p.object(n)
		}
		if err != nil {
			return nil, err
		}
		if _, err := p.dec.Token(); err != nil {
			return nil, p.fail(err)
		}
	case string:
		n.kind, n.text = textNode, t
	case json.Number:
		n.kind, n.text = numberNode, t.String()
	case bool:
		n.kind, n.text = boolNode, strconv.FormatBool(t)
	}
	return n, nil
}

func (p *jsonTree) list(n *node) error {
	for p.dec.More() {
		child, err := p.node()
		if err != nil {
			return err
		}
		n.items = append(n.items, child)
	}
	return nil
}

// object reads keys and values. The last one of a name holds, as in JavaScript.
func (p *jsonTree) object(n *node) error {
	index := map[string]int{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return p.fail(err)
		}
		name, _ := token.(string)
		k := nodeKey{name: name, place: Place{p.file, p.line()}}
		if k.value, err = p.node(); err != nil {
			return err
		}
		if i, again := index[name]; again {
			n.keys[i] = k
			continue
		}
		index[name] = len(n.keys)
		n.keys = append(n.keys, k)
	}
	return nil
}
