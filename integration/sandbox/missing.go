//go:build linux

package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Missing says what this machine lacks to boot a kind of sandbox, each as a sentence with the fix. It is empty when all is there.
func Missing(kind Kind) []string { return missing(Options{Kind: kind}) }

func missing(o Options) []string {
	switch {
	case o.Kind != Namespaces && o.Kind != UML:
		return []string{fmt.Sprintf("There is no kind of sandbox %q: use %q or %q.", o.Kind, Namespaces, UML)}
	case o.Kind == UML && o.Root != "":
		return []string{"User-mode Linux boots the host's files only: use namespaces to boot another root tree."}
	case os.Geteuid() != 0:
		// What else is missing cannot be seen without.
		return []string{"Sandboxes need root: run this as root, or with sudo."}
	}
	var all []string
	need := func(ok bool, sentence string) {
		if !ok {
			all = append(all, sentence)
		}
	}
	const script = "run integration/install-deps.sh"
	need(exists(o.Root, "/lib/systemd/systemd"), "systemd is not installed: "+script+".")
	need(exists(o.Root, "/usr/bin/dbus-daemon") || exists(o.Root, "/usr/bin/dbus-broker"), "The D-Bus daemon is not installed: "+script+".")
	for _, program := range []string{"unshare", "mount", "umount", "pivot_root"} {
		_, err := exec.LookPath(program)
		need(err == nil, program+" is not installed: install util-linux.")
	}
	if len(all) == 0 {
		err := exec.Command("unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "true").Run()
		need(err == nil, "This root may not make namespaces: in a container, start it with --privileged.")
	}
	if o.Kind == UML {
		need(runtime.GOARCH == "amd64", "User-mode Linux runs on amd64 only: use namespaces here.")
		need(umlBinary() != "", "User-mode Linux is not installed: "+script+" (Debian and Ubuntu only), or use namespaces.")
		modules, _ := filepath.Glob(umlModules + "/*/kernel/fs/overlayfs/overlay.ko*")
		need(len(modules) > 0, "User-mode Linux has no overlay module below "+umlModules+": "+script+" (Debian and Ubuntu only).")
		_, err := exec.LookPath("insmod")
		need(err == nil, "insmod is not installed: install kmod.")
		return all
	}
	if hierarchy, err := cgroup2Mount(); err != nil {
		need(false, "There is no cgroup2 hierarchy: mount -t cgroup2 cgroup2 /sys/fs/cgroup.")
	} else {
		err := unix.Access(hierarchy, unix.W_OK)
		need(err == nil, "The cgroup2 hierarchy at "+hierarchy+" is read-only: in a container, start it with --privileged.")
	}
	filesystems, err := os.ReadFile("/proc/filesystems")
	need(err != nil || strings.Contains(string(filesystems), "\toverlay\n") || exec.Command("modprobe", "overlay").Run() == nil,
		"The kernel has no overlay file system: modprobe overlay.")
	return all
}

// exists reports whether path, in the tree root, is there.
func exists(root, path string) bool {
	_, err := os.Stat(filepath.Join("/", root, path))
	return err == nil
}
