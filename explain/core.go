package explain

import (
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"msup/units"
)

// dumps reports whether the default action of a signal is to dump core (signal(7)).
func dumps(signal int) bool {
	switch syscall.Signal(signal) {
	case syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGQUIT, syscall.SIGSEGV,
		syscall.SIGSYS, syscall.SIGTRAP, syscall.SIGXCPU, syscall.SIGXFSZ:
		return true
	}
	return false
}

// coreDump says where the core dump is.
func coreDump(f Facts, e units.End) []string {
	core := f.Last.Core
	handler, piped := strings.CutPrefix(core.Pattern, "|")
	handler, _, _ = strings.Cut(strings.TrimSpace(handler), " ")
	switch {
	case len(core.Found) > 0:
		return []string{"it dumped core: " + strings.Join(core.Found, ", ")}
	case core.Pattern == "":
		return []string{"it dumped core; where that goes cannot be read (/proc/sys/kernel/core_pattern)"}
	case piped && strings.HasSuffix(handler, "systemd-coredump") && core.Coredumpctl:
		return []string{"it dumped core, which systemd-coredump keeps: " + coreCommand(f, e)}
	case piped && strings.HasSuffix(handler, "systemd-coredump"):
		return []string{"it dumped core, which systemd-coredump keeps in /var/lib/systemd/coredump; coredumpctl is not installed"}
	case piped:
		return []string{"it dumped core, which the kernel gave to " + handler + " (/proc/sys/kernel/core_pattern)"}
	}
	return []string{
		"it dumped core, which the kernel writes to " + CorePath(core.Pattern, f.Program.Directory, int(e.PID)) + " (/proc/sys/kernel/core_pattern), in its working directory where that is no full path",
		"there is none at that place now",
	}
}

// CorePath is where a core dump of a process goes by a core_pattern that is no pipe
// (core(5)), as a pattern for filepath.Glob: what cannot be known is a *.
func CorePath(pattern, directory string, pid int) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '%' && i+1 < len(pattern):
			i++
			switch pattern[i] {
			case '%':
				b.WriteByte('%')
			case 'p', 'P', 'i', 'I':
				if pid != 0 && (pattern[i] == 'p' || pattern[i] == 'i') {
					b.WriteString(strconv.Itoa(pid))
				} else {
					b.WriteByte('*')
				}
			default:
				b.WriteByte('*')
			}
		case strings.IndexByte(`*?[\`, c) >= 0:
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	if filepath.IsAbs(b.String()) {
		return b.String()
	}
	return filepath.Join(directory, b.String())
}

// noCore says why a signal that dumps core did not.
func noCore(f Facts) string {
	if limit := f.Settings.CoreLimit; limit != nil && *limit == 0 {
		return "no core was dumped: its limit for that is 0 (LimitCORE=), as is systemd's default for services"
	}
	return "no core was dumped: its limit for that may be 0 (LimitCORE=), its working directory not writable for it, or it handles the signal"
}

// coreCommand shows the core dump.
func coreCommand(f Facts, e units.End) string {
	field := "COREDUMP_UNIT"
	if f.User {
		field = "COREDUMP_USER_UNIT"
	}
	return "coredumpctl info " + field + "=" + f.Program.Unit + " COREDUMP_PID=" + strconv.Itoa(int(e.PID))
}
