package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"

	"msup/cgroup"
	"msup/units"

	"golang.org/x/sys/unix"
)

// peaks remembers how much memory units with a limit have used, because the control group
// is usually gone when systemd tells of the end. The kernel notifies memory.events when
// the limit is hit (cgroup-v2.rst, "memory.events"), which is the moment to look; nothing
// is polled.
type peaks struct {
	mount   string
	limited map[string]bool // units
	inotify *os.File        // nil = not to be had

	mu      sync.Mutex
	groups  map[string]string // directory of the control group by unit
	watches map[int32]string  // unit by inotify watch
	seen    map[string]uint64 // bytes by unit
}

func newPeaks(project units.Project) *peaks {
	p := &peaks{limited: map[string]bool{}, groups: map[string]string{}, watches: map[int32]string{}, seen: map[string]uint64{}}
	for _, prog := range project.Programs {
		if m := prog.Limits.MemoryMax; m != nil && *m != units.Infinity {
			p.limited[prog.Unit] = true
		}
	}
	mount, err := cgroup.Mount()
	if err != nil || len(p.limited) == 0 {
		return p
	}
	p.mount = mount
	if fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err == nil {
		p.inotify = os.NewFile(uintptr(fd), "inotify")
		go p.run()
	}
	return p
}

// redefine takes note of which units have a limit by now.
func (p *peaks) redefine(project units.Project) {
	limited := map[string]bool{}
	for _, prog := range project.Programs {
		if m := prog.Limits.MemoryMax; m != nil && *m != units.Infinity {
			limited[prog.Unit] = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limited = limited
}

func (p *peaks) close() {
	if p.inotify != nil {
		p.inotify.Close()
	}
}

// watch takes note of a run of the unit.
func (p *peaks) watch(unit string, pid uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.limited[unit] || p.mount == "" {
		return
	}
	group, err := cgroup.Of(int(pid), unit)
	if err != nil {
		return
	}
	dir := filepath.Join(p.mount, group)
	p.groups[unit] = dir
	delete(p.seen, unit)
	if p.inotify == nil {
		return
	}
	raw, err := p.inotify.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		// The kernel does not end the watch of a control group that is removed.
		for w, of := range p.watches {
			if of == unit {
				_, _ = unix.InotifyRmWatch(int(fd), uint32(w))
				delete(p.watches, w)
			}
		}
		if w, err := unix.InotifyAddWatch(int(fd), filepath.Join(dir, "memory.events"), unix.IN_MODIFY); err == nil {
			p.watches[int32(w)] = unit
		}
	})
}

// peak returns the most memory the unit has used, nil = not known.
func (p *peaks) peak(unit string) *uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(unit)
	if n, ok := p.seen[unit]; ok {
		return &n
	}
	return nil
}

func (p *peaks) look(unit string) {
	dir, ok := p.groups[unit]
	if !ok {
		return
	}
	if u, err := cgroup.ReadUse(dir); err == nil && u.Memory.Peak != nil {
		p.seen[unit] = max(p.seen[unit], *u.Memory.Peak)
	}
}

func (p *peaks) run() {
	buf := make([]byte, 4096)
	for {
		n, err := p.inotify.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd := int32(binary.NativeEndian.Uint32(b[0:4]))
			mask := binary.NativeEndian.Uint32(b[4:8])
			nameLen := binary.NativeEndian.Uint32(b[12:16])
			b = b[min(len(b), unix.SizeofInotifyEvent+int(nameLen)):]
			if unit, ok := p.watches[wd]; ok {
				if mask&unix.IN_IGNORED != 0 {
					delete(p.watches, wd)
				} else {
					p.look(unit)
				}
			}
		}
		p.mu.Unlock()
	}
}
