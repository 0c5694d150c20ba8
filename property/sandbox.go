package property

import (
	"path"
	"slices"
	"strings"
)

// Sandboxes are the names of the presets, the one that does nothing first.
var Sandboxes = []string{"none", "standard", "strict"}

// Place is what of a program a preset has to leave to it.
type Place struct {
	Directory string   // its working directory, absolute
	Files     []string // what it must be able to read although it may be in a folder that is hidden, absolute
	User      bool     // it runs under a user manager
}

// standard keeps a program off the system's files, the kernel's switches and the machine's
// clock and name, which next to no server changes.
var standard = []Setting{
	{"NoNewPrivileges", "yes"},
	{"PrivateTmp", "yes"},
	{"ProtectSystem", "full"},
	{"ProtectKernelTunables", "yes"},
	{"ProtectKernelModules", "yes"},
	{"ProtectKernelLogs", "yes"},
	{"ProtectControlGroups", "yes"},
	{"ProtectClock", "yes"},
	{"ProtectHostname", "yes"},
	{"RestrictSUIDSGID", "yes"},
	{"RestrictRealtime", "yes"},
	{"LockPersonality", "yes"},
}

// strict is standard with the whole file system read-only, no rights of root's, and no
// devices, namespaces and unusual system calls.
var strict = append(without(standard, "ProtectSystem"),
	Setting{"ProtectSystem", "strict"},
	Setting{"ProtectHome", "read-only"},
	Setting{"PrivateDevices", "yes"},
	Setting{"ProtectProc", "invisible"},
	Setting{"RestrictNamespaces", "yes"},
	Setting{"RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"},
	Setting{"SystemCallArchitectures", "native"},
	Setting{"SystemCallFilter", "@system-service"},
	Setting{"SystemCallErrorNumber", "EPERM"},
	Setting{"CapabilityBoundingSet", ""},
)

func without(settings []Setting, name string) []Setting {
	return slices.DeleteFunc(slices.Clone(settings), func(s Setting) bool { return s.Name == name })
}

// Sandbox lists the settings that a preset consists of for a program. They are of [Oldest]
// already.
//
// The program's own directory stays writable, unless it is / or a folder right below it,
// which are no program's own. PrivateTmp= hides what is in /tmp, so what of the program's is
// there is bound into its own; of a program that lives in /tmp itself it is left out.
//
// Under a user manager it has PrivateUsers=, without which little of it is possible
// ([Entry.InUserManager]).
func Sandbox(preset string, p Place) []Setting {
	var settings []Setting
	switch preset {
	case "standard":
		settings = slices.Clone(standard)
	case "strict":
		settings = slices.Clone(strict)
	default:
		return nil
	}
	if p.User {
		settings = append(settings, Setting{"PrivateUsers", "yes"})
	}
	own := path.Dir(p.Directory) != "/"
	if own {
		settings = append(settings, Setting{"ReadWritePaths", "-" + listWord(p.Directory)})
	}
	var hidden []string
	for _, f := range append([]string{p.Directory}, p.Files...) {
		if f == "/tmp" || f == "/var/tmp" {
			return without(settings, "PrivateTmp") // the program lives in it
		}
		inside := slices.ContainsFunc(hidden, func(dir string) bool { return f == dir || strings.HasPrefix(f, dir+"/") })
		if !inside && (strings.HasPrefix(f, "/tmp/") || strings.HasPrefix(f, "/var/tmp/")) {
			hidden = append(hidden, f)
		}
	}
	for _, f := range hidden {
		settings = append(settings, Setting{"BindPaths", "-" + listWord(f)})
	}
	return settings
}

// listWord is a path as a word of a list in a setting, where % stands for itself.
func listWord(s string) string {
	if strings.ContainsAny(s, " \t\"'\\;:") {
		return inQuotes(s)
	}
	return s
}

// Preset lists the settings of a preset that do not depend on the program.
func Preset(name string) []Setting {
	switch name {
	case "standard":
		return slices.Clone(standard)
	case "strict":
		return slices.Clone(strict)
	}
	return nil
}

// Override puts own settings in the place of those of a preset with the same name, at the
// end. What a preset has for the program's own sake, ReadWritePaths= and BindPaths=, grows
// instead, until an empty value takes it back.
func Override(preset, own []Setting) []Setting {
	settings := slices.DeleteFunc(slices.Clone(preset), func(s Setting) bool {
		grows := s.Name == "ReadWritePaths" || s.Name == "BindPaths"
		return slices.ContainsFunc(own, func(o Setting) bool { return o.Name == s.Name && (!grows || o.Value == "") })
	})
	return append(settings, own...)
}

// Under is how a setting works under a user manager that is without PrivateUsers=yes.
type Under int

// What a user manager makes of a setting (systemd 252).
const (
	Works   Under = iota
	Ignored       // it is accepted and has no effect
	Fails         // the program is not executed, status 218
)

// InUserManager says how the setting works under a user manager. With PrivateUsers=yes,
// which gives it the rights over its own user namespace, all of them work.
func (e *Entry) InUserManager() Under {
	switch e.Name {
	case "ProtectKernelModules", "ProtectKernelLogs", "ProtectClock", "PrivateDevices", "CapabilityBoundingSet":
		return Fails
	case "ProtectSystem", "ProtectHome", "PrivateTmp", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths",
		"BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "ProtectKernelTunables", "ProtectControlGroups", "ProtectProc", "ProcSubset", "PrivateMounts":
		return Ignored
	}
	return Works
}
