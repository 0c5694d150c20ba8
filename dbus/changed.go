package dbus

import (
	"encoding/binary"

	godbus "github.com/godbus/dbus/v5"

	"msup/units"
)

// A start makes about ten PropertiesChanged signals of its own unit, each with all of the
// twenty properties that ever change. godbus decodes them by reflection, which for many
// starts at once was half of the supervisor's CPU time. This file reads them by itself,
// and only the properties that are facts. What it does not understand it leaves to godbus.

// changedFacts reads the body of a PropertiesChanged signal, (sa{sv}as).
func changedFacts(h fixedHeader, msg []byte) (iface string, f units.Facts, ok bool) {
	r := reader{b: msg, pos: 16 + align(h.fieldN, 8), order: h.order}
	iface = string(r.text(r.u32()))
	n := r.u32()
	r.align(8)
	end := r.pos + int(n)
	if r.bad || end > len(msg) {
		return "", f, false
	}
	for r.pos < end && !r.bad {
		r.align(8)
		name := r.text(r.u32())
		sig := r.text(uint32(r.u8()))
		if r.bad {
			break
		}
		if facts[string(name)] {
			if v, ok := r.value(string(sig)); ok {
				setFact(&f, string(name), v)
				continue
			}
		}
		for len(sig) > 0 && !r.bad {
			sig = r.skip(sig, 0)
		}
	}
	if r.bad || r.pos != end {
		return "", f, false
	}
	r.skip([]byte("as"), 0)
	return iface, f, !r.bad && r.pos == len(msg)
}

// facts are the properties in change signals that setFact takes.
var facts = map[string]bool{
	"LoadState": true, "ActiveState": true, "SubState": true, "Result": true, "InvocationID": true, "Job": true,
	"MainPID": true, "StatusText": true, "ExecMainCode": true, "ExecMainStatus": true, "ActiveEnterTimestamp": true,
	"InactiveExitTimestampMonotonic": true, "ActiveEnterTimestampMonotonic": true,
	"ActiveExitTimestampMonotonic": true, "ExecMainStartTimestampMonotonic": true, "ExecMainExitTimestampMonotonic": true,
	"LastTriggerUSec": true, "LastTriggerUSecMonotonic": true, "NextElapseUSecRealtime": true, "NextElapseUSecMonotonic": true,
	"ExecMainStartTimestamp": true, "ExecMainExitTimestamp": true,
	"ControlGroup": true, "Slice": true, "FragmentPath": true, "Transient": true,
}

// take handles a signal before godbus sees it; false = godbus shall.
func (d *decoder) take(h fixedHeader, msg, path, member []byte) bool {
	if string(member) != "PropertiesChanged" {
		return false
	}
	iface, f, ok := changedFacts(h, msg)
	if ok {
		d.changedTo(godbus.ObjectPath(path), iface, f)
	}
	return ok
}

// reader walks over marshalled values (D-Bus specification, "Marshaling (Wire Format)").
// After a mistake it is bad, and what it returns means nothing.
type reader struct {
	b     []byte
	pos   int
	order binary.ByteOrder
	bad   bool
}

// next takes n bytes.
func (r *reader) next(n int) []byte {
	if r.bad || n < 0 || n > len(r.b)-r.pos {
		r.bad = true
		return nil
	}
	r.pos += n
	return r.b[r.pos-n : r.pos]
}

func (r *reader) align(to int) { r.next(align(r.pos, to) - r.pos) }

func (r *reader) u8() byte {
	if b := r.next(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	r.align(4)
	if b := r.next(4); b != nil {
		return r.order.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	r.align(8)
	if b := r.next(8); b != nil {
		return r.order.Uint64(b)
	}
	return 0
}

// text takes n bytes and the NUL behind them: a string, a path or a signature.
func (r *reader) text(n uint32) []byte {
	if n >= maxMessage {
		r.bad = true
	}
	b := r.next(int(n) + 1)
	if b == nil || b[n] != 0 {
		r.bad = true
		return nil
	}
	return b[:n]
}

// value takes a value of one of the types that facts have, as godbus would give it.
func (r *reader) value(sig string) (v any, ok bool) {
	switch sig {
	case "s":
		return string(r.text(r.u32())), true
	case "u":
		return r.u32(), true
	case "i":
		return int32(r.u32()), true
	case "t":
		return r.u64(), true
	case "b":
		return r.u32() != 0, true
	case "ay":
		return append([]byte{}, r.next(int(r.u32()))...), true
	case "(uo)":
		r.align(8)
		id := r.u32()
		return []any{id, godbus.ObjectPath(r.text(r.u32()))}, true
	}
	return nil, false
}

// maxDepth is the specification's limit for containers in each other.
const maxDepth = 64

// skip passes over a value of the first complete type of sig, and returns the rest of sig.
func (r *reader) skip(sig []byte, depth int) []byte {
	if len(sig) == 0 || depth > maxDepth {
		r.bad = true
		return nil
	}
	kind, rest := sig[0], sig[1:]
	switch kind {
	case 'y':
		r.next(1)
	case 'n', 'q':
		r.align(2)
		r.next(2)
	case 'b', 'i', 'u', 'h':
		r.u32()
	case 'x', 't', 'd':
		r.u64()
	case 's', 'o':
		r.text(r.u32())
	case 'g':
		r.text(uint32(r.u8()))
	case 'v':
		inner := r.text(uint32(r.u8()))
		if r.bad || len(r.skip(inner, depth+1)) > 0 {
			r.bad = true
		}
	case 'a':
		n := r.u32()
		if len(rest) > 0 && (rest[0] == 'x' || rest[0] == 't' || rest[0] == 'd' || rest[0] == '(' || rest[0] == '{') {
			r.align(8)
		}
		r.next(int(n))
		return r.typeEnd(rest)
	case '(', '{':
		r.align(8)
		for len(rest) > 0 && rest[0] != ')' && rest[0] != '}' && !r.bad {
			rest = r.skip(rest, depth+1)
		}
		if len(rest) == 0 {
			r.bad = true
			return nil
		}
		return rest[1:]
	default:
		r.bad = true
	}
	return rest
}

// typeEnd returns what follows the first complete type of sig.
func (r *reader) typeEnd(sig []byte) []byte {
	open := 0
	for i, c := range sig {
		switch c {
		case 'a':
			continue
		case '(', '{':
			open++
		case ')', '}':
			open--
		}
		if open <= 0 {
			return sig[i+1:]
		}
	}
	r.bad = true
	return nil
}
