package property

import "slices"

// page completes the rows of one man page.
func page(man string, types Types, rows []Entry) []Entry {
	for i := range rows {
		e := &rows[i]
		e.Man = man
		if e.Types == 0 {
			e.Types = types
		}
		e.Since = max(e.Since, Oldest)
		switch e.codec.(type) {
		case filter, command, mask, directories, condition, exitStatuses:
			e.List = true
		case interface{ isList() }:
			e.List = true
		case cpuSet:
			e.List = true
		}
	}
	return rows
}

func (list[T]) isList() {}

const ownStart = "msup itself starts and stops the unit"

// unitEntries are the settings of [Unit], conditions apart.
var unitEntries = inUnit(page("systemd.unit", Service|Scope, slices.Concat([]Entry{
	{Name: "Description", codec: text, Instead: "use description", Examples: []string{"the shop's web server", "100% of it"}},
	{Name: "Documentation", codec: urls, Examples: []string{"https://example.org/ man:web(8)", "file:/usr/share/doc/web"}},
	{Name: "CollectMode", codec: word("inactive", "inactive-or-failed"), Instead: "a unit that failed stays until msup has seen how", Examples: []string{"inactive"}},
	{Name: "SourcePath", codec: absolute, Examples: []string{"/etc/web.conf"}},
	{Name: "DefaultDependencies", codec: boolean, Examples: []string{"no"}},
	{Name: "StopWhenUnneeded", codec: boolean, Instead: ownStart, Examples: []string{"yes"}},
	{Name: "RefuseManualStart", codec: boolean, Instead: ownStart, Examples: []string{"yes"}},
	{Name: "RefuseManualStop", codec: boolean, Instead: ownStart, Examples: []string{"yes"}},
	{Name: "AllowIsolate", codec: boolean, Examples: []string{"yes"}},
	{Name: "IgnoreOnIsolate", codec: boolean, Examples: []string{"yes"}},
	{Name: "SurviveFinalKillSignal", codec: boolean, Since: 255, Examples: []string{"yes"}},
	{Name: "OnFailureJobMode", codec: jobMode, Examples: []string{"replace"}},
	{Name: "OnSuccessJobMode", codec: jobMode, Since: 249, Examples: []string{"fail"}},
	{Name: "JobRunningTimeoutSec", codec: span, names: usec("JobRunningTimeoutSec"), Examples: []string{"1min 30s", "infinity"}},
	{Name: "JobTimeoutAction", codec: emergency, Root: systemAction, Examples: []string{"none"}},
	{Name: "JobTimeoutRebootArgument", codec: text, Root: systemAction, Examples: []string{"recovery"}},
	{Name: "FailureAction", codec: emergency, Root: systemAction, Examples: []string{"none"}},
	{Name: "SuccessAction", codec: emergency, Root: systemAction, Examples: []string{"none"}},
	{Name: "FailureActionExitStatus", codec: integer(0, 255), Examples: []string{"3"}},
	{Name: "SuccessActionExitStatus", codec: integer(0, 255), Examples: []string{"0"}},
	{Name: "RebootArgument", codec: text, Root: systemAction, Examples: []string{"recovery"}},
	{Name: "StartLimitIntervalSec", codec: span, names: usec("StartLimitIntervalSec"), Instead: ownRestart, Examples: []string{"0", "10s"}},
	{Name: "StartLimitBurst", codec: unsigned(1<<31 - 1), Instead: ownRestart, Examples: []string{"5"}},
	{Name: "StartLimitAction", codec: emergency, Instead: ownRestart, Examples: []string{"none"}},
	{Name: "RequiresMountsFor", codec: plainPaths, Examples: []string{"/srv/web /var/lib/web"}},
	{Name: "WantsMountsFor", codec: plainPaths, Since: 256, Examples: []string{"/srv/web"}},
}, dependencies)))

const (
	ownRestart   = "msup restarts programs itself: use autorestart, restart_delay and max_restarts"
	systemAction = "it is about the whole machine"
)

var (
	jobMode   = word("fail", "replace", "replace-irreversibly", "isolate", "flush", "ignore-dependencies", "ignore-requirements")
	emergency = word("none", "reboot", "reboot-force", "reboot-immediate", "poweroff", "poweroff-force", "poweroff-immediate", "exit", "exit-force")
)

// dependencies on other units. Those that need another unit's file to be changed
// (WantedBy= and the like) are refused by systemd.
var dependencies = func() []Entry {
	rows := []Entry{
		{Name: "Requires"},
		{Name: "Requisite"},
		{Name: "Wants"},
		{Name: "BindsTo"},
		{Name: "PartOf"},
		{Name: "Upholds", Since: 249},
		{Name: "Conflicts"},
		{Name: "Before"},
		{Name: "After"},
		{Name: "OnFailure"},
		{Name: "OnSuccess", Since: 249},
		{Name: "PropagatesReloadTo"},
		{Name: "ReloadPropagatedFrom"},
		{Name: "PropagatesStopTo", Since: 249},
		{Name: "StopPropagatedFrom", Since: 249},
		{Name: "JoinsNamespaceOf"},
	}
	for i := range rows {
		rows[i].codec, rows[i].Examples = unitList, []string{"dbus.service basic.target"}
		if rows[i].Name == "Conflicts" {
			rows[i].Examples = []string{"rescue.service emergency@1.service"}
		}
	}
	return rows
}()

func inUnit(rows []Entry) []Entry {
	for i := range rows {
		rows[i].Unit = true
	}
	return rows
}

// conditionEntries are the conditions of [Unit]: a unit of which one is not met is not
// started, which is no failure; of an assertion, which is one.
var conditionEntries = inUnit(page("systemd.unit", Service|Scope, conditions()))

func conditions() []Entry {
	kinds := []struct {
		name    string
		since   int
		example string
	}{
		{"PathExists", 0, "/etc/web.conf"},
		{"PathExistsGlob", 0, "/etc/web.d/*.conf"},
		{"PathIsDirectory", 0, "/srv/web"},
		{"PathIsSymbolicLink", 0, "/etc/localtime"},
		{"PathIsMountPoint", 0, "/srv"},
		{"PathIsReadWrite", 0, "/srv"},
		{"PathIsEncrypted", 0, "/srv"},
		{"DirectoryNotEmpty", 0, "/etc/web.d"},
		{"FileNotEmpty", 0, "/etc/web.conf"},
		{"FileIsExecutable", 0, "/usr/bin/web"},
		{"NeedsUpdate", 0, "/etc"},
		{"FirstBoot", 0, "no"},
		{"Architecture", 0, "x86-64"},
		{"Firmware", 249, "uefi"},
		{"Virtualization", 0, "container"},
		{"Host", 0, "web1"},
		{"KernelCommandLine", 0, "quiet"},
		{"KernelVersion", 0, ">=5.10"},
		{"Credential", 252, "token"},
		{"Security", 0, "selinux"},
		{"Capability", 0, "CAP_NET_ADMIN"},
		{"ACPower", 0, "true"},
		{"Memory", 0, ">=1G"},
		{"CPUFeature", 248, "sse4_2"},
		{"CPUs", 0, ">=2"},
		{"Environment", 0, "LANG=C.UTF-8"},
		{"User", 0, "root"},
		{"Group", 0, "adm"},
		{"ControlGroupController", 0, "memory"},
		{"OSRelease", 249, "ID=debian"},
		{"MemoryPressure", 250, "10%"},
		{"CPUPressure", 250, "10%"},
		{"IOPressure", 250, "10%"},
		{"Version", 258, ">=258"},
		{"KernelModuleLoaded", 258, "loop"},
	}
	var rows []Entry
	for _, prefix := range []string{"Condition", "Assert"} {
		for _, k := range kinds {
			rows = append(rows, Entry{
				Name: prefix + k.name, Since: k.since, Examples: []string{k.example, "!" + k.example, "|" + k.example},
				codec: condition{property: prefix + "s"},
			})
		}
	}
	// systemd has no assertions about these.
	return slices.DeleteFunc(rows, func(e Entry) bool { return e.Name == "AssertFirmware" })
}
