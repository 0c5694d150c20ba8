package probe

import (
	"errors"
	"os"
	"strconv"

	"msup/netstat"
)

// Target is whom to ask, where that is not in the [Spec].
type Target struct {
	// PID is the main process.
	PID int
	// Processes returns the processes of the program, in any order.
	Processes func() ([]int, error)
}

// listens looks for a TCP socket that a process of the target listens on: on that port, or
// on any. The kernel lists sockets by inode, and the open files of a process tell which are
// its own. Only the network of the main process is looked at.
func listens(t Target, port string) error {
	inodes := map[string]bool{}
	err := netstat.Each(netstat.TCP, t.PID, func(s netstat.Socket) {
		if s.State == netstat.Listening && (port == "" || port == strconv.Itoa(int(s.Local.Port()))) {
			inodes[s.Inode] = true
		}
	})
	if err != nil {
		return err
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
		held, err := netstat.Holds(pid, inodes)
		if held {
			return nil
		}
		if errors.Is(err, os.ErrPermission) {
			denied = err // else it has ended
		}
	}
	if denied != nil {
		return denied
	}
	return errNotListening
}

var errNotListening = errors.New("it does not listen")
