// Package netstat reads the kernel's tables of sockets (proc(5), /proc/net/tcp and its
// like): who listens where, and which connections there are. It changes and decides nothing.
package netstat

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// Network is a family of tables.
type Network string

const (
	TCP  Network = "tcp"
	UDP  Network = "udp"
	Unix Network = "unix"
)

// State is the state of a socket.
type State int

const (
	Other     State = iota
	Listening       // connections to it are taken; of UDP: it is bound, to nobody in particular
	Open            // a connection that a process holds, or that waits to be taken
	TimeWait        // a connection that was closed from this side, less than a minute ago
)

// Socket is one row.
type Socket struct {
	Local, Remote netip.AddrPort // not of a Unix socket
	Path          string         // of a Unix socket; a name in the abstract namespace begins with "@"
	State         State
	Inode         string        // tells which process has it; "0" = none
	Closed        time.Duration // TimeWait: how long ago it was closed
}

// Each calls f for each socket of a network, as the process sees it; 0 = this one.
func Each(n Network, pid int, f func(Socket)) error {
	dir := "/proc/self/net/"
	if pid != 0 {
		dir = fmt.Sprintf("/proc/%d/net/", pid)
	}
	tables := map[Network][]string{TCP: {"tcp", "tcp6"}, UDP: {"udp", "udp6"}, Unix: {"unix"}}[n]
	for _, table := range tables {
		file, err := os.Open(dir + table)
		if errors.Is(err, os.ErrNotExist) {
			continue // without IPv6
		}
		if err != nil {
			return err
		}
		err = read(n, file, f)
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func read(n Network, table io.Reader, f func(Socket)) error {
	parse := inet
	if n == Unix {
		parse = unix
	}
	lines := bufio.NewScanner(table)
	lines.Scan() // the header
	for lines.Scan() {
		if s, ok := parse(strings.Fields(lines.Text())); ok {
			f(s)
		}
	}
	return lines.Err()
}

// inet reads a row of /proc/net/tcp or udp:
//
//	sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
func inet(fields []string) (Socket, bool) {
	if len(fields) < 10 {
		return Socket{}, false
	}
	local, ok := address(fields[1])
	remote, ok2 := address(fields[2])
	s := Socket{Local: local, Remote: remote, Inode: fields[9]}
	// The states are those of net/tcp_states.h; a UDP socket without a peer has TCP_CLOSE.
	switch fields[3] {
	case "0A":
		s.State = Listening
	case "07":
		if remote.Port() == 0 {
			s.State = Listening
		}
	case "01", "03", "08": // established, being so, and closed by the other side only
		s.State = Open
	case "04", "05": // closed by this side, which may go on reading
		if s.Inode != "0" {
			s.State = Open
		}
	case "06":
		s.State = TimeWait
		_, left, _ := strings.Cut(fields[5], ":")
		if ticks, err := strconv.ParseUint(left, 16, 32); err == nil {
			s.Closed = max(0, timeWait-time.Duration(ticks)*tick)
		}
	}
	return s, ok && ok2
}

const (
	timeWait = 60 * time.Second      // TCP_TIMEWAIT_LEN of the kernel
	tick     = 10 * time.Millisecond // USER_HZ
)

// address reads "0100007F:1F90": the address as 32-bit words of this machine, the port.
func address(text string) (netip.AddrPort, bool) {
	host, portText, _ := strings.Cut(text, ":")
	port, err := strconv.ParseUint(portText, 16, 16)
	if err != nil || len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, false
	}
	var raw []byte
	for i := 0; i < len(host); i += 8 {
		word, err := strconv.ParseUint(host[i:i+8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		raw = binary.NativeEndian.AppendUint32(raw, uint32(word))
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), ok
}

// unix reads a row of /proc/net/unix:
//
//	Num RefCount Protocol Flags Type St Inode Path
func unix(fields []string) (Socket, bool) {
	if len(fields) < 8 {
		return Socket{}, false // without a name
	}
	s := Socket{Path: strings.Join(fields[7:], " "), Inode: fields[6]}
	flags, err := strconv.ParseUint(fields[3], 16, 64)
	switch {
	case flags&(1<<16) != 0: // __SO_ACCEPTON
		s.State = Listening
	case fields[5] == "03", fields[5] == "02": // SS_CONNECTED; nobody has taken it yet
		s.State = Open
	}
	return s, err == nil
}
