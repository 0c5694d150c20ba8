package convert

import (
	"fmt"
	"slices"
	"strings"

	"msup/config"
)

// merge puts a file over another one: a value that is not empty replaces that of before, mappings
// are merged, lists are put together but for those that are replaced, and lists of KEY=value
// are merged by their keys.
func (in *input) merge(base, over *node, key string) *node {
	switch {
	case base == nil:
		return over
	case over == nil || over.isEmpty():
		return base
	case base.kind == mapNode && over.kind == mapNode:
		out := *base
		out.keys = slices.Clone(base.keys)
		at := map[string]int{}
		for i, k := range out.keys {
			at[k.name] = i
		}
		for _, k := range over.keys {
			i, both := at[k.name]
			if !both {
				at[k.name] = len(out.keys)
				out.keys = append(out.keys, k)
				continue
			}
			merged := in.merge(out.keys[i].value, k.value, k.name)
			if merged == k.value {
				out.keys[i].place = k.place
			}
			out.keys[i].value = merged
		}
		return &out
	case base.kind == listNode && over.kind == listNode && key == "environment":
		return mergeVariables(base, over)
	case base.kind == listNode && over.kind == listNode && key != "namespace" && key != "paths":
		out := *base
		out.items = append(slices.Clone(base.items), over.items...)
		return &out
	}
	return over
}

// mergeVariables merges lists of KEY=value.
func mergeVariables(base, over *node) *node {
	out := *base
	out.items = slices.Clone(base.items)
	for _, item := range over.items {
		name, _, _ := strings.Cut(item.text, "=")
		i := slices.IndexFunc(out.items, func(o *node) bool { n, _, _ := strings.Cut(o.text, "="); return n == name })
		if i >= 0 {
			out.items[i] = item
		} else {
			out.items = append(out.items, item)
		}
	}
	return &out
}

// extendAll gives processes what those have that they extend.
func (pc *pcProject) extendAll() bool {
	processes := pc.root.get("processes")
	if processes == nil || processes.kind != mapNode {
		return true
	}
	state := map[string]int{} // 1 is being resolved, 2 is resolved
	index := map[string]int{}
	for i, k := range processes.keys {
		index[k.name] = i
	}
	var resolve func(name string, depth int) bool
	resolve = func(name string, depth int) bool {
		k := &processes.keys[index[name]]
		parent := k.value.get("extends")
		if state[name] == 2 || parent == nil || parent.isEmpty() {
			state[name] = 2
			return true
		}
		wrong := func(format string, args ...any) bool {
			pc.fail(parent.place, config.Diagnostic{Section: name, Key: "extends", Value: parent.String(), Message: fmt.Sprintf(format, args...)})
			return false
		}
		base, known := index[parent.String()]
		switch {
		case state[name] == 1:
			return wrong("the process extends itself")
		case !known:
			return wrong("there is no process %s", clip(parent.String()))
		case depth > maxDepth:
			return wrong("processes extend each other more than %d times", maxDepth)
		}
		state[name] = 1
		if !resolve(parent.String(), depth+1) {
			return false
		}
		child := k.value.without("extends")
		k.value = pc.merge(processes.keys[base].value.without("extends"), child, "")
		state[name] = 2
		return true
	}
	for _, k := range processes.keys {
		if k.value.kind != mapNode && k.value.kind != nullNode {
			pc.fail(k.place, config.Diagnostic{Section: k.name, Message: "a process is a mapping, and this is " + k.value.kindWords()})
			return false
		}
	}
	for _, k := range processes.keys {
		if !resolve(k.name, 0) {
			return false
		}
	}
	return true
}
