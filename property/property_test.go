package property

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// versions are those whose properties differ.
var versions = []int{Oldest, 252, 253, 254, Newest}

// plain takes back what Format does for unit files only: there %% is a percent sign.
func plain(settings []Setting) []Setting {
	out := slices.Clone(settings)
	for i := range out {
		out[i].Value = strings.ReplaceAll(out[i].Value, "%%", "%")
	}
	return out
}

// again formats properties and reads the result.
func again(t *testing.T, props []Property, version int) []Property {
	t.Helper()
	text, err := Format(props)
	if err != nil {
		t.Fatalf("Format(%v): %v", props, err)
	}
	back, err := Properties(plain(text), version)
	if err != nil {
		t.Fatalf("%v read again: %v", text, err)
	}
	return back
}

// Every entry is described, and each of its examples comes to what the table says it
// comes to, and is the same again when it has been written and read.
func TestEntries(t *testing.T) {
	seen := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		if seen[e.Name] {
			t.Errorf("%s is there twice", e.Name)
		}
		seen[e.Name] = true
		if e.codec == nil || e.Types == 0 || e.Man == "" || len(e.Examples) == 0 || e.Allowed() == "" {
			t.Errorf("%s is not described", e.Name)
			continue
		}
		if e.Since > Newest {
			t.Errorf("%s is newer than the newest systemd", e.Name)
		}
		for _, example := range e.Examples {
			for _, version := range versions {
				props, err := e.Parse([]string{example}, version)
				if err != nil || len(props) == 0 {
					t.Errorf("%s=%s: %v, %v", e.Name, example, props, err)
					continue
				}
				for _, p := range props {
					if want := (Typed{p.Name, typeOf(reflect.TypeOf(p.Value))}); !slices.Contains(e.Sends(), want) {
						t.Errorf("%s=%s comes to %v, the table has %v", e.Name, example, want, e.Sends())
					}
				}
				if diff := cmp.Diff(props, again(t, props, version)); diff != "" {
					t.Errorf("%s=%s is another when it is read again: %s", e.Name, example, diff)
				}
			}
		}
		if e.List {
			if props, err := e.Parse([]string{e.Example(), ""}, 252); err != nil || len(props) != 1 {
				t.Errorf("%s: an empty line gives %v, %v", e.Name, props, err)
			}
		} else if props, err := e.Parse([]string{e.Example(), ""}, 252); err != nil || props != nil {
			t.Errorf("%s: an empty value gives %v, %v", e.Name, props, err)
		}
	}
}

// Every property that one entry sends is its own, but for those that several share.
func TestSharedProperties(t *testing.T) {
	shared := []string{"Conditions", "Asserts", "StandardInputData"}
	for name, list := range byProperty {
		if len(list) > 1 && !slices.Contains(shared, name) {
			t.Errorf("property %s is sent by %s and %s", name, list[0].Name, list[1].Name)
		}
	}
}

// What systemd 252 has in the sections Unit, Service, Scope and Slice is in the tables or
// refused with a reason: testdata/settings-252 is from its --dump-configuration-items.
func TestComplete(t *testing.T) {
	data, err := os.ReadFile("testdata/settings-252")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.FieldsSeq(string(data)) {
		section, name, _ := strings.Cut(line, ".")
		known[name] = true
		e := Lookup(name)
		if _, ok := Refused(name); ok {
			if e != nil {
				t.Errorf("%s is in a table and refused", name)
			}
			continue
		}
		if e == nil {
			t.Errorf("%s is not known", line)
			continue
		}
		if e.Since > 252 {
			t.Errorf("%s is in systemd 252, the table has %d", name, e.Since)
		}
		for sec, typ := range map[string]Types{"Service": Service, "Scope": Scope, "Slice": Slice} {
			if section == sec && e.Types&typ == 0 && line != "Slice.Delegate" { // which a slice does not take
				t.Errorf("%s: the table does not have it for a %s", line, sec)
			}
		}
	}
	for i := range entries {
		if e := &entries[i]; e.Since <= 252 && !known[e.Name] {
			t.Errorf("systemd 252 does not have %s", e.Name)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, value string
		want        []Property
	}{
		{"TimeoutAbortSec", "1min 30s", []Property{{"TimeoutAbortUSec", uint64(90e6)}}},
		{"RuntimeMaxSec", "infinity", []Property{{"RuntimeMaxUSec", Infinity}}},
		{"RuntimeMaxSec", "1.5", []Property{{"RuntimeMaxUSec", uint64(1500000)}}},
		{"TimerSlackNSec", "1us 5", []Property{{"TimerSlackNSec", uint64(1005)}}},
		{"CPUQuota", "50%", []Property{{"CPUQuotaPerSecUSec", uint64(500000)}}},
		{"MemoryLow", "10%", []Property{{"MemoryLowScale", uint32(429496729)}}},
		{"MemoryLow", "1.5K", []Property{{"MemoryLow", uint64(1536)}}},
		{"IOReadBandwidthMax", "/dev/sda 5M", []Property{{"IOReadBandwidthMax", []DeviceValue{{"/dev/sda", 5000000}}}}},
		{"LimitCORE", "0:infinity", []Property{{"LimitCORE", Infinity}, {"LimitCORESoft", uint64(0)}}},
		{"LimitCPU", "1.5", []Property{{"LimitCPU", uint64(2)}}},
		{"LimitRTTIME", "200", []Property{{"LimitRTTIME", uint64(200)}}},
		{"LimitNICE", "-5", []Property{{"LimitNICE", uint64(25)}}},
		{"CapabilityBoundingSet", "CAP_CHOWN", []Property{{"CapabilityBoundingSet", uint64(1)}}},
		{"CapabilityBoundingSet", "~CAP_CHOWN", []Property{{"CapabilityBoundingSet", ^uint64(1)}}},
		{"RestrictNamespaces", "yes", []Property{{"RestrictNamespaces", uint64(0)}}},
		{"RestrictNamespaces", "user", []Property{{"RestrictNamespaces", uint64(0x10000000)}}},
		{"SystemCallFilter", "~@mount ptrace", []Property{{"SystemCallFilter", Filter{false, []string{"@mount", "ptrace"}}}}},
		{"RestrictAddressFamilies", "none", []Property{{"RestrictAddressFamilies", Filter{true, []string{}}}}},
		{"SyslogLevel", "err", []Property{{"SyslogLevel", int32(3)}}},
		{"SyslogFacility", "local7", []Property{{"SyslogFacility", int32(23)}}},
		{"FinalKillSignal", "RTMIN+3", []Property{{"FinalKillSignal", int32(37)}}},
		{"FinalKillSignal", "SIGRTMAX-1", []Property{{"FinalKillSignal", int32(63)}}},
		{"CPUAffinity", "0-1 9", []Property{{"CPUAffinity", []byte{3, 2}}}},
		{"CPUSchedulingPolicy", "idle", []Property{{"CPUSchedulingPolicy", int32(5)}}},
		{"SystemCallErrorNumber", "EPERM", []Property{{"SystemCallErrorNumber", int32(1)}}},
		{"BindPaths", "-/a:/b:norbind", []Property{{"BindPaths", []Bind{{"/a", "/b", true, 0}}}}},
		{"SocketBindAllow", "ipv6:udp:53", []Property{{"SocketBindAllow", []SocketBind{{10, 17, 1, 53}}}}},
		{"IPAddressDeny", "any", []Property{{"IPAddressDeny", []Network{{2, []byte{0, 0, 0, 0}, 0}, {10, make([]byte, 16), 0}}}}},
		{"ConditionPathExists", "|!/x", []Property{{"Conditions", []Condition{{"ConditionPathExists", true, true, "/x"}}}}},
		{"ExecStartPre", `-/bin/echo "a b" 'c d'\x41 $HOME $$ \;`, []Property{{"ExecStartPre", []ExecCommand{{"/bin/echo", []string{"/bin/echo", "a b", "c dA", "$HOME", "$$", ";"}, true}}}}},
		{"StateDirectory", "a b:c", []Property{{"StateDirectory", []string{"a"}}, {"StateDirectorySymlink", []Named{{"b", "c", 0}}}}},
		{"Delegate", "cpu pids", []Property{{"DelegateControllers", []string{"cpu", "pids"}}}},
		{"SetCredential", `a:x\ny`, []Property{{"SetCredential", []Credential{{"a", []byte("x\ny")}}}}},
		{"StandardInput", "file:/x", []Property{{"StandardInputFile", "/x"}}},
		{"PrivateTmp", "disconnected", []Property{{"PrivateTmpEx", "disconnected"}}},
		{"ProtectSystem", "true", []Property{{"ProtectSystem", "yes"}}},
		{"AppArmorProfile", "-web", []Property{{"AppArmorProfile", Mark{true, "web"}}}},
		{"UMask", "27", []Property{{"UMask", uint32(0o27)}}},
	}
	for _, tt := range tests {
		got, err := Lookup(tt.name).Parse([]string{tt.value}, 252)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s=%s: %v (-want +got):\n%s", tt.name, tt.value, err, diff)
		}
	}
}

// Lines of one setting are taken together as systemd does.
func TestLines(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  any
	}{
		{"CapabilityBoundingSet", []string{"CAP_CHOWN", "CAP_KILL"}, uint64(1 | 1<<5)},
		{"CapabilityBoundingSet", []string{"~CAP_CHOWN", "~CAP_KILL"}, ^uint64(1 | 1<<5)},
		{"CapabilityBoundingSet", []string{"CAP_CHOWN CAP_KILL", "~CAP_KILL"}, uint64(1)},
		{"CapabilityBoundingSet", []string{"CAP_CHOWN", ""}, uint64(0)},
		{"RestrictNamespaces", []string{"user net", "~net"}, uint64(0x10000000)},
		{"ReadWritePaths", []string{"/a", "/b /c"}, []string{"/a", "/b", "/c"}},
		{"ReadWritePaths", []string{"/a", "", "/b"}, []string{"/b"}},
		{"ReadWritePaths", []string{"/a", ""}, []string{}},
		{"ProtectHome", []string{"yes", "tmpfs"}, "tmpfs"},
	}
	for _, tt := range tests {
		props, err := Lookup(tt.name).Parse(tt.lines, 252)
		if err != nil || len(props) != 1 {
			t.Errorf("%s %q: %v, %v", tt.name, tt.lines, props, err)
			continue
		}
		if diff := cmp.Diff(tt.want, props[0].Value); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", tt.name, tt.lines, diff)
		}
	}
	props, err := Properties([]Setting{{"SystemCallFilter", "@system-service"}, {"ProtectHome", "yes"}, {"SystemCallFilter", "~@privileged"}}, 252)
	want := []Property{{"SystemCallFilter", Filter{true, []string{"@system-service"}}}, {"SystemCallFilter", Filter{false, []string{"@privileged"}}}, {"ProtectHome", "yes"}}
	if diff := cmp.Diff(want, props); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestBad(t *testing.T) {
	for name, values := range map[string][]string{
		"ProtectSystem": {"ful", "2"}, "NoNewPrivileges": {"maybe"}, "RuntimeMaxSec": {"5 parsecs", "-1", "1e3", "99999999999999999999d"},
		"MemoryLow": {"10x", "101%", "-5", "1.2.3", "99999999999E"}, "LimitCORE": {"5:3", ":", "x:infinity"}, "ReadWritePaths": {"relative", "/a/../b", "'/a"},
		"CapabilityBoundingSet": {"CAP_FOO"}, "RestrictNamespaces": {"cpu"}, "SystemCallFilter": {"a b!"}, "SystemCallErrorNumber": {"EFOO", ""},
		"FinalKillSignal": {"SIGFOO", "0", "65", "RTMIN+31", "RTMAX+1"}, "SyslogLevel": {"loud", "8"}, "CPUAffinity": {"x", "3-1", "99999"},
		"BindPaths": {"/a:b", "/a:/b:foo"}, "DeviceAllow": {"null rw", "/dev/null x"}, "IPAddressAllow": {"1.2.3", "::1/200"},
		"SocketBindAllow": {"tcp:0", "http", "ipv4:tcp:9-8"}, "ConditionPathExists": {"relative", "!"}, "After": {"postgresql", "a b.service"},
		"ExecStartPre":   {"relative/path", "-", "--/bin/true", "/bin/a ; /bin/b", `/bin/a "b`, `/bin/a \q`, "@/bin/true", "+!/bin/true", `/bin/echo "a\nb"`},
		"SetCredential":  {"noid", "a b:x"},
		"StateDirectory": {"/abs", "../up", "a:"}, "SELinuxContext": {"a\x00b", "a\nb", "\xff"}, "ManagedOOMMemoryPressureLimit": {"50", "50.123%"},
		"AmbientCapabilities": {"1"}, "RuntimeDirectoryMode": {"888"}, "OpenFile": {"/a:b:frob"}, "LogExtraFields": {"lower=x", "X"},
	} {
		for _, v := range values {
			if v == "" {
				continue
			}
			if props, err := Lookup(name).Parse([]string{v}, 252); err == nil {
				t.Errorf("%s=%q is taken: %v", name, v, props)
			}
		}
	}
	if _, err := Properties([]Setting{{"Frobnicate", "1"}}, 252); err == nil {
		t.Error("an unknown setting is taken")
	}
}

func TestNeeds(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        int
	}{
		{"ProtectHome", "yes", Oldest},
		{"PrivateTmp", "yes", Oldest},
		{"PrivateTmp", "disconnected", 257},
		{"ExecStartPre", "-/bin/true", Oldest},
		{"ExecStartPre", ":/bin/true", 254},
		{"StartupCPUWeight", "idle", 252},
		{"StateDirectory", "a:b", 250},
		{"OpenFile", "/a", 253},
	} {
		if got := Lookup(tt.name).Needs(tt.value); got != tt.want {
			t.Errorf("%s=%s needs %d, want %d", tt.name, tt.value, got, tt.want)
		}
	}
}

// What is not settings, no property that Format knows, or no type that it has, is an error.
func TestFormatBad(t *testing.T) {
	for _, p := range []Property{{"Frobnicate", "x"}, {"NoNewPrivileges", "yes"}, {"LimitCORESoft", uint64(1)}, {"Conditions", []Condition{{Type: "X"}}}, {"Description", "a\nTasksMax=5"}} {
		if s, err := Format([]Property{p}); err == nil {
			t.Errorf("%v gives %v", p, s)
		}
	}
}

// No value whatever makes a parser panic, and what one takes is the same when it has been
// written and read again, on one line each.
func FuzzParse(f *testing.F) {
	for i := range entries {
		for _, x := range entries[i].Examples {
			f.Add(entries[i].Name, x)
		}
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		e := Lookup(name)
		if e == nil {
			return
		}
		for _, version := range []int{252, 254} {
			props, err := e.Parse([]string{text}, version)
			if err != nil || len(props) == 0 {
				continue
			}
			lines, err := Format(props)
			if err != nil {
				t.Fatalf("%s=%q is taken and cannot be written: %v", name, text, err)
			}
			for _, l := range lines {
				if strings.ContainsAny(l.Value, "\n\r\x00") {
					t.Fatalf("%s=%q is written as %q", name, text, l.Value)
				}
			}
			if len(lines) == 0 || lines[0].Value == "" {
				continue
			}
			if diff := cmp.Diff(props, again(t, props, version)); diff != "" {
				t.Fatalf("%s=%q is another when it is read again: %s", name, text, diff)
			}
		}
	})
}
