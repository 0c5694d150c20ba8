package property

// refused are settings that no transient unit has, and why.
var refused = map[string]string{
	"JobTimeoutSec":   "systemd does not take it for a transient unit; JobRunningTimeoutSec is as good here",
	"TimeoutCleanSec": "systemd does not take it for a transient unit",
	"Sockets":         "systemd does not take it for a transient unit; name the service in the socket's Service=",
	"TimeoutSec":      "use stop_timeout",

	"Alias": install, "WantedBy": install, "RequiredBy": install, "UpheldBy": install, "Also": install, "DefaultInstance": install,
	"BoundBy": inverse, "RequisiteOf": inverse, "ConsistsOf": inverse, "ConflictedBy": inverse, "TriggeredBy": inverse, "Triggers": inverse,

	"PIDs":      "msup sets it when it starts the scope",
	"AddRef":    "msup keeps no reference to its units",
	"Listen":    "a service has no sockets of its own; write a socket unit",
	"OnBootSec": "a service has no timer of its own; write a timer unit",

	"BindTo": renamed + "BindsTo", "PropagateReloadTo": renamed + "PropagatesReloadTo", "PropagateReloadFrom": renamed + "ReloadPropagatedFrom",
	"RequiresOverridable": renamed + "Requires", "RequisiteOverridable": renamed + "Requisite", "OnFailureIsolate": renamed + "OnFailureJobMode",
	"StartLimitInterval": ownRestart, "PermissionsStartOnly": "write + before the command instead",
	"ReadWriteDirectories": renamed + "ReadWritePaths", "ReadOnlyDirectories": renamed + "ReadOnlyPaths", "InaccessibleDirectories": renamed + "InaccessiblePaths",
	"CPUShares": "use cpu_weight", "StartupCPUShares": renamed + "StartupCPUWeight", "MemoryLimit": "use memory_limit",
	"BlockIOAccounting": renamed + "IOAccounting", "BlockIOWeight": "use io_weight", "StartupBlockIOWeight": renamed + "StartupIOWeight",
	"BlockIODeviceWeight": renamed + "IODeviceWeight", "BlockIOReadBandwidth": renamed + "IOReadBandwidthMax", "BlockIOWriteBandwidth": renamed + "IOWriteBandwidthMax",
}

const (
	install = "it belongs to a unit file that is installed; msup up starts programs, msup export writes unit files"
	inverse = "it is set by the other unit"
	renamed = "systemd calls it "
)
