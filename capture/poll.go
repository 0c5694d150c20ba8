package capture

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller waits for bytes in any pipe. It is one epoll set that Go's own poller watches in
// turn (an epoll descriptor is itself pollable, epoll(7)), so a thousand quiet streams
// need neither a goroutine each nor a thread blocked in epoll_wait.
type poller struct {
	file *os.File
	epfd int

	mu      sync.Mutex
	streams map[int32]*Stream
}

func newPoller() (*poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// os.NewFile gives a descriptor to Go's poller only when it is non-blocking.
	if err := unix.SetNonblock(epfd, true); err != nil {
		unix.Close(epfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(epfd), "epoll"), epfd: epfd, streams: map[int32]*Stream{}}
	raw, err := p.file.SyscallConn()
	if err != nil {
		p.file.Close()
		return nil, err
	}
	go p.run(raw)
	return p, nil
}

// run hands out what is ready until the poller is closed. Go's poller is edge-triggered:
// the set must be found empty before waiting again.
func (p *poller) run(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, 64)
	_ = raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), events, 0)
			if err == unix.EINTR {
				continue
			}
			if n <= 0 {
				return false
			}
			for _, e := range events[:n] {
				p.mu.Lock()
				s := p.streams[e.Fd]
				p.mu.Unlock()
				if s != nil {
					s.kick()
				}
			}
		}
	})
}

// add watches pipe. Each report disarms it until the stream has moved everything and
// arms it again: no event comes while a goroutine is at it anyway.
func (p *poller) add(pipe int, s *Stream) error {
	p.mu.Lock()
	p.streams[int32(pipe)] = s
	p.mu.Unlock()
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(pipe)}
	if err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, pipe, &e); err != nil {
		p.mu.Lock()
		delete(p.streams, int32(pipe))
		p.mu.Unlock()
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// arm asks for one report when the pipe has bytes, at once when it has some already.
func (p *poller) arm(pipe int) error {
	return p.report(pipe, unix.EPOLLIN|unix.EPOLLONESHOT)
}

// onWrite asks for a report of each write into a pipe that has bytes already, and one at
// once, until disarm.
func (p *poller) onWrite(pipe int) error {
	return p.report(pipe, unix.EPOLLIN|unix.EPOLLET)
}

// report asks for reports of the pipe, which may be out of the set.
func (p *poller) report(pipe int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(pipe)}
	err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_MOD, pipe, &e)
	if err == unix.ENOENT {
		err = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, pipe, &e)
	}
	return err
}

// disarm takes the pipe out of the set until it is armed again.
func (p *poller) disarm(pipe int) { _ = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, pipe, nil) }

// remove must come before the pipe is closed: systemd holds another descriptor of the
// same open file, with which the registration would live on (epoll(7), question 6).
func (p *poller) remove(pipe int) {
	_ = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, pipe, nil)
	p.mu.Lock()
	delete(p.streams, int32(pipe))
	p.mu.Unlock()
}

func (p *poller) close() { p.file.Close() }
