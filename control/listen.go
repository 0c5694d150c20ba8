package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// Listener is the supervisor's socket, which can be made again when it was deleted: then a
// connection could reach nobody, though somebody listens.
type Listener struct {
	path string

	mu     sync.Mutex
	now    *net.UnixListener
	closed bool
}

// Listen makes the socket; a stale one is replaced, so the caller must know that no other
// supervisor of the project runs.
func Listen(path string) (*Listener, error) {
	l := &Listener{path: path}
	var err error
	if l.now, err = listen(path); err != nil {
		return nil, err
	}
	return l, nil
}

func listen(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	l.SetUnlinkOnClose(false) // by then another one may be there
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return l, nil
}

// Renew makes the socket again.
func (l *Listener) Renew() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	now, err := listen(l.path)
	if err != nil {
		return err
	}
	l.now.Close() // Accept goes on with the new one
	l.now = now
	return nil
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		now := l.now
		l.mu.Unlock()
		conn, err := now.Accept()
		l.mu.Lock()
		renewed := now != l.now
		l.mu.Unlock()
		if err == nil || !renewed {
			return conn, err
		}
	}
}

// Close implements [net.Listener]. The socket stays, and refuses connections.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.now.Close()
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }
