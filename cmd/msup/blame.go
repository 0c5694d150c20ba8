package main

import (
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"msup/cgroup"
	"msup/units"

	"golang.org/x/sys/unix"
)

// blamer knows whose limit was met when a unit lost a process for memory: its own, or that
// of a slice it is in. The kernel counts a limit that nothing could be done about where it
// stands (memory.events.local, oom) and a process it killed where that was (memory.events,
// oom_kill), so that a kill in a unit whose own limit was not met is due to the slice whose
// count has just risen. The kernel tells of both as they happen; nothing is polled. The
// unit's control group may be gone by then, a slice's is not.
type blamer struct {
	mount   string   // of cgroup v2, "" = there is none
	inotify *os.File // nil = not to be had
	now     func() time.Time

	mu      sync.Mutex
	above   map[string]*limitGroup // slices, by directory
	units   map[string]*victim
	watches map[int32]string // directory by inotify watch
}

// limitGroup is a control group with others below it.
type limitGroup struct {
	dir   string
	ooms  uint64 // as last read
	hits  uint64 // of them those that no kill was explained by
	hitAt time.Time
}

// victim is the control group of a unit.
type victim struct {
	dir         string
	above       []*limitGroup // the nearest first
	ooms, kills uint64        // as last read
	blame       *units.Blame  // of its last kill; nil = none was seen
}

// hitAge is how old a limit that was met may be to explain a kill: both come at once.
const hitAge = 3 * time.Second

func newBlamer() *blamer {
	mount, err := cgroup.Mount()
	if err != nil {
		mount = ""
	}
	b := blamerAt(mount)
	if fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err == nil && mount != "" {
		b.inotify = os.NewFile(uintptr(fd), "inotify")
		go b.run()
	}
	return b
}

func blamerAt(mount string) *blamer {
	return &blamer{mount: mount, now: time.Now, above: map[string]*limitGroup{}, units: map[string]*victim{}, watches: map[int32]string{}}
}

func (b *blamer) close() {
	if b.inotify != nil {
		b.inotify.Close()
	}
}

// watch takes note of a run of the unit.
func (b *blamer) watch(unit string, pid uint32) {
	if b.mount == "" {
		return
	}
	if group, err := cgroup.Of(int(pid), unit); err == nil {
		b.begin(unit, group)
	}
}

// begin takes note of a run in a control group, relative to the mount.
func (b *blamer) begin(unit, group string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &victim{dir: filepath.Join(b.mount, group)}
	for dir := path.Dir(group); dir != "/" && dir != "."; dir = path.Dir(dir) {
		abs := filepath.Join(b.mount, dir)
		g := b.above[abs]
		if g == nil {
			g = &limitGroup{dir: abs}
			g.ooms, _ = localOOMs(abs)
			b.above[abs] = g
			b.add(abs, "memory.events.local")
		}
		v.above = append(v.above, g)
	}
	v.ooms, v.kills, _ = v.read()
	if old := b.units[unit]; old != nil {
		b.forget(old.dir)
	}
	b.units[unit] = v
	b.add(v.dir, "memory.events")
}

// add has the kernel tell of changes of a file.
func (b *blamer) add(dir, file string) {
	_ = withFD(b.inotify, func(fd int) error {
		w, err := unix.InotifyAddWatch(fd, filepath.Join(dir, file), unix.IN_MODIFY)
		if err == nil {
			b.watches[int32(w)] = dir
		}
		return err // no memory controller
	})
}

// forget ends the watch of a control group: the kernel does not when that is removed.
func (b *blamer) forget(dir string) {
	_ = withFD(b.inotify, func(fd int) error {
		for w, of := range b.watches {
			if of == dir {
				_, _ = unix.InotifyRmWatch(fd, uint32(w))
				delete(b.watches, w)
			}
		}
		return nil
	})
}

// of tells whose limit was met when the unit last lost a process for memory.
func (b *blamer) of(unit string) units.Blame {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.units[unit]
	if v == nil {
		return units.Blame{}
	}
	b.look(v)
	if v.blame != nil {
		return *v.blame
	}
	// Its control group went before anybody saw it.
	if g := b.hit(v); g != nil {
		return g.blame()
	}
	for _, g := range v.above {
		if _, ok := localOOMs(g.dir); !ok {
			return units.Blame{}
		}
	}
	return units.Blame{NotSlice: true}
}

// look sees whether the unit has lost a process, and whose limit that was.
func (b *blamer) look(v *victim) {
	ooms, kills, ok := v.read()
	if !ok || kills <= v.kills {
		return
	}
	own := ooms > v.ooms
	v.ooms, v.kills = ooms, kills
	if own {
		v.blame = &units.Blame{NotSlice: true}
	} else if g := b.hit(v); g != nil {
		v.blame = new(g.blame())
	} else {
		v.blame = &units.Blame{NotOwn: true, NotSlice: true} // that of the machine, or of what it runs in
	}
}

// hit returns the nearest slice above whose limit was just met, and takes it as explained.
func (b *blamer) hit(v *victim) *limitGroup {
	for _, g := range v.above {
		b.count(g)
		if g.hits > 0 && b.now().Sub(g.hitAt) <= hitAge {
			g.hits--
			return g
		}
	}
	return nil
}

func (b *blamer) count(g *limitGroup) {
	n, ok := localOOMs(g.dir)
	if !ok || n == g.ooms {
		return
	}
	if n < g.ooms { // it was made anew
		g.ooms, g.hits = 0, 0
	}
	if b.now().Sub(g.hitAt) > hitAge {
		g.hits = 0
	}
	g.hits += n - g.ooms
	g.ooms, g.hitAt = n, b.now()
}

func (g *limitGroup) blame() units.Blame {
	out := units.Blame{Slice: filepath.Base(g.dir), NotOwn: true}
	if limit, err := cgroup.MemoryMax(g.dir); err == nil {
		out.Limit = &limit
	}
	return out
}

func localOOMs(dir string) (uint64, bool) {
	e, err := cgroup.LocalEvents(dir)
	if err != nil || e.OOM == nil {
		return 0, false
	}
	return *e.OOM, true
}

func (v *victim) read() (ooms, kills uint64, ok bool) {
	e, err := cgroup.Events(v.dir)
	if err != nil || e.OOM == nil || e.OOMKill == nil {
		return 0, 0, false
	}
	return *e.OOM, *e.OOMKill, true
}

func (b *blamer) run() {
	buf := make([]byte, 4096)
	for {
		n, err := b.inotify.Read(buf)
		if err != nil {
			return
		}
		b.mu.Lock()
		var changed []string
		for wd := range inotifyEvents(buf[:n]) {
			if dir, ok := b.watches[wd]; ok {
				changed = append(changed, dir)
			}
		}
		b.told(changed)
		b.mu.Unlock()
	}
}

// told looks at control groups that the kernel has told of: slices first, which explain
// what happened in the others.
func (b *blamer) told(dirs []string) {
	for _, dir := range dirs {
		if g := b.above[dir]; g != nil {
			b.count(g)
		}
	}
	for _, v := range b.units {
		for _, dir := range dirs {
			if v.dir == dir {
				b.look(v)
			}
		}
	}
}
