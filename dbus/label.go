package dbus

import (
	"strings"

	godbus "github.com/godbus/dbus/v5"
)

const (
	managerPath = "/org/freedesktop/systemd1"
	unitRoot    = managerPath + "/unit/"
)

// unitPath is the object path of a unit: every byte but letters and digits, and a digit at
// the start, becomes _xx (bus_label_escape in systemd's bus-label.c).
func unitPath(unit string) godbus.ObjectPath { return godbus.ObjectPath(unitRoot + escapeLabel(unit)) }

func escapeLabel(s string) string {
	if s == "" {
		return "_"
	}
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && '0' <= c && c <= '9' {
			b = append(b, c)
		} else {
			b = append(b, '_', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// unitName is the inverse of unitPath. As systemd's bus_label_unescape it takes an
// escape that is none as it stands.
func unitName(path godbus.ObjectPath) (string, bool) {
	s, ok := strings.CutPrefix(string(path), unitRoot)
	if !ok || s == "" {
		return "", false
	}
	if s == "_" {
		return "", true
	}
	if strings.IndexByte(s, '_') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
