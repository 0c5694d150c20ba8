package property

const (
	ownType    = "msup runs programs as Type=exec, so that one that cannot be executed is a failed start, or as notify with ready = notify"
	ownTimeout = "use stop_timeout"
)

// serviceEntries are the settings of systemd.service(5).
var serviceEntries = page("systemd.service", Service, []Entry{
	{Name: "Type", codec: word("simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"), Instead: ownType, Examples: []string{"exec"}},
	{Name: "ExitType", codec: word("main", "cgroup"), Since: 250, Examples: []string{"cgroup"}},
	{Name: "RemainAfterExit", codec: boolean, Instead: "msup sets it, so that no exit is lost", Examples: []string{"yes"}},
	{Name: "GuessMainPID", codec: boolean, Examples: []string{"no"}},
	{Name: "PIDFile", codec: absolute, Instead: ownType, Examples: []string{"/run/web.pid"}},
	{Name: "BusName", codec: name, Instead: ownType, Examples: []string{"org.example.Web"}},
	{Name: "ExecStart", codec: command{}, Instead: "use command", Examples: []string{"/usr/bin/web", ":/usr/bin/web $HOME"}},
	{Name: "ExecCondition", codec: command{}, Examples: commandExamples},
	{Name: "ExecStartPre", codec: command{}, Examples: commandExamples},
	{Name: "ExecStartPost", codec: command{}, Examples: commandExamples},
	{Name: "ExecReload", codec: command{}, Examples: []string{"/bin/kill -HUP $MAINPID"}},
	{Name: "ExecStop", codec: command{}, Examples: commandExamples},
	{Name: "ExecStopPost", codec: command{}, Examples: commandExamples},
	{Name: "Restart", codec: word("no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"), Instead: ownRestart, Examples: []string{"no"}},
	{Name: "RestartSec", codec: span, names: usec("RestartSec"), Instead: ownRestart, Examples: []string{"100ms"}},
	{Name: "RestartMode", codec: word("normal", "direct", "debug"), Since: 254, Instead: ownRestart, Examples: []string{"normal"}},
	{Name: "RestartSteps", codec: unsigned(1<<31 - 1), Since: 254, Instead: ownRestart, Examples: []string{"5"}},
	{Name: "RestartMaxDelaySec", codec: span, names: usec("RestartMaxDelaySec"), Since: 254, Instead: ownRestart, Examples: []string{"5min"}},
	{Name: "SuccessExitStatus", codec: exitStatuses{}, Instead: "use success_exit_codes", Examples: []string{"2 64 SIGUSR1"}},
	{Name: "RestartPreventExitStatus", codec: exitStatuses{}, Instead: ownRestart, Examples: []string{"2"}},
	{Name: "RestartForceExitStatus", codec: exitStatuses{}, Instead: ownRestart, Examples: []string{"3"}},
	{Name: "TimeoutStartSec", codec: span, names: usec("TimeoutStartSec"), Instead: ownStartTimeout, Examples: []string{"30s"}},
	{Name: "TimeoutStopSec", codec: span, names: usec("TimeoutStopSec"), Types: Service | Scope, Instead: ownTimeout, Examples: []string{"10s"}},
	{Name: "TimeoutAbortSec", codec: span, names: usec("TimeoutAbortSec"), Examples: []string{"5s"}},
	{Name: "TimeoutStartFailureMode", codec: failureMode, Examples: []string{"abort"}},
	{Name: "TimeoutStopFailureMode", codec: failureMode, Examples: []string{"kill"}},
	{Name: "RuntimeMaxSec", codec: span, names: usec("RuntimeMaxSec"), Types: Service | Scope, Examples: []string{"1h", "1min 30s", "infinity", "1.5"}},
	{Name: "RuntimeRandomizedExtraSec", codec: span, names: usec("RuntimeRandomizedExtraSec"), Since: 250, Types: Service | Scope, Examples: []string{"5min"}},
	{Name: "WatchdogSec", codec: span, names: usec("WatchdogSec"), Examples: []string{"30s"}},
	{Name: "NotifyAccess", codec: word("none", "main", "exec", "all"), Examples: []string{"main"}},
	{Name: "OOMPolicy", codec: word("continue", "stop", "kill"), Types: Service | Scope, Instead: "msup sets it to stop, because continue hides a kill for memory; see on_oom", Examples: []string{"stop"}},
	{Name: "RootDirectoryStartOnly", codec: boolean, Examples: []string{"yes"}},
	{Name: "NonBlocking", codec: boolean, Examples: []string{"yes"}},
	{Name: "FileDescriptorStoreMax", codec: unsigned(1 << 20), Examples: []string{"16"}},
	{Name: "FileDescriptorStorePreserve", codec: boolOr("restart"), Since: 254, Examples: []string{"restart", "yes"}},
	{Name: "OpenFile", codec: openFiles, Since: 253, Examples: []string{"/etc/web.conf:conf:read-only", "/etc/web.conf"}},
	{Name: "ReloadSignal", codec: signal, Since: 253, Examples: []string{"SIGHUP"}},
	{Name: "USBFunctionDescriptors", codec: absolute, Examples: []string{"/etc/usb.descs"}},
	{Name: "USBFunctionStrings", codec: absolute, Examples: []string{"/etc/usb.strings"}},
})

const ownStartTimeout = "use start_timeout"

var commandExamples = []string{
	"-/bin/mkdir -p /run/web", `/bin/sh -c 'echo "a b" $$HOME 100%'`, "@/bin/true truth ${NAME} ''", "+/bin/true", "!/bin/true", ":/bin/echo $HOME", "-+:/bin/true ';'",
}

var failureMode = word("terminate", "abort", "kill")

// killEntries are the settings of systemd.kill(5).
var killEntries = page("systemd.kill", Service|Scope, []Entry{
	{Name: "KillMode", codec: word("control-group", "mixed", "process", "none"), Examples: []string{"mixed"}},
	{Name: "KillSignal", codec: signal, Instead: "use stop_signal", Examples: []string{"SIGTERM", "RTMIN+3", "15"}},
	{Name: "RestartKillSignal", codec: signal, Examples: []string{"SIGINT"}},
	{Name: "FinalKillSignal", codec: signal, Examples: []string{"SIGQUIT"}},
	{Name: "WatchdogSignal", codec: signal, Examples: []string{"SIGABRT"}},
	{Name: "SendSIGKILL", codec: boolean, Examples: []string{"yes"}},
	{Name: "SendSIGHUP", codec: boolean, Examples: []string{"yes"}},
})
