// Package cgroup reads control groups of version 2: what a unit uses, where its control
// group is, and which controllers work here. It never writes: systemd is the only writer
// of the control groups it made (https://systemd.io/CGROUP_DELEGATION).
//
// The files are described in Documentation/admin-guide/cgroup-v2.rst of the kernel
// ("cgroup-v2.rst" below). A fact that this kernel or this control group does not have is
// a nil pointer, never a zero.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"golang.org/x/sys/unix"
)

// Infinity stands for "max", no limit, in a limit.
const Infinity = ^uint64(0)

// Usage is what one control group and everything below it use, and their limits.
type Usage struct {
	Memory Memory
	CPU    CPU
	Pids   Pids
}

// Memory holds the facts of the memory controller. All nil where the controller is not
// enabled for the control group.
type Memory struct {
	Current *uint64 // bytes in use, page cache included (memory.current)
	Peak    *uint64 // highest Current since the group was made, bytes (memory.peak, kernel 5.19)
	Max     *uint64 // hard limit, bytes; [Infinity] = none (memory.max)
	Events  MemoryEvents
}

// MemoryEvents counts how often a limit was met, in this group or below it (memory.events;
// with the mount option memory_localevents in this group alone).
type MemoryEvents struct {
	High    *uint64 // throttled for going over memory.high
	Max     *uint64 // was about to go over memory.max
	OOM     *uint64 // reached the limit and an allocation was about to fail
	OOMKill *uint64 // processes killed by any kind of OOM killer (kernel 4.13)
}

// CPU holds the facts of cpu.stat and cpu.max.
type CPU struct {
	// The first three exist with and without the cpu controller.
	UsageUsec  *uint64 // CPU time, microseconds
	UserUsec   *uint64 // of it in user mode
	SystemUsec *uint64 // of it in the kernel

	// The rest only where the cpu controller is enabled for the control group.
	NrPeriods     *uint64 // enforcement periods in which the group wanted to run
	NrThrottled   *uint64 // of them those in which it used up its quota
	ThrottledUsec *uint64 // time it was held back, microseconds, summed over CPUs
	QuotaUsec     *uint64 // CPU time allowed in each period, microseconds; [Infinity] = no limit
	PeriodUsec    *uint64 // length of a period, microseconds; 100000 unless changed
}

// Pids holds the facts of the pids controller, which counts processes and threads.
type Pids struct {
	Current *uint64 // tasks (pids.current)
	Max     *uint64 // limit; [Infinity] = none (pids.max)
}

// Read reads the facts of the control group at dir, an absolute path: [Mount] and the
// unit's ControlGroup. A file that is not there leaves its facts nil. A control group that
// is not there, or goes away meanwhile, is an error that is [fs.ErrNotExist]. On any error
// the facts that could be read are still returned.
func Read(dir string) (Usage, error) { return readFiles(dir, files[:]) }

// ReadUse is [Read] without the limits, for those who know them and read many: opening the
// files is most of the work.
func ReadUse(dir string) (Usage, error) { return readFiles(dir, files[:useFiles]) }

func readFiles(dir string, files []file) (Usage, error) {
	var u Usage
	// Files are opened below a descriptor of the folder: one look-up of the long path
	// instead of eight, and a group made again under the same name is not mixed in.
	dirfd, err := open(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return u, &fs.PathError{Op: "cannot open control group", Path: dir, Err: err}
	}
	defer unix.Close(dirfd)

	var space [4096]byte
	var errs []error
	for i := range files {
		f := &files[i]
		text, err := read(dirfd, f.name, space[:])
		switch {
		case err == nil:
			if err = f.parse(&u, text); err != nil {
				errs = append(errs, fmt.Errorf("cannot parse %s/%s: %w in %q", dir, f.name, err, text))
			}
		case errors.Is(err, unix.ENOENT):
			// Not on this kernel, or the controller is not enabled here.
		case errors.Is(err, unix.ENODEV):
			// The control group was removed after it was opened (fs/kernfs/file.c,
			// kernfs_seq_start).
			return u, &fs.PathError{Op: "cannot read control group", Path: dir, Err: fs.ErrNotExist}
		default:
			errs = append(errs, fmt.Errorf("cannot read %s/%s: %w", dir, f.name, err))
		}
	}
	return u, errors.Join(errs...)
}

type file struct {
	name  string
	parse func(*Usage, []byte) error
}

// useFiles is how many of files tell what is used.
const useFiles = 5

// files are the files [Read] reads.
var files = [...]file{
	{"memory.current", func(u *Usage, b []byte) error { return parseValue(b, &u.Memory.Current) }},
	{"memory.peak", func(u *Usage, b []byte) error { return parseValue(b, &u.Memory.Peak) }},
	{"memory.events", func(u *Usage, b []byte) error { return parseEvents(b, &u.Memory.Events) }},
	{"cpu.stat", func(u *Usage, b []byte) error { return parseCPUStat(b, &u.CPU) }},
	{"pids.current", func(u *Usage, b []byte) error { return parseValue(b, &u.Pids.Current) }},
	{"memory.max", func(u *Usage, b []byte) error { return parseValue(b, &u.Memory.Max) }},
	{"cpu.max", func(u *Usage, b []byte) error { return parseCPUMax(b, &u.CPU) }},
	{"pids.max", func(u *Usage, b []byte) error { return parseValue(b, &u.Pids.Max) }},
}

// parseValue parses a file of one number or "max".
func parseValue(b []byte, to **uint64) error {
	n, err := number(bytes.TrimSuffix(b, []byte("\n")))
	if err != nil {
		return err
	}
	*to = &n
	return nil
}

func parseEvents(b []byte, e *MemoryEvents) error {
	return parseKeyed(b, func(key []byte) **uint64 {
		switch string(key) {
		case "high":
			return &e.High
		case "max":
			return &e.Max
		case "oom":
			return &e.OOM
		case "oom_kill":
			return &e.OOMKill
		}
		return nil
	})
}

func parseCPUStat(b []byte, c *CPU) error {
	return parseKeyed(b, func(key []byte) **uint64 {
		switch string(key) {
		case "usage_usec":
			return &c.UsageUsec
		case "user_usec":
			return &c.UserUsec
		case "system_usec":
			return &c.SystemUsec
		case "nr_periods":
			return &c.NrPeriods
		case "nr_throttled":
			return &c.NrThrottled
		case "throttled_usec":
			return &c.ThrottledUsec
		}
		return nil
	})
}

// parseCPUMax parses "QUOTA PERIOD", as "50000 100000" or "max 100000".
func parseCPUMax(b []byte, c *CPU) error {
	q, p, ok := bytes.Cut(bytes.TrimSuffix(b, []byte("\n")), []byte(" "))
	if !ok {
		return errors.New("no period")
	}
	quota, err := number(q)
	if err != nil {
		return err
	}
	period, err := number(p)
	if err != nil {
		return err
	}
	if period == 0 || period == Infinity {
		return errors.New("impossible period") // callers divide by it
	}
	c.QuotaUsec, c.PeriodUsec = &quota, &period
	return nil
}

// parseKeyed parses lines of "KEY NUMBER" ("flat keyed" in cgroup-v2.rst). where names the
// place of a key's value; keys it answers with nil are skipped, as kernels keep adding some.
func parseKeyed(b []byte, where func(key []byte) **uint64) error {
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		key, value, ok := bytes.Cut(line, []byte(" "))
		if !ok {
			return fmt.Errorf("no value on line %q", line)
		}
		to := where(key)
		if to == nil {
			continue
		}
		n, err := number(value)
		if err != nil {
			return err
		}
		*to = &n
	}
	return nil
}

// number parses a decimal number, or "max" as Infinity.
func number(b []byte) (uint64, error) {
	if string(b) == "max" {
		return Infinity, nil
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("bad number %q", b)
	}
	return n, nil
}

// read returns the contents of a small file in buf. A single read is enough: kernfs gives
// a file of one record whole when it fits (fs/seq_file.c, seq_read_iter). os.ReadFile
// would do twice as many system calls, epoll_ctl(2) among them.
func read(dirfd int, name string, buf []byte) ([]byte, error) {
	fd, err := open(dirfd, name, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == len(buf):
			return nil, unix.EFBIG
		}
		return buf[:n], nil
	}
}

func open(dirfd int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, flags|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
