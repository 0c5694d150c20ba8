package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Layout says which versions of cgroup a machine uses.
type Layout string

const (
	Unified Layout = "unified" // version 2 alone: every limit can hold
	Hybrid  Layout = "hybrid"  // version 2 beside version 1, which has some or all controllers
	Legacy  Layout = "legacy"  // version 1 alone
	None    Layout = "none"    // no control groups are mounted
)

// Host is what can be limited on this machine. Inside a container it is what the
// container was given.
type Host struct {
	Layout      Layout
	Mount       string   // where cgroup v2 is mounted, "" where it is not
	Controllers []string // on version 2, at Mount

	v1       map[string]string // controllers on version 1 and their mount points, "" = not mounted here
	disabled []string          // controllers switched off in the kernel
}

// Detect looks at the mounts and controllers of this machine.
func Detect() (Host, error) {
	h := Host{}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return h, fmt.Errorf("cannot detect the version of cgroup: %w", err)
	}
	// Not there in a kernel without cgroup v1 (CONFIG_PROC_CGROUPS).
	table, err := os.ReadFile("/proc/cgroups")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, fmt.Errorf("cannot detect the version of cgroup: %w", err)
	}
	mount, err := Mount()
	if err != nil && !errors.Is(err, ErrNoMount) {
		return h, err
	}
	var controllers []string
	if mount != "" {
		if controllers, err = Controllers(mount); err != nil {
			return h, err
		}
	}
	return detect(mount, controllers, mountinfo, table), nil
}

// detect judges the texts of /proc/self/mountinfo and /proc/cgroups.
func detect(mount string, controllers []string, mountinfo, cgroups []byte) Host {
	m := mounts(mountinfo)
	h := Host{Mount: mount, Controllers: controllers, v1: m.v1}
	// "#subsys_name hierarchy num_cgroups enabled" (proc_cgroups(5)). The hierarchy is 0
	// for a controller that is on version 2 or nowhere. Newer kernels list only what version 1
	// could have, so that a controller that is not listed means nothing.
	for line := range strings.Lines(string(cgroups)) {
		f := strings.Fields(line)
		if len(f) != 4 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if f[3] == "0" {
			h.disabled = append(h.disabled, f[0])
		} else if _, mounted := h.v1[f[0]]; f[1] != "0" && !mounted {
			h.v1[f[0]] = "" // in use by another mount namespace
		}
	}
	switch {
	case mount != "" && len(h.v1) == 0:
		h.Layout = Unified
	case mount != "":
		h.Layout = Hybrid
	case len(h.v1) != 0:
		h.Layout = Legacy
	default:
		h.Layout = None
	}
	return h
}

// Missing says why the limits of a controller ("memory", "cpu", "io", "pids") cannot hold
// on this machine and what would help, in one line; "" where they can.
func (h Host) Missing(controller string) string {
	if slices.Contains(h.Controllers, controller) {
		return ""
	}
	old := controller
	if old == "io" {
		old = "blkio" // its name in version 1
	}
	if dir, ok := h.v1[old]; ok {
		if dir == "" {
			dir = "a hierarchy of its own"
		}
		return fmt.Sprintf("cgroup v1: the %s controller is bound to %s; boot with systemd.unified_cgroup_hierarchy=1", old, dir)
	}
	switch {
	case slices.Contains(h.disabled, old) && controller == "memory":
		return "the memory controller is switched off in the kernel; boot with cgroup_enable=memory and without cgroup_disable=memory"
	case slices.Contains(h.disabled, old):
		return fmt.Sprintf("the %s controller is switched off in the kernel; boot without cgroup_disable=%s", controller, old)
	case h.Mount == "":
		return fmt.Sprintf("the %s controller has no place: cgroup v2 is not mounted; mount it with mount -t cgroup2 none /sys/fs/cgroup", controller)
	}
	return fmt.Sprintf("the %s controller is not available in %s; the kernel lacks it, or this container was not given it", controller, h.Mount)
}

// MissingIn is [Host.Missing] for units below the control group at dir, an absolute path.
// The one to ask about is the control group of the service manager: "/" below Mount for
// PID 1, that of user@UID.service for a user manager. Slices and units list only what
// systemd had reason to pass down to them so far. The error is that of [Controllers].
func (h Host) MissingIn(dir, controller string) (string, error) {
	if why := h.Missing(controller); why != "" {
		return why, nil
	}
	have, err := Controllers(dir)
	if err != nil {
		return "", err
	}
	if slices.Contains(have, controller) {
		return "", nil
	}
	if strings.Contains(dir, "/user@") {
		return fmt.Sprintf("the %s controller is not delegated to the user manager in %s; "+
			"as root, run systemctl edit user@.service, add [Service] and Delegate=cpu cpuset io memory pids, and log in again", controller, dir), nil
	}
	return fmt.Sprintf("the %s controller is not delegated to %s", controller, dir), nil
}
