package main

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"msup/cgroup"
	"msup/units"

	"golang.org/x/sys/unix"
)

// peaks remembers what runs have used, because the control group is usually gone when
// systemd tells of the end. There are two moments to look: the kernel notifies
// memory.events when a limit is met or a process is killed for memory (cgroup-v2.rst,
// "memory.events"), and a pidfd is readable when the main process has ended, which is when
// systemd learns of it too and before it removes the control group. Nothing is polled.
type peaks struct {
	mount   string   // of cgroup v2, "" = there is none
	inotify *os.File // of memory.events; nil = not to be had
	exits   *os.File // epoll of the pidfds; nil = not to be had
	// oomKill is told that processes of a run were killed for memory, and is not waited for
	// by whoever asks for what it has used.
	oomKill func(unit string, pid uint32, u units.Use)

	mu      sync.Mutex
	runs    map[string]*usedRun // by unit
	watches map[int32]string    // unit by inotify watch
	pidfds  map[int32]pidfd     // by number; descriptors are used again too soon
	number  int32               // of the last pidfd
}

// pidfd is the descriptor of a run's main process.
type pidfd struct {
	fd  int
	run *usedRun
}

// usedRun is one run of a unit.
type usedRun struct {
	unit    string
	pid     uint32
	dir     string // of the control group
	use     units.Use
	noticed time.Time // when the kernel last had something to tell, and use was read
	telling bool      // oomKill will be called soon
	told    uint64
}

func newPeaks(oomKill func(unit string, pid uint32, u units.Use)) *peaks {
	p := &peaks{oomKill: oomKill, runs: map[string]*usedRun{}, watches: map[int32]string{}, pidfds: map[int32]pidfd{}}
	mount, err := cgroup.Mount()
	if err != nil {
		return p
	}
	p.mount = mount
	if fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err == nil {
		p.inotify = os.NewFile(uintptr(fd), "inotify")
		go p.readEvents()
	}
	if fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		_ = unix.SetNonblock(fd, true) // has os.NewFile put it into the runtime's poller
		p.exits = os.NewFile(uintptr(fd), "epoll")
		go p.readExits()
	}
	return p
}

func (p *peaks) close() {
	if p.inotify != nil {
		p.inotify.Close()
	}
	if p.exits == nil {
		return
	}
	p.exits.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.pidfds {
		unix.Close(d.fd)
	}
	clear(p.pidfds)
}

// watch takes note of a run of the unit.
func (p *peaks) watch(unit string, pid uint32) {
	if p.mount == "" {
		return
	}
	group, err := cgroup.Of(int(pid), unit)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &usedRun{unit: unit, pid: pid, dir: filepath.Join(p.mount, group)}
	p.runs[unit] = r
	p.watchEvents(r)
	p.watchExit(r)
}

// watchEvents has the kernel tell when a memory limit is met.
func (p *peaks) watchEvents(r *usedRun) {
	_ = withFD(p.inotify, func(fd int) error {
		// The kernel does not end the watch of a control group that is removed.
		for w, of := range p.watches {
			if of == r.unit {
				_, _ = unix.InotifyRmWatch(fd, uint32(w))
				delete(p.watches, w)
			}
		}
		w, err := unix.InotifyAddWatch(fd, filepath.Join(r.dir, "memory.events"), unix.IN_MODIFY)
		if err != nil {
			return err // no memory controller
		}
		p.watches[int32(w)] = r.unit
		p.look(r) // what was before, if the supervisor has taken the run over
		return nil
	})
}

// watchExit has the kernel tell when the main process has ended.
func (p *peaks) watchExit(r *usedRun) {
	_ = withFD(p.exits, func(epoll int) error {
		for number, d := range p.pidfds {
			if d.run.unit == r.unit {
				unix.Close(d.fd) // takes it out of the epoll set
				delete(p.pidfds, number)
			}
		}
		fd, err := unix.PidfdOpen(int(r.pid), 0)
		if err != nil {
			return err // it has ended already, or Linux is older than 5.3
		}
		p.number++
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: p.number}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			unix.Close(fd)
			return err
		}
		p.pidfds[p.number] = pidfd{fd, r}
		return nil
	})
}

// use returns what the run with this main process has used, as it is now, or was at a notice of
// the kernel's just before: what was seen earlier says nothing of the end.
func (p *peaks) use(unit string, pid uint32) units.Use {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.runs[unit]
	if r == nil || r.pid != pid {
		return units.Use{}
	}
	if !p.look(r) && time.Since(r.noticed) > noticeWait {
		return units.Use{}
	}
	return r.use
}

// noticeWait is how long after the kernel's notice systemd may tell of an end.
const noticeWait = 5 * time.Second

// notice looks because the kernel said so.
func (p *peaks) notice(r *usedRun) {
	if p.look(r) {
		r.noticed = time.Now()
	}
}

// look reads what the unit uses now. What cannot be read stays as it was seen last.
func (p *peaks) look(r *usedRun) bool {
	u, err := cgroup.ReadUse(r.dir)
	if err != nil {
		return false
	}
	// The control group of the next run has the same name: counts that went down are its.
	if had := r.use.CPUUsec; had != nil && u.CPU.UsageUsec != nil && *u.CPU.UsageUsec < *had {
		return false
	}
	if r.use.MemoryPeak != nil && u.Memory.Peak == nil {
		return false // it is being removed
	}
	keep := func(to **uint64, v *uint64) {
		if v != nil {
			*to = v
		}
	}
	keep(&r.use.MemoryPeak, u.Memory.Peak)
	keep(&r.use.OOMKills, u.Memory.Events.OOMKill)
	keep(&r.use.MemoryMax, u.Memory.Events.Max)
	keep(&r.use.MemoryHigh, u.Memory.Events.High)
	keep(&r.use.CPUUsec, u.CPU.UsageUsec)
	keep(&r.use.Periods, u.CPU.NrPeriods)
	keep(&r.use.Throttled, u.CPU.NrThrottled)
	keep(&r.use.ThrottledUsec, u.CPU.ThrottledUsec)
	if kills := r.use.OOMKills; kills != nil && *kills > r.told && !r.telling && p.oomKill != nil {
		r.telling = true
		time.AfterFunc(oomWait, func() { p.tellKill(r) })
	}
	return true
}

// oomWait is how long a kill for memory waits for the end of the main process, which would
// tell of it.
const oomWait = time.Second

func (p *peaks) tellKill(r *usedRun) {
	p.mu.Lock()
	r.telling, r.told = false, *r.use.OOMKills
	u, current := r.use, p.runs[r.unit] == r
	p.mu.Unlock()
	if current {
		p.oomKill(r.unit, r.pid, u)
	}
}

func (p *peaks) readEvents() {
	buf := make([]byte, 4096)
	for {
		n, err := p.inotify.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		for wd, mask := range inotifyEvents(buf[:n]) {
			unit, ok := p.watches[wd]
			switch {
			case !ok:
			case mask&unix.IN_IGNORED != 0:
				delete(p.watches, wd)
			case p.runs[unit] != nil:
				p.notice(p.runs[unit])
			}
		}
		p.mu.Unlock()
	}
}

func (p *peaks) readExits() {
	raw, err := p.exits.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, 64)
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events, 0)
			return n > 0
		})
		if err != nil {
			return
		}
		p.mu.Lock()
		for _, e := range events[:n] {
			if d, ok := p.pidfds[e.Fd]; ok {
				delete(p.pidfds, e.Fd)
				unix.Close(d.fd)
				p.notice(d.run)
			}
		}
		p.mu.Unlock()
	}
}
