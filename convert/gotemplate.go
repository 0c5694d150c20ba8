package convert

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	gotemplate "text/template"
	"text/template/parse"
)

// Templates of Go's package text/template, as far as their work is bounded by their length.

// replicaNumber is the number of a replica, from 0. Where it is known only when the program is
// started, it prints a mark, which [withMarks] makes double braces of.
type replicaNumber int

const markBegin, markEnd = "\ue000", "\ue001"

// Format prints a mark that has as many digits as the number would at least have.
func (replicaNumber) Format(f fmt.State, _ rune) {
	width := 1
	if w, ok := f.Width(); ok && f.Flag('0') {
		width = max(1, min(w, 9))
	}
	_, _ = io.WriteString(f, markBegin+strings.Repeat("0", width)+markEnd)
}

var markOf = regexp.MustCompile(markBegin + "(0+)" + markEnd)

// withMarks is a text as it is written in a value of msup's: marks in double braces, and double braces
// of the text itself as literal ones.
func withMarks(text string) string {
	text = envMark.ReplaceAllString(literal(text), "{{env $1}}")
	return markOf.ReplaceAllString(text, "{{instance $1}}")
}

// withNumber is a text with marks for one replica.
func withNumber(text string, n int) string {
	return markOf.ReplaceAllStringFunc(text, func(m string) string {
		return fmt.Sprintf("%0*d", strings.Count(m, "0"), n)
	})
}

var errTemplateLarge = errors.New("what the template makes is larger than 64 KiB")

// noValue is what a template prints for a name that is not among the values.
const noValue = "<no value>"

// renderTemplate executes a template.
func renderTemplate(text string, values map[string]any) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	if len(text) > maxScript {
		return "", errTemplateLarge
	}
	t, err := gotemplate.New("").Funcs(boundedFunctions).Parse(text)
	if err != nil {
		return "", errors.New(strings.TrimPrefix(err.Error(), "template: :"))
	}
	if len(t.Templates()) > 1 {
		return "", errors.New("templates that define others are not taken over")
	}
	if t.Tree == nil || !boundedNodes(t.Root) {
		return "", errors.New("range, template and variables are not taken over")
	}
	var b limitedBuilder
	if err := t.Execute(&b, values); err != nil {
		if exec, ok := errors.AsType[gotemplate.ExecError](err); ok {
			err = exec.Err
		}
		return "", err
	}
	return b.String(), nil
}

// boundedNodes reports whether each node is executed once at most, and sets no variable.
func boundedNodes(n parse.Node) bool {
	switch n := n.(type) {
	case *parse.ActionNode:
		return len(n.Pipe.Decl) == 0 // a variable could double itself
	case *parse.ListNode:
		if n == nil {
			return true
		}
		for _, child := range n.Nodes {
			if !boundedNodes(child) {
				return false
			}
		}
	case *parse.IfNode:
		return boundedNodes(n.List) && boundedNodes(n.ElseList)
	case *parse.WithNode:
		return boundedNodes(n.List) && boundedNodes(n.ElseList)
	case *parse.RangeNode, *parse.TemplateNode:
		return false
	}
	return true
}

// boundedFunctions replace those of the package whose results grow by more than their arguments,
// again and again where one is piped into the next.
var boundedFunctions = gotemplate.FuncMap{
	"printf": boundedPrintf, "print": refused("print"), "println": refused("println"), "html": refused("html"),
	"js": refused("js"), "urlquery": refused("urlquery"), "call": refused("call"), "slice": refused("slice"),
}

func refused(name string) func(...any) (string, error) {
	return func(...any) (string, error) { return "", fmt.Errorf("the function %s is not taken over", name) }
}

var wideVerb = regexp.MustCompile(`[0-9]{4}|\*`)

// boundedPrintf is printf of a few short values.
func boundedPrintf(format string, args ...any) (string, error) {
	size := 0
	for _, a := range args {
		switch a := a.(type) {
		case string:
			size += len(a)
		case int, float64, bool, replicaNumber:
			size += 20
		default:
			return "", fmt.Errorf("%T is no value for printf", a)
		}
	}
	if wideVerb.MatchString(format) || len(format)+size*strings.Count(format, "%") > maxScript {
		return "", fmt.Errorf("the format %q makes too much", clip(format))
	}
	return fmt.Sprintf(format, args...), nil
}

// limitedBuilder takes as much as a value may have.
type limitedBuilder struct{ strings.Builder }

func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxScript {
		return 0, errTemplateLarge
	}
	return b.Builder.Write(p)
}

// valuesOf are the values of a mapping, as a template sees them.
func valuesOf(n *node) map[string]any {
	values := map[string]any{}
	if n == nil {
		return values
	}
	for _, k := range n.keys {
		values[k.name] = valueOf(k.value)
	}
	return values
}

func valueOf(n *node) any {
	switch n.kind {
	case nullNode:
		return nil
	case boolNode:
		return n.isTrue()
	case numberNode:
		if i, err := strconv.ParseInt(n.text, 0, 64); err == nil && i >= math.MinInt && i <= math.MaxInt {
			return int(i)
		}
		if f, err := strconv.ParseFloat(n.text, 64); err == nil {
			return f
		}
		return n.text
	case listNode:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = valueOf(item)
		}
		return list
	case mapNode:
		return valuesOf(n)
	}
	return n.text
}
