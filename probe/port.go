package probe

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Target is whom to ask, where that is not in the [Spec].
type Target struct {
	// PID is the main process.
	PID int
	// Processes returns the processes of the program, in any order.
	Processes func() ([]int, error)
}

// listens looks for a TCP socket that a process of the target listens on: on that port, or
// on any. The kernel lists sockets by inode (proc(5), /proc/net/tcp), and the open files of a
// process tell which are its own. Only the network of the main process is looked at.
func listens(t Target, port string) error {
	inodes := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		if err := listeners(fmt.Sprintf("/proc/%d/net/%s", t.PID, table), port, inodes); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if len(inodes) == 0 {
		return errNotListening
	}
	pids, err := t.Processes()
	if err != nil {
		return err
	}
	var denied error
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd/", pid)
		d, err := os.Open(dir)
		if err != nil {
			if errors.Is(err, os.ErrPermission) {
				denied = err
			}
			continue // it has ended
		}
		names, _ := d.Readdirnames(-1)
		d.Close()
		for _, name := range names {
			link, _ := os.Readlink(dir + name)
			if inode, ok := strings.CutPrefix(link, "socket:["); ok && inodes[strings.TrimSuffix(inode, "]")] {
				return nil
			}
		}
	}
	if denied != nil {
		return denied
	}
	return errNotListening
}

var errNotListening = errors.New("it does not listen")

// listening is the state of a socket that listens (TCP_LISTEN, net/tcp_states.h).
const listening = "0A"

// listeners adds the inodes of the sockets in a table that listen.
func listeners(file, port string, inodes map[string]bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		n, err := strconv.ParseUint(hex, 16, 16)
		if err == nil && (port == "" || port == strconv.FormatUint(n, 10)) {
			inodes[fields[9]] = true
		}
	}
	return lines.Err()
}
