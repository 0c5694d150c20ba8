package netstat_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/netstat"
)

func TestConnections(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	path := filepath.Join(t.TempDir(), "my socket")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	abstract, err := net.Listen("unix", "@netstat-test")
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	port := fmt.Sprint(tcp.Addr().(*net.TCPAddr).Port)
	for _, tt := range []struct {
		l     net.Listener
		at    netstat.Address
		other netstat.Address
	}{
		{tcp, netstat.Address{Network: netstat.TCP, Where: port}, netstat.Address{Network: netstat.TCP, Where: "127.0.0.9:" + port}},
		{tcp, netstat.Address{Network: netstat.TCP, Where: "127.0.0.1:" + port}, netstat.Address{Network: netstat.UDP, Where: port}},
		{tcp, netstat.Address{Network: netstat.TCP, Where: "0.0.0.0:" + port}, netstat.Address{Network: netstat.TCP, Where: "1"}},
		{unix, netstat.Address{Network: netstat.Unix, Where: path}, netstat.Address{Network: netstat.Unix, Where: path + "2"}},
		{abstract, netstat.Address{Network: netstat.Unix, Where: "@netstat-test"}, netstat.Address{Network: netstat.Unix, Where: "netstat-test"}},
	} {
		count := func(a netstat.Address) (int, time.Time) {
			t.Helper()
			n, last, err := netstat.Connections([]netstat.Address{a}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return n, last
		}
		if n, _ := count(tt.at); n != 0 {
			t.Errorf("%v: %d connections at first", tt.at, n)
		}
		c, err := net.Dial(tt.l.Addr().Network(), tt.l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := count(tt.at); n != 1 { // it waits
			t.Errorf("%v: %d connections, want one that waits", tt.at, n)
		}
		s, err := tt.l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := count(tt.at); n != 1 {
			t.Errorf("%v: %d connections, want 1", tt.at, n)
		}
		if n, _ := count(tt.other); n != 0 {
			t.Errorf("%v: %d connections", tt.other, n)
		}
		s.Close()
		c.Close()
		n, last := count(tt.at)
		for end := time.Now().Add(5 * time.Second); n != 0 && time.Now().Before(end); n, last = count(tt.at) {
			time.Sleep(time.Millisecond)
		}
		ago := time.Since(last)
		if n != 0 || tt.at.Network == netstat.TCP && (ago < 0 || ago > 10*time.Second) {
			t.Errorf("%v: %d connections at the end, the last one %v ago", tt.at, n, ago)
		}
	}
}

func TestHolder(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s (PID %d)", strings.TrimSpace(string(comm)), os.Getpid())
	port := l.Addr().(*net.TCPAddr).Port
	for _, where := range []string{fmt.Sprint(port), fmt.Sprintf("127.0.0.1:%d", port)} {
		if got := netstat.Holder(netstat.Address{Network: netstat.TCP, Where: where}); got != want {
			t.Errorf("%s is held by %q, want %q", where, got, want)
		}
	}
	if got := netstat.Holder(netstat.Address{Network: netstat.UDP, Where: u.LocalAddr().String()}); got != want {
		t.Errorf("udp is held by %q", got)
	}
	if got := netstat.Holder(netstat.Address{Network: netstat.Unix, Where: "/nowhere"}); got != "" {
		t.Errorf("what is not there is held by %q", got)
	}
}
