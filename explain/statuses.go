package explain

import (
	"fmt"
	"strings"

	"msup/units"
)

// sysexits are the statuses of sysexits.h.
var sysexits = map[int]string{
	64: "EX_USAGE: it was called in a wrong way",
	65: "EX_DATAERR: its input is wrong",
	66: "EX_NOINPUT: an input file is missing or cannot be read",
	67: "EX_NOUSER: a user does not exist",
	68: "EX_NOHOST: a host does not exist",
	69: "EX_UNAVAILABLE: something it needs is not available",
	70: "EX_SOFTWARE: an error inside the program",
	71: "EX_OSERR: an error of the operating system, as when it cannot fork",
	72: "EX_OSFILE: a system file is missing or wrong",
	73: "EX_CANTCREAT: it cannot create an output file",
	74: "EX_IOERR: an error in reading or writing a file",
	75: "EX_TEMPFAIL: a failure that may be gone at the next try",
	76: "EX_PROTOCOL: the other side broke the protocol",
	77: "EX_NOPERM: it may not do that",
	78: "EX_CONFIG: its configuration is wrong",
}

// statusMeaning is what an exit status usually stands for; no program has to keep to it.
func statusMeaning(code int) string {
	if text, ok := sysexits[code]; ok {
		return fmt.Sprintf("by the numbers of sysexits.h %d is %s", code, text)
	}
	switch {
	case code == 0:
		return "0 stands for success: it has done what it was meant to do, or found nothing to do"
	case code == 1:
		return "1 is the general error, what a script or an exception that nobody caught ends with: its output has the reason"
	case code == 2:
		return "2 often stands for wrong usage: look at its arguments and its configuration"
	case code == 126:
		return "126 is what a shell says of a command that it has found and cannot execute: permission, format, interpreter"
	case code == 127:
		return "127 is what a shell says of a command that it cannot find: a name misspelt, or a PATH without its folder"
	case code > 128 && code <= 128+64:
		return fmt.Sprintf("%d is what a shell says of a command that was killed by %s (128+%d)", code, signalName(code-128), code-128)
	case code == 255:
		return "255 is -1, or any error of ssh and some others"
	}
	return "what it stands for only the program can tell: its output, its manual"
}

// execLook says what to look at when systemd could not execute the program, by status.
func execLook(p units.Program, code int) string {
	user, group := p.User, p.Group
	if user == "" {
		user = "its user"
	}
	if group == "" {
		group = "the group of " + user
	}
	switch code {
	case 200:
		return "look at directory " + p.Directory + ": it must exist, and " + user + " must be allowed to enter it" + hiding(p, p.Directory)
	case 202, 208, 209, 222:
		return "look at where its output goes (stdout, stderr), and at the folders of these files"
	case 203:
		return "look at " + p.Path + ": it must exist, be executable, and so must the interpreter in its first line" + hiding(p, p.Path)
	case 205:
		return "look at nofile and other limits: only root may raise one above the hard limit (ulimit -H)"
	case 201, 206, 211, 214, 215, 242:
		return "look at nice, oom_score_adjust and other priorities: only root may raise them"
	case 210, 226:
		return "look at the folders that the sandbox of the unit names: they must exist"
	case 216:
		return "look at group: getent group must know " + group + ", and only root may change to it"
	case 217:
		return "look at user: getent passwd must know " + user + ", and only root may change to it"
	case 218, 227, 228, 232:
		return "look at what the sandbox of the unit takes away: the kernel or the service manager may lack it"
	case 219:
		return "look at the control group: systemctl status of its slice, and the limits of that"
	case 233, 238, 239, 240, 241:
		return "look at the folders that systemd is to make for it: a file or a foreign folder may be in their place"
	case 243:
		return "look at its credentials: a file may be missing, or may not be read"
	}
	return "look at what systemd says of it in the journal"
}

// hiding names the settings of a program that may keep it from seeing its own folder or
// executable (systemd.exec(5)).
func hiding(p units.Program, path string) string {
	var names []string
	for _, s := range p.Systemd {
		hides := false
		switch s.Name {
		case "ProtectHome":
			hides = s.Value != "read-only" && s.Value != "no"
		case "PrivateTmp":
			hides = s.Value != "no" && (strings.HasPrefix(path, "/tmp/") || strings.HasPrefix(path, "/var/tmp/"))
		case "InaccessiblePaths", "NoExecPaths", "TemporaryFileSystem", "RootDirectory", "RootImage":
			hides = true
		}
		if hides {
			names = append(names, s.Name+"="+s.Value)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; its own settings may hide it: " + strings.Join(names, ", ")
}
