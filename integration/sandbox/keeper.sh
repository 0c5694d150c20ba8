#!/bin/sh
# The keeper: the one process outside a sandbox that outlives it, and cleans up after it.
#
#   keeper.sh STATE CGROUP COMMAND...
#
# It runs COMMAND, which unshares the namespaces of the sandbox. It ends the sandbox when its standard input, the
# lifeline, is closed: by the caller at the end, or by the kernel when the caller is killed. So no way for the caller to
# die leaves anything behind. When the sandbox ends by itself, descriptor 3 is closed, and the STATE folder
# stays until the caller has read what it wants and closes the lifeline.
#
# CGROUP, when not empty, is made for COMMAND to enter, and removed afterwards.

state=$1 cgroup=$2
shift 2

# The shell gives background commands /dev/null as standard input, so keep the lifeline elsewhere.
exec 9<&0 </dev/null

# Killing the first process of a PID namespace makes the kernel kill all others in it before its parent, unshare, can
# reap it: when unshare has ended, so have they. Before unshare has forked there is only unshare to kill.
stop() {
	kill -KILL $(cat "/proc/$sandbox/task/$sandbox/children") 2>/dev/null ||
		kill -KILL "$sandbox" 2>/dev/null
}

remove_cgroup() {
	[ -n "$cgroup" ] && [ -d "$cgroup" ] || return 0
	echo 1 >"$cgroup/cgroup.kill" 2>/dev/null # Linux 5.14; all are dead by now anyway
	tries=0
	until find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; do
		# A dying process leaves its cgroup shortly after its parent could reap it, and nothing tells when.
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || {
			echo "cannot remove cgroup $cgroup: still busy" >&2
			return 1
		}
		sleep 0.02
	done
}

if [ -n "$cgroup" ]; then
	mkdir "$cgroup" || exit 1
fi

(
	exec 3>&- 9<&-
	exec "$@"
) &
sandbox=$!
exec 4<&- 5>&- # the terminal of User-mode Linux, which has to be at its end when the sandbox is

trap stop HUP INT TERM
{
	exec 3>&-
	read -r _ <&9 || stop
} &
watch=$!

# A trapped signal interrupts wait.
while kill -0 "$sandbox" 2>/dev/null; do
	wait "$sandbox"
done
kill "$watch" 2>/dev/null

exec 3>&-
read -r _ <&9
remove_cgroup
status=$?
rm -rf --one-file-system "$state" || status=1
exit "$status"
