package cgroup

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// LocalEvents reads memory.events.local (kernel 5.2): what happened because of the limits of
// the control group at dir itself, and not of those below it. OOMKill counts its own
// processes. The error is [fs.ErrNotExist] on an older kernel, without the memory controller,
// and for a control group that is gone.
func LocalEvents(dir string) (MemoryEvents, error) { return events(dir + "/memory.events.local") }

// Events reads memory.events, which counts the control groups below too.
func Events(dir string) (MemoryEvents, error) { return events(dir + "/memory.events") }

func events(path string) (MemoryEvents, error) {
	var e MemoryEvents
	var space [1024]byte
	text, err := read(unix.AT_FDCWD, path, space[:])
	if err == nil {
		err = parseEvents(text, &e)
	}
	if err != nil {
		return e, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return e, nil
}

// MemoryMax reads memory.max, bytes; [Infinity] = no limit.
func MemoryMax(dir string) (uint64, error) {
	var space [64]byte
	var n *uint64
	text, err := read(unix.AT_FDCWD, dir+"/memory.max", space[:])
	if err == nil {
		err = parseValue(text, &n)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read %s/memory.max: %w", dir, err)
	}
	return *n, nil
}
