package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrOutside says that a process is not in the control group of the unit asked for.
var ErrOutside = errors.New("the process is not in the unit's control group")

// ErrNoMount says that cgroup v2 is not mounted here.
var ErrNoMount = fmt.Errorf("cgroup2 is not mounted: %w", fs.ErrNotExist)

// Mount returns where cgroup v2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified on
// hosts that keep controllers on cgroup v1. The error is [ErrNoMount] where it is not.
func Mount() (string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("cannot find the cgroup2 mount: %w", err)
	}
	for _, dir := range mounts(text).v2 {
		// A mount that another one lies on top of is still listed.
		var s unix.Statfs_t
		if unix.Statfs(dir, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", fmt.Errorf("cannot find the cgroup2 mount: %w", ErrNoMount)
}

// Of returns the control group of the unit that a process runs in, relative to [Mount]
// and in the form of systemd's ControlGroup property: "/msup.slice/msup-web.service". The
// process may be in a control group below the unit's own. The error is [ErrOutside] for a
// process that is not below the unit and [fs.ErrNotExist] for one that is gone.
func Of(pid int, unit string) (string, error) {
	file := "/proc/" + strconv.Itoa(pid) + "/cgroup"
	text, err := os.ReadFile(file)
	if errors.Is(err, unix.ESRCH) { // it died between open and read
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", fmt.Errorf("cannot find the control group of process %d: %w", pid, err)
	}
	dir, err := unitOf(text, unit)
	if err != nil {
		return "", fmt.Errorf("cannot find %s in %s: %w: %q", unit, file, err, text)
	}
	return dir, nil
}

// unitOf cuts the cgroup v2 path in the text of /proc/PID/cgroup (cgroup-v2.rst,
// "Processes") at the component that is the unit.
func unitOf(text []byte, unit string) (string, error) {
	if unit == "" || strings.Contains(unit, "/") {
		return "", fmt.Errorf("%q is not the name of a unit", unit)
	}
	for line := range bytes.Lines(text) {
		// A path has no newline (the kernel refuses it in mkdir) but may have colons.
		where, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("0::"))
		if !ok {
			continue // a cgroup v1 hierarchy
		}
		// A zombie outlives its control group.
		where = bytes.TrimSuffix(where, []byte(" (deleted)"))
		// A path that begins with "/.." is outside of our cgroup namespace, and nothing
		// of it can be seen below Mount.
		if bytes.HasPrefix(where, []byte("/..")) {
			return "", ErrOutside
		}
		for at := 0; at < len(where); {
			end := len(where)
			if i := bytes.IndexByte(where[at+1:], '/'); i >= 0 {
				end = at + 1 + i
			}
			if where[at] == '/' && string(where[at+1:end]) == unit {
				return string(where[:end]), nil
			}
			at = end
		}
		return "", ErrOutside
	}
	return "", errors.New("no cgroup v2 path")
}

// Controllers returns the controllers that work in the control group at dir, an absolute
// path, from its cgroup.controllers: those the group above passes down to it.
func Controllers(dir string) ([]string, error) {
	text, err := os.ReadFile(path.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the controllers of %s: %w", dir, err)
	}
	return strings.Fields(string(text)), nil
}

// mountTable is what /proc/self/mountinfo says about control groups.
type mountTable struct {
	v2 []string // mount points of cgroup v2, the usual ones first
	// v1 has the mount point of each controller that is on cgroup v1, and of the named
	// hierarchies, as "name=systemd".
	v1 map[string]string
}

// mounts parses the text of /proc/PID/mountinfo (proc_pid_mountinfo(5)):
//
//	41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
func mounts(text []byte) mountTable {
	t := mountTable{v1: map[string]string{}}
	for line := range strings.Lines(string(text)) {
		// The optional fields before the separator vary in number.
		left, right, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !ok || len(before) < 6 || len(after) < 1 {
			continue
		}
		dir := unescape(before[4])
		switch after[0] {
		case "cgroup2":
			t.v2 = append(t.v2, dir)
		case "cgroup":
			for option := range strings.SplitSeq(after[len(after)-1], ",") {
				// Other options than controllers are never asked for.
				if _, seen := t.v1[option]; !seen {
					t.v1[option] = dir
				}
			}
		}
	}
	usual := func(dir string) int {
		switch dir {
		case "/sys/fs/cgroup":
			return 0
		case "/sys/fs/cgroup/unified":
			return 1
		}
		return 2
	}
	slices.SortStableFunc(t.v2, func(a, b string) int { return usual(a) - usual(b) })
	return t
}

// unescape undoes the octal escapes of space, tab, newline and backslash in mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
