package config

import (
	"fmt"
	"slices"
	"strings"

	"msup/property"
)

// hides are the folders that settings put empty ones in the place of (systemd.exec(5)).
var hides = map[string]struct {
	below []string
	hint  string
}{
	"ProtectHome": {[]string{"/home", "/root", "/run/user"}, "use read-only"},
	"PrivateTmp":  {[]string{"/tmp", "/var/tmp"}, "remove the key"},
}

// checkHidden warns of a program whose own settings hide its folder or its executable from it:
// systemd says only that it cannot change to the one or execute the other.
func (l *loader) checkHidden(d *draft) {
	binds := func(s property.Setting) bool {
		return s.Name == "BindPaths" || s.Name == "BindReadOnlyPaths" || s.Name == "RootDirectory" || s.Name == "RootImage"
	}
	if slices.ContainsFunc(d.Systemd, binds) {
		return
	}
	for _, s := range d.systemd {
		h := hides[s.key.entry().Name]
		if on, err := parseBool(s.value); err == nil && !on || s.value == "read-only" || s.value == "" {
			continue
		}
		for _, of := range []struct{ what, path string }{{"directory", d.Directory}, {"executable", d.Path}} {
			below := func(dir string) bool { return of.path == dir || strings.HasPrefix(of.path, dir+"/") }
			if slices.ContainsFunc(h.below, below) {
				l.warnFor(d, s, fmt.Sprintf("it hides the program's %s, %s, from it", of.what, of.path), h.hint+", or add systemd.BindPaths = "+of.path)
				break
			}
		}
	}
}
