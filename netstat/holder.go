package netstat

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Holder says which process listens on an address, "nginx (PID 12)"; "" = none that this user
// may look at.
func Holder(a Address) string {
	inodes, err := Listeners(a)
	if err != nil || len(inodes) == 0 {
		return ""
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return ""
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
		if held, _ := Holds(pid, inodes); held {
			comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			return fmt.Sprintf("%s (PID %d)", strings.TrimSpace(string(comm)), pid)
		}
	}
	return "another user's process"
}

// Holds reports whether a process has one of these sockets open. The error is that of looking
// at its files.
func Holds(pid int, inodes map[string]bool) (bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	names, _ := d.Readdirnames(-1)
	d.Close()
	for _, name := range names {
		link, _ := os.Readlink(dir + name)
		if inode, ok := strings.CutPrefix(link, "socket:["); ok && inodes[strings.TrimSuffix(inode, "]")] {
			return true, nil
		}
	}
	return false, nil
}
