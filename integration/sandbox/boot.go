//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// unshared puts command into namespaces of its own, as the first process of a PID namespace that dies with unshare, and unshare
// with the keeper.
func unshared(namespaces []string, command ...string) []string {
	line := append([]string{"unshare"}, namespaces...)
	return append(append(line, "--mount", "--pid", "--fork", "--kill-child=KILL", "--"), command...)
}

// bootNamespaces is the command line that boots systemd on the host's kernel, in cgroup.
func bootNamespaces(state, cgroup string) []string {
	// The process enters the cgroup before it unshares, because a new cgroup namespace has its root where the process is.
	// The outer unshare stays outside: a process that systemd cannot see, and so cannot move out of its root
	// cgroup, would keep it from enabling controllers there.
	script := fmt.Sprintf("echo 0 >%s && exec unshare --cgroup -- /bin/sh %s",
		quote(filepath.Join(cgroup, "cgroup.procs")), quote(filepath.Join(state, "init")))
	return unshared([]string{"--uts", "--ipc", "--net"}, "/bin/sh", "-c", script)
}

// cgroup2Mount is where the host has its cgroup2 hierarchy: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside version 1.
func cgroup2Mount() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1], nil
		}
	}
	return "", errors.New("cannot find cgroup2 hierarchy: none is mounted")
}

// umlModules is where Debian puts the modules of User-mode Linux.
const umlModules = "/usr/lib/uml/modules"

// umlBinary is the User-mode Linux kernel; Debian calls it linux.uml, others linux.
func umlBinary() string {
	for _, path := range []string{"/usr/bin/linux.uml", "/usr/bin/linux"} {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

// bootUML is the command line that boots systemd on a kernel of its own.
func bootUML(state string, o Options) []string {
	memory := filepath.Join(state, "layers")
	kernel := []string{
		// With random addresses, the kernel adds the gap before its heap, up to gigabytes, to the memory it has to manage.
		"setarch", "--addr-no-randomize", umlBinary(),
		"mem=" + o.Memory,
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
		"init=" + filepath.Join(state, "init"),
		"noreboot", "panic=-1", // end, whatever happens
		// The state folder may be in the host's /dev/shm, which a devtmpfs on /dev would hide.
		"devtmpfs.mount=0",
		"umid=sandbox", "uml_dir=" + memory,
		// The console's input would end the console when it ends, and nobody types there.
		"con=null", "con0=null,fd:1", "ssl=null",
		// What systemd says before journald runs would be on the console twice, from it and from the kernel.
		"loglevel=5",
		"systemd.show_status=1", "systemd.unified_cgroup_hierarchy=1", "lsm=capability",
	}
	if o.Terminal != nil {
		kernel = append(kernel, "con1=fd:4,fd:5")
	}
	// The memory of the machine is a file that is mapped shared. In a mount namespace of its own it cannot leak, and
	// is not bound by the size of the host's /dev/shm. In a PID namespace of its own all processes of the host that
	// User-mode Linux makes, one for each address space inside, end with it. The shell stays the first process there: in that
	// place the kernel's panic, an abort, would be ignored and go on forever.
	script := fmt.Sprintf("mount -t tmpfs -o size=%s sandbox %s || exit; TMPDIR=%[2]s HOME=%[2]s \"$@\"; exit $?", "100%", quote(memory))
	return unshared(nil, append([]string{"/bin/sh", "-c", script, "uml"}, kernel...)...)
}
