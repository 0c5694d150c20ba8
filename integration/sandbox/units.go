//go:build linux

package sandbox

// units are the unit files of the sandbox, by name.
func units(o Options) map[string]string {
	all := map[string]string{
		"sandbox.target": `[Unit]
Description=Sandbox
Requires=basic.target dbus.socket systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service
Requires=sandbox-command.service
After=basic.target dbus.socket systemd-journald.service
AllowIsolate=yes
`,
	}
	// The exit status is in ExecStopPost's environment whatever the end was, and all that the command has left running in its cgroup is gone
	// by then. The immediate actions do not stop what else runs: it is thrown away with the machine. They sync, which
	// writes out what UML still holds of the shared folder.
	command := `[Unit]
Description=Command run in the sandbox
After=basic.target dbus.socket systemd-journald.service
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate

[Service]
Type=exec
ExecStart=/bin/sh /run/sandbox/command
KillMode=control-group
TimeoutStopSec=5s
TasksMax=infinity
OOMPolicy=continue
`
	const exit = `ExecStopPost=/bin/sh -c 'echo "$EXIT_CODE $EXIT_STATUS" >/run/sandbox/exit'` + "\n"
	switch {
	case o.Terminal != nil:
		// tty-force, as nobody else may own the terminal. stty waits until all output is on its way out.
		command += "StandardInput=tty-force\nStandardOutput=inherit\nStandardError=inherit\nTTYPath=/dev/tty1\n" +
			"ExecStopPost=-/bin/stty sane\n" + exit
	case o.Kind == UML:
		// A pipe on hostfs does not reach the host, a file does. Stopping the copiers waits until they have copied all.
		// Wants, as with Requires stopping the copiers would stop the command, which is what waits for it.
		command = "[Unit]\nWants=sandbox-output@stdout.service sandbox-output@stderr.service\n" +
			"After=sandbox-output@stdout.service sandbox-output@stderr.service\n" + command +
			"ExecStopPost=-/bin/systemctl stop sandbox-output@stdout.service sandbox-output@stderr.service\n" + exit
		all["sandbox-output@.service"] = `[Unit]
Description=Copy %i of the command to the host

DefaultDependencies=no

[Service]
Type=exec
# Each write goes through to the host at once, which the page cache of hostfs would delay by seconds.
ExecStart=/bin/dd if=/run/%i of=/run/sandbox/%i bs=64K oflag=sync,append conv=notrunc status=none
# It ends by itself at the end of the output. Do not hurry it.
KillSignal=SIGCONT
TimeoutStopSec=4s
`
	default:
		command += exit
	}
	all["sandbox-command.service"] = command
	return all
}
