package property

const noRoot = "only the system manager has the rights for it"

// execEntries are the settings of systemd.exec(5) but for those that shut a program in.
var execEntries = page("systemd.exec", Service, []Entry{
	{Name: "WorkingDirectory", codec: directory, Instead: "use directory", Examples: []string{"/srv/web", "-/srv/web", "~"}},
	{Name: "User", codec: text, Instead: "use user", Types: Service | Scope, Examples: []string{"www-data"}},
	{Name: "Group", codec: text, Instead: "use group", Types: Service | Scope, Examples: []string{"www-data"}},
	{Name: "SupplementaryGroups", codec: stringList("names or numbers of groups, separated by spaces", readText), Root: noRoot, Examples: []string{"adm mail"}},
	{Name: "DynamicUser", codec: boolean, Root: noRoot, Examples: []string{"yes"}},
	{Name: "SetLoginEnvironment", codec: boolean, Since: 255, Examples: []string{"yes"}},
	{Name: "PAMName", codec: name, Root: noRoot, Examples: []string{"login"}},
	{Name: "UMask", codec: octal, Instead: "use umask", Examples: []string{"0027"}},
	{Name: "Environment", codec: assignments, Instead: "use environment", Examples: []string{`PORT=8080 "GREETING=hello world" RATE=100%`}},
	{Name: "EnvironmentFile", codec: environmentFiles, names: []string{"EnvironmentFiles"}, Instead: "use env_file", Examples: []string{"-/etc/default/web"}},
	{Name: "PassEnvironment", codec: variableNames, Examples: []string{"LANG TZ"}},
	{Name: "UnsetEnvironment", codec: stringList("names of environment variables or KEY=value, separated by spaces", readText), Examples: []string{"LANG"}},
	{Name: "ExecSearchPath", codec: searchPath, Since: 250, Examples: []string{"/opt/web/bin:/usr/bin"}},

	{Name: "Nice", codec: integer(-20, 19), Instead: "use nice", Examples: []string{"5"}},
	{Name: "OOMScoreAdjust", codec: integer(-1000, 1000), Instead: "use oom_score_adjust", Examples: []string{"500"}},
	{Name: "CoredumpFilter", codec: coredumpFilter, Examples: []string{"private-anonymous elf-headers", "default", "all", "3f"}},
	{Name: "CoredumpReceive", codec: boolean, Since: 255, Root: noRoot, Examples: []string{"yes"}},
	{Name: "MemoryKSM", codec: boolean, Since: 254, Examples: []string{"yes"}},
	{Name: "TimerSlackNSec", codec: nanoseconds64, Examples: []string{"50us", "100000"}},
	{Name: "CPUSchedulingPolicy", codec: named("other", "fifo", "rr", "batch", "", "idle"), Examples: []string{"batch", "idle"}},
	{Name: "CPUSchedulingPriority", codec: integer(0, 99), Root: noRoot, Examples: []string{"0"}},
	{Name: "CPUSchedulingResetOnFork", codec: boolean, Examples: []string{"yes"}},
	{Name: "CPUAffinity", codec: cpuSet{words: "numbers of CPUs and ranges (0-3 6), separated by spaces", numa: true}, Examples: []string{"0", "0-3 6", "numa"}},
	{Name: "NUMAPolicy", codec: named("default", "preferred", "bind", "interleave", "local"), Examples: []string{"local"}},
	{Name: "NUMAMask", codec: cpuSet{words: "numbers of NUMA nodes and ranges, separated by spaces"}, Examples: []string{"0-1"}},
	{Name: "IOSchedulingClass", codec: named("none", "realtime", "best-effort", "idle"), Examples: []string{"best-effort"}},
	{Name: "IOSchedulingPriority", codec: integer(0, 7), Examples: []string{"4"}},
	{Name: "IgnoreSIGPIPE", codec: boolean, Examples: []string{"no"}},
	{Name: "Personality", codec: name, Examples: []string{"x86-64"}},

	{Name: "RuntimeDirectory", codec: directories{}, Examples: []string{"web web/cache"}},
	{Name: "StateDirectory", codec: directories{}, Examples: []string{"web", "web:site"}},
	{Name: "CacheDirectory", codec: directories{}, Examples: []string{"web"}},
	{Name: "LogsDirectory", codec: directories{}, Examples: []string{"web"}},
	{Name: "ConfigurationDirectory", codec: stringList("relative paths, separated by spaces", readText), Examples: []string{"web"}},
	{Name: "RuntimeDirectoryMode", codec: octal, Examples: []string{"0750"}},
	{Name: "StateDirectoryMode", codec: octal, Examples: []string{"0750"}},
	{Name: "CacheDirectoryMode", codec: octal, Examples: []string{"0750"}},
	{Name: "LogsDirectoryMode", codec: octal, Examples: []string{"0750"}},
	{Name: "ConfigurationDirectoryMode", codec: octal, Examples: []string{"0750"}},
	{Name: "RuntimeDirectoryPreserve", codec: boolOr("restart"), Examples: []string{"restart"}},

	{Name: "LoadCredential", codec: loadCredential, Examples: []string{"token:/etc/web.token", "token"}},
	{Name: "LoadCredentialEncrypted", codec: loadCredential, Since: 250, Examples: []string{"token:/etc/web.token"}},
	{Name: "SetCredential", codec: setCredential, Examples: []string{`token:a\nb: 100% \\`, "empty:"}},
	{Name: "SetCredentialEncrypted", codec: setEncrypted, Since: 250, Examples: []string{"token:AAECAw=="}},
	{Name: "ImportCredential", codec: list[string]{typ: "as", words: "a pattern for names of credentials", read: readText, write: same, split: wholeLine, oneEach: true}, Since: 254, Examples: []string{"web.*"}},

	{Name: "StandardInput", codec: stdio{[]string{"null", "tty", "tty-force", "tty-fail", "data", "socket"}, []string{"file"}}, Examples: []string{"null", "file:/etc/web.in", "data"}},
	{Name: "StandardOutput", codec: output, Instead: "use stdout", Examples: []string{"journal", "file:/run/x", "append:/var/log/web.log", "truncate:/var/log/web.log", "fd:web"}},
	{Name: "StandardError", codec: output, Instead: "use stderr", Examples: []string{"inherit", "append:/var/log/web.log"}},
	{Name: "StandardInputData", codec: standardInData, Examples: []string{"aGVsbG8K"}},
	{Name: "StandardInputText", codec: standardInText, names: []string{"StandardInputData"}, Examples: []string{"hello"}},
	{Name: "TTYPath", codec: absolute, Examples: []string{"/dev/tty9"}},
	{Name: "TTYReset", codec: boolean, Examples: []string{"yes"}},
	{Name: "TTYVHangup", codec: boolean, Examples: []string{"yes"}},
	{Name: "TTYVTDisallocate", codec: boolean, Examples: []string{"yes"}},
	{Name: "TTYRows", codec: unsigned(65535), Since: 250, Examples: []string{"24"}},
	{Name: "TTYColumns", codec: unsigned(65535), Since: 250, Examples: []string{"80"}},
	{Name: "UtmpIdentifier", codec: name, Examples: []string{"web"}},
	{Name: "UtmpMode", codec: word("init", "login", "user"), Examples: []string{"init"}},

	{Name: "SyslogIdentifier", codec: text, Examples: []string{"web"}},
	{Name: "SyslogFacility", codec: named("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "", "",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"), Examples: []string{"local3"}},
	{Name: "SyslogLevel", codec: levels, Examples: []string{"notice"}},
	{Name: "SyslogLevelPrefix", codec: boolean, Examples: []string{"no"}},
	{Name: "LogLevelMax", codec: levels, Examples: []string{"warning"}},
	{Name: "LogRateLimitIntervalSec", codec: span, names: usec("LogRateLimitIntervalSec"), Instead: "use journal_rate", Examples: []string{"10s"}},
	{Name: "LogRateLimitBurst", codec: unsigned(1<<32 - 1), Instead: "use journal_rate", Examples: []string{"1000"}},
	{Name: "LogExtraFields", codec: extraFields, Examples: []string{"SHOP=1 TEAM=web"}},
	{Name: "LogFilterPatterns", codec: filterPatterns, Since: 253, Examples: []string{"~^debug: .*", "error"}},
	{Name: "LogNamespace", codec: name, Root: noRoot, Examples: []string{"web"}},
})

var (
	output = stdio{[]string{"inherit", "null", "tty", "journal", "kmsg", "journal+console", "kmsg+console", "socket"}, []string{"file", "append", "truncate"}}
	levels = named("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
)

// limitEntries are the resource limits of processes (systemd.exec(5), getrlimit(2)).
var limitEntries = page("systemd.exec", Service, []Entry{
	{Name: "LimitCPU", codec: secondsLimit, Examples: []string{"1h", "60:120"}},
	{Name: "LimitFSIZE", codec: bytesLimit, Examples: []string{"1G"}},
	{Name: "LimitDATA", codec: bytesLimit, Examples: []string{"2G"}},
	{Name: "LimitSTACK", codec: bytesLimit, Examples: []string{"8M:64M"}},
	{Name: "LimitCORE", codec: bytesLimit, Examples: []string{"infinity", "0", "0:infinity"}},
	{Name: "LimitRSS", codec: bytesLimit, Examples: []string{"infinity"}},
	{Name: "LimitNOFILE", codec: countLimit, Instead: "use nofile", Examples: []string{"65536", "1024:65536"}},
	{Name: "LimitAS", codec: bytesLimit, Examples: []string{"8G"}},
	{Name: "LimitNPROC", codec: countLimit, Examples: []string{"1000"}},
	{Name: "LimitMEMLOCK", codec: bytesLimit, Examples: []string{"64M"}},
	{Name: "LimitLOCKS", codec: countLimit, Examples: []string{"infinity"}},
	{Name: "LimitSIGPENDING", codec: countLimit, Examples: []string{"1000"}},
	{Name: "LimitMSGQUEUE", codec: bytesLimit, Examples: []string{"1M"}},
	{Name: "LimitNICE", codec: niceLimit, Examples: []string{"+5", "20"}},
	{Name: "LimitRTPRIO", codec: countLimit, Examples: []string{"0"}},
	{Name: "LimitRTTIME", codec: usecLimit, Examples: []string{"100ms", "200000"}},
})
