package property

// The compound D-Bus types of properties. The order of the fields is the type.

// ExecCommand is the D-Bus type (sasb) of ExecStart= and the like: path, argv, ignore failure.
type ExecCommand struct {
	Path          string
	Argv          []string
	IgnoreFailure bool
}

// ExecCommandEx is the D-Bus type (sasas) of ExecStartEx= and the like: path, argv, flags
// (ignore-failure, privileged, no-setuid, ambient, no-env-expand).
type ExecCommandEx struct {
	Path  string
	Argv  []string
	Flags []string
}

// EnvironmentFile is the D-Bus type (sb) of EnvironmentFiles=: path, ignore if missing.
type EnvironmentFile struct {
	Path     string
	Optional bool
}

// ExitStatusSet is the D-Bus type (aiai) of SuccessExitStatus= and the like: codes, signals.
type ExitStatusSet struct {
	Codes   []int32
	Signals []int32
}

// Condition is the D-Bus type (sbbs) of Conditions and Asserts.
type Condition struct {
	Type      string // ConditionPathExists …
	Trigger   bool   // one of those that trigger is enough ("|")
	Negate    bool   // "!"
	Parameter string
}

// Filter is the D-Bus type (bas) of SystemCallFilter= and the like.
type Filter struct {
	Allow bool // the items are those allowed; else, those forbidden ("~")
	Items []string
}

// Pair is the D-Bus type (ss): a path and its options, a device and the access to it, a
// credential and where it is read from.
type Pair struct{ First, Second string }

// Mark is the D-Bus type (bs): a text behind a mark that it may have.
type Mark struct {
	Set  bool
	Text string
}

// Bind is the D-Bus type (ssbt) of BindPaths= and BindReadOnlyPaths=.
type Bind struct {
	Source, Destination string
	Optional            bool   // a missing source is no error
	Flags               uint64 // MS_REC or 0, mount(2)
}

// Named is the D-Bus type (sst) of OpenFile= and of the symbolic links of StateDirectory=
// and the like: a path, the name for it, flags.
type Named struct {
	Path, Name string
	Flags      uint64
}

// Image is the D-Bus type (ssba(ss)) of MountImages=.
type Image struct {
	Source, Destination string
	Optional            bool
	Options             []Pair // partition, mount options
}

// Extension is the D-Bus type (sba(ss)) of ExtensionImages=.
type Extension struct {
	Source   string
	Optional bool
	Options  []Pair
}

// Credential is the D-Bus type (say) of SetCredential=.
type Credential struct {
	ID   string
	Data []byte
}

// DeviceValue is the D-Bus type (st) of IODeviceWeight=, IOReadBandwidthMax= and the like.
type DeviceValue struct {
	Path  string
	Value uint64
}

// Network is the D-Bus type (iayu) of IPAddressAllow= and IPAddressDeny=.
type Network struct {
	Family  int32 // AF_INET or AF_INET6
	Address []byte
	Prefix  uint32 // bits
}

// SocketBind is the D-Bus type (iiqq) of SocketBindAllow= and SocketBindDeny=.
type SocketBind struct {
	Family   int32  // AF_INET, AF_INET6 or 0 = both
	Protocol int32  // IPPROTO_TCP, IPPROTO_UDP or 0 = both
	Ports    uint16 // how many; 0 = all
	First    uint16
}

// NFTSet is the D-Bus type (iiss) of NFTSet=.
type NFTSet struct {
	Source int32 // 0 cgroup, 1 user, 2 group
	Family int32 // NFPROTO_*
	Table  string
	Set    string
}
