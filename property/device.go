package property

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

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
