# The first program inside a sandbox: it builds the file system and becomes systemd.
#
# Go puts the values of these variables in front: kind (namespaces or uml), state (the state folder, the same path inside
# and outside), lower (the tree to boot), share (a folder to see read-write), program (a file to see although its folder is hidden),
# console and terminal (terminals of the host, for namespaces), machine_id.

set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
trap '[ $? = 0 ] || echo "sandbox: cannot prepare the file system"' EXIT

# from_host SOURCE TARGET ro|rw: makes a folder of the host visible.
from_host() {
	[ -d "$2" ] || mkdir -p "$2"
	if [ "$kind" = uml ]; then
		mount -t hostfs -o "$3,$1" hostfs "$2"
	else
		mount --bind "$1" "$2"
		[ "$3" = rw ] || mount -o remount,bind,ro "$2"
	fi
}

if [ "$kind" = uml ]; then
	mount -t proc proc /proc
	# Debian builds overlay as a module, and there is no /lib/modules for this kernel for modprobe to look in.
	insmod /usr/lib/uml/modules/"$(uname -r)"/kernel/fs/overlayfs/overlay.ko*
fi

# A copy of the tree, whose changes live in memory.
layers=$state/layers
root=$layers/root
mount -t tmpfs -o mode=755 sandbox "$layers"
mkdir "$layers/upper" "$layers/work" "$root"
mount -t overlay -o "lowerdir=$lower,upperdir=$layers/upper,workdir=$layers/work" sandbox "$root"

# The overlay shows one file system. Show the others that hold data (a checkout on its own disk or volume, say), read-only.
# User-mode Linux needs none of this: hostfs crosses mounts.
if [ "$kind" = namespaces ] && [ "$lower" = / ]; then
	while read -r _ at type _; do
		case $type in
		ext[234] | xfs | btrfs | f2fs | zfs | bcachefs | overlay | virtiofs | 9p | nfs* | fuse*) ;;
		*) continue ;;
		esac
		case $at in
		/ | /dev/* | /proc/* | /sys/* | /run/* | /tmp/* | /boot/* | "$layers"/* | *\\*) continue ;;
		esac
		if [ -d "$at" ]; then mkdir -p "$root$at"; else [ -e "$root$at" ] || : >"$root$at"; fi
		mount --bind -o ro "$at" "$root$at" || echo "sandbox: $at is not visible inside"
	done </proc/self/mounts
fi

cd "$root"

mount -t proc proc proc
mount -t tmpfs -o mode=755,nosuid,nodev sandbox run
mount -t tmpfs -o mode=1777,nosuid,nodev sandbox tmp
if [ "$kind" = uml ]; then
	# systemd mounts the rest of what a machine has, faster than this script: a program takes 50 ms to start here.
	mount -t devtmpfs devtmpfs dev
else
	# These settings belong to the kernel, not to a namespace: systemd would raise some of them for the whole host.
	mount --bind proc/sys proc/sys
	mount -o remount,bind,ro proc/sys
	# Read-only, as containers have it: systemd takes it as the sign that devices are not its business (no udev).
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755,nosuid sandbox dev
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
	mount -t tmpfs -o mode=1777,nosuid,nodev sandbox dev/shm
	mknod -m 666 dev/null c 1 3
	mknod -m 666 dev/zero c 1 5
	mknod -m 666 dev/full c 1 7
	mknod -m 666 dev/random c 1 8
	mknod -m 666 dev/urandom c 1 9
	mknod -m 666 dev/tty c 5 0
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	ln -s fd/0 dev/stdin
	ln -s fd/1 dev/stdout
	ln -s fd/2 dev/stderr
	: >dev/console
	mount --bind "$console" dev/console
	if [ -n "$terminal" ]; then
		: >dev/tty1
		mount --bind "$terminal" dev/tty1
	fi
fi

from_host "$state" run/sandbox rw
if [ -n "$share" ]; then
	from_host "$share" "$root$share" rw
fi
if [ -n "$program" ] && ! [ -e "$root$program" ]; then
	from_host "${program%/*}" run/program ro
	mkdir -p "$root${program%/*}"
	: >"$root$program"
	mount --bind "run/program/${program##*/}" "$root$program"
fi

# What /etc enables is the host's; what the vendor enables at boot is for hardware, or takes long. The sandbox's target
# names what it needs, so nothing has to be masked by name, and a new systemd brings no surprise. With .dockerenv, systemd would
# believe itself in a container, even on a kernel of its own. In Debian 11 and before, /lib may be no link to /usr/lib.
rm -rf etc/systemd/system etc/systemd/user etc/systemd/*.conf.d var/log/journal .dockerenv \
	usr/lib/systemd/system/*.target.wants usr/lib/systemd/system-generators/* \
	lib/systemd/system/*.target.wants lib/systemd/system-generators/*
mkdir -p etc/systemd/system etc/systemd/user etc/systemd/journald.conf.d var/log/journal run/systemd/journal run/lock run/user
# The audit subsystem is the kernel's, and so the host's.
ln -s /dev/null etc/systemd/system/systemd-journald-audit.socket
if [ "$kind" = uml ]; then mkfifo run/stdout run/stderr; fi
: >etc/fstab
echo "$machine_id" >etc/machine-id
echo sandbox >etc/hostname
echo '127.0.0.1 localhost sandbox' >etc/hosts

# The journal as a machine with a disk has it: only there does journald split it by user, so that users can read their own.
# The flag file says that systemd-journal-flush.service, which does not run here, has run.
: >run/systemd/journal/flushed
printf '[Journal]\nStorage=persistent\nSystemMaxUse=64M\n' >etc/systemd/journald.conf.d/sandbox.conf

cp run/sandbox/units/* etc/systemd/system/

init=/lib/systemd/systemd
pivot_root . .
umount -l .
cd /
trap - EXIT
# systemd takes container= as word that it is in a container; without it, it would find out that it is in a virtual machine.
if [ "$kind" = uml ]; then
	exec env -i PATH="$PATH" SYSTEMD_COLORS=0 $init --unit=sandbox.target </dev/console >/dev/console 2>&1
fi
exec env -i PATH="$PATH" SYSTEMD_COLORS=0 container=sandbox $init --unit=sandbox.target
