package property

import (
	"errors"
	"strconv"
)

const anyUnit = Service | Scope | Slice

const always = "msup switches it on, so that there is something to show"

// resourceEntries are the settings of systemd.resource-control(5) that count and limit.
var resourceEntries = live(page("systemd.resource-control", anyUnit, []Entry{
	{Name: "Slice", codec: scalar[string]{typ: "s", words: "the name of a slice", read: readUnit, write: escapeSpecifiers}, Instead: "the units of a project are in its slice", Examples: []string{"system.slice"}},
	{Name: "CPUAccounting", codec: boolean, Instead: always, Examples: []string{"yes"}},
	{Name: "CPUWeight", codec: weight("idle"), Instead: "use cpu_weight", Examples: []string{"200", "idle"}},
	{Name: "StartupCPUWeight", codec: weight("idle"), Examples: []string{"50"}},
	{Name: "CPUQuota", codec: cpuQuota, names: []string{"CPUQuotaPerSecUSec"}, Instead: "use cpu_limit", Examples: []string{"50%", "12.5%"}},
	{Name: "CPUQuotaPeriodSec", codec: span, names: usec("CPUQuotaPeriodSec"), Examples: []string{"10ms"}},
	{Name: "AllowedCPUs", codec: cpuSet{words: "numbers of CPUs and ranges, separated by spaces"}, Examples: []string{"0-1 3"}},
	{Name: "StartupAllowedCPUs", codec: cpuSet{words: "numbers of CPUs and ranges, separated by spaces"}, Since: 252, Examples: []string{"0"}},
	{Name: "AllowedMemoryNodes", codec: cpuSet{words: "numbers of NUMA nodes and ranges, separated by spaces"}, Examples: []string{"0"}},
	{Name: "StartupAllowedMemoryNodes", codec: cpuSet{words: "numbers of NUMA nodes and ranges, separated by spaces"}, Since: 252, Examples: []string{"0"}},
	{Name: "MemoryAccounting", codec: boolean, Instead: always, Examples: []string{"yes"}},
	{Name: "MemoryMin", codec: memory, Examples: []string{"16M", "10%", "infinity"}},
	{Name: "MemoryLow", codec: memory, Examples: []string{"64M", "1.5G", "2.5%"}},
	{Name: "DefaultMemoryMin", codec: memory, Examples: []string{"0"}},
	{Name: "DefaultMemoryLow", codec: memory, Examples: []string{"32M"}},
	{Name: "MemoryHigh", codec: memory, Instead: "use memory_high", Examples: []string{"1G"}},
	{Name: "MemoryMax", codec: memory, Instead: "use memory_limit", Examples: []string{"1G", "infinity"}},
	{Name: "MemorySwapMax", codec: memory, Instead: "use swap_limit", Examples: []string{"0"}},
	{Name: "MemoryZSwapMax", codec: zswap, Since: 254, Examples: []string{"0"}},
	{Name: "MemoryZSwapWriteback", codec: boolean, Since: 256, Examples: []string{"no"}},
	{Name: "StartupMemoryLow", codec: memory, Since: 254, Examples: []string{"32M"}},
	{Name: "StartupMemoryHigh", codec: memory, Since: 254, Examples: []string{"1G"}},
	{Name: "StartupMemoryMax", codec: memory, Since: 254, Examples: []string{"1G"}},
	{Name: "StartupMemorySwapMax", codec: memory, Since: 254, Examples: []string{"0"}},
	{Name: "StartupMemoryZSwapMax", codec: zswap, Since: 254, Examples: []string{"0"}},
	{Name: "TasksAccounting", codec: boolean, Instead: always, Examples: []string{"yes"}},
	{Name: "TasksMax", codec: tasks, Instead: "use tasks_limit", Examples: []string{"100", "infinity", "20%"}},
	{Name: "IOAccounting", codec: boolean, Examples: []string{"yes"}},
	{Name: "IOWeight", codec: weight(), Instead: "use io_weight", Examples: []string{"50"}},
	{Name: "StartupIOWeight", codec: weight(), Examples: []string{"50"}},
	{Name: "IODeviceWeight", codec: deviceValues("a whole number from 1 to 10000", func(s string) (uint64, error) { return parseUint(s, 1, 10000) }, decimalText), Examples: []string{"/dev/null 500"}},
	{Name: "IOReadBandwidthMax", codec: bandwidth, Examples: []string{"/dev/null 5M", "/dev/null infinity"}},
	{Name: "IOWriteBandwidthMax", codec: bandwidth, Examples: []string{"/dev/null 1500K"}},
	{Name: "IOReadIOPSMax", codec: bandwidth, Examples: []string{"/dev/null 1K"}},
	{Name: "IOWriteIOPSMax", codec: bandwidth, Examples: []string{"/dev/null 500"}},
	{Name: "IODeviceLatencyTargetSec", codec: deviceValues("a time span", func(s string) (uint64, error) { return parseSpan(s, microseconds) }, spanWord), names: usec("IODeviceLatencyTargetSec"), Examples: []string{"/dev/null 25ms"}},
	{Name: "IPAccounting", codec: boolean, Examples: []string{"yes"}},
	{Name: "ManagedOOMSwap", codec: word("auto", "kill"), Examples: []string{"auto"}},
	{Name: "ManagedOOMMemoryPressure", codec: word("auto", "kill"), Examples: []string{"auto"}},
	{Name: "ManagedOOMMemoryPressureLimit", codec: pressureLimit, Since: 248, Examples: []string{"50%", "12.34%"}},
	{Name: "ManagedOOMMemoryPressureDurationSec", codec: span, names: usec("ManagedOOMMemoryPressureDurationSec"), Since: 257, Examples: []string{"30s"}},
	{Name: "ManagedOOMPreference", codec: word("none", "avoid", "omit"), Since: 248, Examples: []string{"avoid"}},
	{Name: "MemoryPressureWatch", codec: word("auto", "on", "off", "skip"), Since: 254, Examples: []string{"off"}},
	{Name: "MemoryPressureThresholdSec", codec: span, names: usec("MemoryPressureThresholdSec"), Since: 254, Examples: []string{"200ms"}},
}))

// deviceEntries are those of systemd.resource-control(5) about devices, the network, and
// how control groups are divided.
var deviceEntries = live(page("systemd.resource-control", anyUnit, []Entry{
	{Name: "Delegate", codec: delegate{}, Types: Service | Scope, Examples: []string{"yes", "cpu memory"}},
	{Name: "DelegateSubgroup", codec: name, Types: Service, Since: 254, Examples: []string{"main"}},
	{Name: "DisableControllers", codec: controllers, Examples: []string{"cpu"}},
	{Name: "DevicePolicy", codec: word("auto", "closed", "strict"), Examples: []string{"closed"}},
	{Name: "DeviceAllow", codec: deviceAllow, Examples: []string{"/dev/null rw", "char-pts", "block-loop r"}},
	{Name: "IPAddressAllow", codec: networks, Examples: []string{"localhost 10.0.0.0/8 192.168.1.1 ::1"}},
	{Name: "IPAddressDeny", codec: networks, Examples: []string{"any"}},
	{Name: "IPIngressFilterPath", codec: bpfPaths, Root: noRoot, Examples: []string{"/sys/fs/bpf/in"}},
	{Name: "IPEgressFilterPath", codec: bpfPaths, Root: noRoot, Examples: []string{"/sys/fs/bpf/out"}},
	{Name: "BPFProgram", codec: bpfPrograms, Since: 249, Root: noRoot, Examples: []string{"egress:/sys/fs/bpf/out"}},
	{Name: "SocketBindAllow", codec: socketBinds, Since: 249, Examples: []string{"ipv4:tcp:8000-8010", "443", "any", "udp", "tcp:80"}},
	{Name: "SocketBindDeny", codec: socketBinds, Since: 249, Examples: []string{"any", "ipv6"}},
	{Name: "RestrictNetworkInterfaces", codec: interfaces, Since: 250, Examples: []string{"lo eth0", "~wlan0"}},
	{Name: "NFTSet", codec: nftSets, Since: 255, Root: noRoot, Examples: []string{"cgroup:inet:filter:web", "user:ip6:t:s"}},
}))

// onlyAtStart are the settings that systemd takes only when it makes the unit (systemd 252
// and the name of the setter: bus_cgroup_set_transient_property).
var onlyAtStart = map[string]bool{
	"Slice": true, "Delegate": true, "DelegateSubgroup": true, "IPIngressFilterPath": true, "IPEgressFilterPath": true, "BPFProgram": true, "NFTSet": true,
}

func live(rows []Entry) []Entry {
	for i := range rows {
		rows[i].Live = !onlyAtStart[rows[i].Name]
	}
	return rows
}

func decimalText(n uint64) string { return strconv.FormatUint(n, 10) }

// spanWord is a span without spaces.
func spanWord(us uint64) string { return strconv.FormatUint(us, 10) + "us" }

var bandwidth = deviceValues("a number, also with K, M, G or T (1000-based), or infinity", func(s string) (uint64, error) {
	n, err := parseScaled(s, 1000)
	if err == nil && n == 0 {
		err = errors.New("0 is no limit that systemd takes")
	}
	return n, err
}, func(n uint64) string { return formatScaled(n, 1000) })

var bpfPaths = list[string]{typ: "as", words: "the absolute path of a pinned BPF program", read: absolutePath, write: same, split: wholeLine, oneEach: true}
