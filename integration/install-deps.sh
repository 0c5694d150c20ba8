#!/bin/sh
# Installs what the tests and `make run` need: systemd, D-Bus, and, where it exists, User-mode Linux.
#
# It installs only what is missing, with apt-get or dnf, as root or through sudo. Where it cannot, it prints what to
# install and fails. User-mode Linux, the kernel on which limits are tested everywhere, is packaged by Debian and Ubuntu for amd64
# only. Elsewhere all works but the tests of limits.

# Usage: install-deps.sh [--tests]
#
# --tests: also the C compiler that go test -race needs, and supervisord, which msup is compared with.

set -eu

has_file() {
	for file; do
		# A pattern that matches nothing stays as it is.
		[ -e "$file" ] && return 0
	done
	return 1
}

has_program() {
	command -v "$1" >/dev/null 2>&1 || has_file "/usr/sbin/$1" "/sbin/$1"
}

if has_program apt-get; then
	family=debian
elif has_program dnf; then
	family=fedora
else
	family=other
fi

missing=
# need PACKAGE-ON-DEBIAN PACKAGE-ON-FEDORA CHECK...: an empty name means that the family has no such package.
need() {
	debian=$1 fedora=$2
	shift 2
	"$@" && return
	case $family in
	fedora) package=$fedora ;;
	*) package=$debian ;;
	esac
	case " $missing " in
	*" $package "*) ;;
	*) missing="$missing${missing:+ }$package" ;;
	esac
}

need systemd systemd has_file /usr/lib/systemd/systemd /lib/systemd/systemd
need dbus dbus-daemon has_program dbus-daemon
need dbus-user-session dbus-daemon has_file /usr/lib/systemd/user/dbus.socket /usr/lib/systemd/user/dbus-broker.service
need libpam-systemd systemd-pam has_file /lib/*/security/pam_systemd.so /usr/lib/*/security/pam_systemd.so /usr/lib64/security/pam_systemd.so
need util-linux util-linux has_program unshare
need python3 python3 has_program python3
if [ "${1-}" = --tests ]; then
	need gcc gcc has_program gcc
	need libc6-dev glibc-devel has_file /usr/include/stdlib.h
	need supervisor supervisor has_program supervisord
fi
if [ "$family" = debian ] && [ "$(uname -m)" = x86_64 ]; then
	need user-mode-linux '' has_file /usr/bin/linux.uml /usr/bin/linux
	need kmod '' has_program insmod
else
	echo "User-mode Linux is packaged by Debian and Ubuntu for amd64 only: the tests of limits cannot run here." >&2
fi

[ -n "$missing" ] || exit 0

case $family in
debian) install="env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing" ;;
fedora) install="dnf install -y $missing" ;;
other)
	echo "Neither apt-get nor dnf is here. Please install (names of Debian): $missing" >&2
	exit 1
	;;
esac

if [ "$(id -u)" = 0 ]; then
	sudo=
elif has_program sudo; then
	sudo=sudo
else
	echo "This needs root. Please run as root: ${install#env DEBIAN_FRONTEND=noninteractive }" >&2
	exit 1
fi

# The package lists may be missing, in a container image, or too old for the mirror: fetch them only then.
# $sudo and $install are words on purpose.
# shellcheck disable=SC2086
if [ "$family" = debian ]; then
	$sudo $install || { $sudo apt-get update && $sudo $install; }
else
	$sudo $install
fi

# Debian's package starts a supervisord that nobody has asked for.
case " $missing " in
*" supervisor "*) [ ! -d /run/systemd/system ] || $sudo systemctl disable --now --quiet supervisor.service 2>/dev/null || : ;;
esac
