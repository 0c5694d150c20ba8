package main

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"msup/cgroup"
	"msup/doctor"

	"golang.org/x/sys/unix"
)

// cgroupFacts looks at the control groups of the machine and, unless bus is nil, of the
// manager.
func cgroupFacts(bus bus) doctor.Cgroup {
	c := doctor.Cgroup{Missing: map[string]string{}}
	if c.Host, c.Err = cgroup.Detect(); c.Err != nil {
		return c
	}
	c.Memory, c.Swap = memoryAndSwap("/proc/meminfo")
	_, err := os.Stat("/proc/pressure/memory")
	c.Pressure = new(err == nil)
	if bus == nil {
		for _, controller := range controllers {
			if why := c.Host.Missing(controller); why != "" {
				c.Missing[controller] = why
			}
		}
		return c
	}
	c.Group = bus.ControlGroup()
	dir := filepath.Join(c.Host.Mount, c.Group)
	if c.Host.Mount != "" {
		c.Has, _ = cgroup.Controllers(dir) // MissingIn says what is wrong
	}
	c.Missing = missingControllers(c.Host, dir)
	c.SwapLimits = swapLimits(dir)
	return c
}

// memoryAndSwap reads proc_meminfo(5): bytes of memory (0 = not known), and whether there is
// swap (nil = not known).
func memoryAndSwap(file string) (memory uint64, swap *bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, nil
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 54)
		if err != nil {
			continue
		}
		switch name {
		case "MemTotal":
			memory = kib << 10
		case "SwapTotal":
			swap = new(kib > 0)
		}
	}
	return memory, swap
}

// swapLimits tells whether the kernel counts swap by control group: then a group with the
// memory controller has memory.swap.max. nil = no group to look at has it.
func swapLimits(dir string) *bool {
	groups, _ := filepath.Glob(filepath.Join(dir, "*", "memory.max"))
	if len(groups) == 0 {
		return nil
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(groups[0]), "memory.swap.max"))
	return new(err == nil)
}

// journalFacts reads how journald is configured (journald.conf(5)) and where it writes.
func journalFacts() doctor.Journal {
	j := doctor.Journal{Interval: "30s", Burst: "10000", Storage: "auto"}
	if _, err := os.Stat("/run/systemd/journal/socket"); errors.Is(err, fs.ErrNotExist) {
		return doctor.Journal{Absent: true}
	}
	j.Err = readJournald("/", &j)
	if j.Storage != "none" {
		persistent, volatile := journals("/var/log/journal"), journals("/run/log/journal")
		if len(persistent)+len(volatile) > 0 {
			j.Persistent = new(len(persistent) > 0)
			j.Readable = new(slices.ContainsFunc(append(persistent, volatile...), func(file string) bool {
				return unix.Faccessat(unix.AT_FDCWD, file, unix.R_OK, unix.AT_EACCESS) == nil
			}))
		}
	}
	return j
}

// journals lists the files of a folder of journals.
func journals(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.journal"))
	return files
}

// readJournald reads the files of journald.conf(5) below root, the most important last:
// the main file is the first of its kind, and drop-ins of one name hide each other.
func readJournald(root string, j *doctor.Journal) error {
	folders := []string{"usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd"}
	main, dropIns := "", map[string]string{}
	for _, folder := range folders {
		path := filepath.Join(root, folder, "journald.conf")
		if _, err := os.Stat(path); err == nil {
			main = path
		}
		files, _ := filepath.Glob(filepath.Join(root, folder, "journald.conf.d", "*.conf"))
		for _, file := range files {
			dropIns[filepath.Base(file)] = file
		}
	}
	var files []string
	if main != "" {
		files = append(files, main)
	}
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		files = append(files, dropIns[name])
	}
	var errs []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		parseJournald(text, j)
	}
	return errors.Join(errs...)
}

func parseJournald(text []byte, j *doctor.Journal) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		value = strings.TrimSpace(value)
		if !ok || value == "" || strings.HasPrefix(name, "#") || strings.HasPrefix(name, ";") {
			continue
		}
		switch strings.TrimSpace(name) {
		case "RateLimitIntervalSec", "RateLimitInterval":
			j.Interval = value
		case "RateLimitBurst":
			j.Burst = value
		case "Storage":
			j.Storage = value
		}
	}
}
