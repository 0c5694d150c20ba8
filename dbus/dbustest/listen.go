package dbustest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	godbus "github.com/godbus/dbus/v5"
)

// messages is how many messages of a connection may wait; godbus drops what is above.
const messages = 1 << 16

// NewPrivate starts a server on a socket like systemd's private one: no Hello, and signals
// without asking.
func NewPrivate(t testing.TB) *Server {
	t.Helper()
	s := newServer(t)
	s.Private = true
	s.Address = filepath.Join(t.TempDir(), "private")
	var l net.Listener
	s.restart = func() {
		var err error
		if l, err = net.Listen("unix", s.Address); err != nil {
			t.Fatalf("cannot listen: %v", err)
		}
		go s.accept(l)
	}
	s.stop = func() { l.Close() }
	s.restart()
	t.Cleanup(s.Drop)
	return s
}

func (s *Server) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			conn, in, err := handshake(nc)
			if err != nil {
				nc.Close()
				return
			}
			s.mu.Lock()
			s.links[conn] = struct{}{}
			s.mu.Unlock()
			s.serve(conn, in)
		}()
	}
}

// handshake plays the server's half of SASL EXTERNAL and gives the connection to godbus,
// which only knows the client's half and is answered locally.
func handshake(nc net.Conn) (*godbus.Conn, <-chan *godbus.Message, error) {
	br := bufio.NewReader(nc)
	for {
		line, err := br.ReadBytes('\n')
		if err != nil {
			return nil, nil, err
		}
		switch line := strings.Trim(string(line), "\x00\r\n"); {
		case line == "AUTH EXTERNAL":
			_, err = io.WriteString(nc, "DATA\r\n")
		case strings.HasPrefix(line, "DATA"), strings.HasPrefix(line, "AUTH EXTERNAL "):
			_, err = io.WriteString(nc, "OK 0123456789abcdef0123456789abcdef\r\n")
		case line == "BEGIN":
			return serverConn(nc, br)
		default:
			_, err = io.WriteString(nc, "ERROR\r\n")
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

func serverConn(nc net.Conn, br *bufio.Reader) (*godbus.Conn, <-chan *godbus.Message, error) {
	conn, err := godbus.NewConn(&localAuth{Conn: nc, br: br})
	if err != nil {
		return nil, nil, err
	}
	in := make(chan *godbus.Message, messages)
	conn.Eavesdrop(in)
	return conn, in, conn.Auth([]godbus.Auth{godbus.AuthExternal("")})
}

// localAuth answers godbus' authentication.
type localAuth struct {
	net.Conn
	br    *bufio.Reader
	local bytes.Buffer
	begun bool
}

func (l *localAuth) Read(p []byte) (int, error) {
	if l.begun {
		return l.br.Read(p)
	}
	return l.local.Read(p)
}

func (l *localAuth) Write(p []byte) (int, error) {
	if l.begun {
		return l.Conn.Write(p)
	}
	switch line := string(bytes.Trim(p, "\x00\r\n")); {
	case line == "AUTH":
		l.local.WriteString("REJECTED EXTERNAL\r\n")
	case line == "BEGIN":
		l.begun = true
	case line != "":
		l.local.WriteString("OK 0\r\n")
	}
	return len(p), nil
}

const busConfig = `<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
`

// NewBus starts a server on a dbus-daemon of its own.
func NewBus(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		const text = "dbus-daemon is not installed (package dbus)"
		if os.Getenv("MSUP_REQUIRE") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, filepath.Join(dir, "bus")), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address")
	daemon.Stderr = t.Output()
	out, err := daemon.StdoutPipe()
	if err == nil {
		err = daemon.Start()
	}
	if err != nil {
		t.Fatalf("cannot start dbus-daemon: %v", err)
	}
	s := newServer(t)
	t.Cleanup(func() {
		s.Drop()
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon does not say its address: %v", err)
	}
	s.Address = strings.TrimSpace(line)
	s.restart = s.own
	s.own()
	return s
}

// own takes the name of systemd on the bus.
func (s *Server) own() {
	conn, err := godbus.Connect(s.Address)
	if err != nil {
		s.t.Errorf("cannot connect to the bus: %v", err)
		return
	}
	in := make(chan *godbus.Message, messages)
	s.mu.Lock()
	s.links[conn] = struct{}{}
	s.mu.Unlock()
	reply, err := conn.RequestName(busName, godbus.NameFlagDoNotQueue)
	if err != nil || reply != godbus.RequestNameReplyPrimaryOwner {
		s.t.Errorf("cannot own %s: %v %v", busName, reply, err)
		return
	}
	conn.Eavesdrop(in)
	go s.serve(conn, in)
}
