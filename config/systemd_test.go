package config

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"msup/property"
)

const program = "[program a]\ncommand = sleep\n"

// systemdOf loads a program with some lines more and returns what they come to.
func systemdOf(t *testing.T, text string) []string {
	t.Helper()
	cfg, err := loadText(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	var lines []string
	for _, s := range cfg.Programs[0].Systemd {
		lines = append(lines, s.Name+"="+s.Value)
	}
	return lines
}

func TestSystemd(t *testing.T) {
	for text, want := range map[string][]string{
		program: nil,
		program + "systemd.ProtectHome = read-only # a comment\n":                                               {"ProtectHome=read-only"},
		program + "systemd.ExecStartPre = /bin/echo 'a # b'\nsystemd.ExecStartPre=-/bin/false\n":                {"ExecStartPre=/bin/echo 'a # b'", "ExecStartPre=-/bin/false"},
		"[defaults]\nsystemd.ProtectHome = yes\n" + program:                                                     {"ProtectHome=yes"},
		"[defaults]\nsystemd.ProtectHome = yes\n" + program + "systemd.ProtectHome = tmpfs\n":                   {"ProtectHome=tmpfs"},
		"[defaults]\nsystemd.ProtectHome = yes\n" + program + "systemd.ProtectHome =\n":                         nil,
		"[defaults]\nsystemd.After = a.service\n" + program + "systemd.After = b.service\n":                     {"After=a.service", "After=b.service"},
		"[defaults]\nsystemd.After = a.service\n" + program + "systemd.After =\nsystemd.After = b.service\n":    {"After=b.service"},
		program + "systemd.CapabilityBoundingSet =\n":                                                           {"CapabilityBoundingSet="},
		"[defaults]\nsystemd.ProtectHome = yes\n" + program + "unit_type = scope\nsystemd.MemoryLow = 16M\n":    {"MemoryLow=16M"},
		program + "sandbox = standard\nsystemd.PrivateTmp = no\nsystemd.ProtectClock =\n" + quietStandard:       {"NoNewPrivileges=yes", "ReadWritePaths=-/srv/app", "PrivateTmp=no"},
		program + "sandbox = standard\nsystemd.ReadWritePaths = /x\nsystemd.PrivateTmp =\n" + quietStandard:     {"NoNewPrivileges=yes", "ProtectClock=yes", "ReadWritePaths=-/srv/app", "ReadWritePaths=/x"},
		"[defaults]\nsandbox = strict\n" + program + "sandbox = none\n":                                         nil,
		"[defaults]\nsandbox = strict\n[program a]\ncommand=sleep\nunit_type=scope\nsystemd.KillMode = mixed\n": {"KillMode=mixed"},
	} {
		if diff := cmp.Diff(want, systemdOf(t, text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// quietStandard takes back what of standard the test does not look at.
var quietStandard = func() string {
	var b strings.Builder
	for _, s := range property.Preset("standard") {
		if s.Name != "NoNewPrivileges" && s.Name != "PrivateTmp" && s.Name != "ProtectClock" {
			b.WriteString("systemd." + s.Name + " =\n")
		}
	}
	return b.String()
}()

func TestSystemdProblems(t *testing.T) {
	for line, want := range map[string]string{
		"systemd.ProtectSystm = full":                  "systemd.ProtectSystm: systemd has no such setting; did you mean systemd.ProtectSystem?",
		"systemd.protecthome = yes":                    "systemd.protecthome: systemd has no such setting; did you mean systemd.ProtectHome?",
		"systemd.Frobnicate = yes":                     "systemd.Frobnicate: systemd has no such setting for a service; the names are those of systemd.exec(5)",
		"systemd.ProtectSystem = ful":                  `systemd.ProtectSystem: "ful" is not yes, no, full or strict; write for example strict`,
		"systemd.TimeoutAbortSec = 5 parsecs":          `systemd.TimeoutAbortSec: "5 parsecs" is not a time span; use a time span: seconds, or numbers with us, ms, s, min, h, d, w, or infinity, for example 5s`,
		"systemd.MemoryMax = 1G":                       "systemd.MemoryMax: msup itself sets this one; use memory_limit",
		"systemd.Type = notify":                        "systemd.Type: msup itself sets this one; msup runs programs as Type=exec",
		"systemd.CPUQuotaPerSecUSec = 500000":          "systemd.CPUQuotaPerSecUSec: that is the name of a D-Bus property; in unit files the setting is CPUQuota; use cpu_limit",
		"systemd.RuntimeMaxUSec = 5":                   "systemd.RuntimeMaxUSec: that is the name of a D-Bus property; in unit files the setting is RuntimeMaxSec; write systemd.RuntimeMaxSec, for example 1h",
		"systemd.JobTimeoutSec = 5":                    "systemd.JobTimeoutSec: a program's unit cannot have it; systemd does not take it for a transient unit",
		"systemd.WantedBy = x.target":                  "systemd.WantedBy: a program's unit cannot have it; it belongs to a unit file that is installed",
		"systemd.ReadOnlyDirectories = /x":             "systemd.ReadOnlyDirectories: a program's unit cannot have it; systemd calls it ReadOnlyPaths",
		"ProtectSystem = full":                         "ProtectSystem: unknown key; write systemd.ProtectSystem",
		"systemd.UMask = 22\nsystemd.user = x":         "systemd.UMask: msup itself sets this one; use umask",
		"systemd.Nice = 5":                             "systemd.Nice: msup itself sets this one; use nice",
		"unit_type = scope\nsystemd.PrivateTmp=1":      "systemd.PrivateTmp: a scope cannot have it",
		"unit_type = scope\nsandbox = strict":          "sandbox: a scope cannot have it",
		"sandbox = harsh":                              `sandbox: "harsh" is not none, standard or strict`,
		"systemd.ProtectHome=1\nsystemd.ProtectHome=0": "systemd.ProtectHome: the key stands in line 3 already; remove one of them",
		"systemd. = x":                                 "systemd.: systemd has no such setting for a service",
	} {
		_, err := loadText(program + line + "\n")
		if err == nil || !strings.Contains(err.Error(), "[program a] "+want) {
			t.Errorf("%s\n%v\nwant %s", line, err, want)
		}
	}
	_, err := loadText("[msup]\nsystemd.ProtectHome = yes\n" + program)
	if err == nil || !strings.Contains(err.Error(), "[msup] systemd.ProtectHome: unknown key; it belongs in [program NAME] or [defaults]") {
		t.Errorf("in [msup]: %v", err)
	}
}

// TestSystemdVersion: what is too new is told with its line, and nothing else is.
func TestSystemdVersion(t *testing.T) {
	cfg, err := loadText("[defaults]\nsystemd.OpenFile = /etc/hosts\n" + program + "systemd.PrivateTmp = disconnected\nsystemd.PrivateIPC=yes\nsystemd.ExecStartPre = +/bin/true\n")
	if err != nil {
		t.Fatal(err)
	}
	if n := cfg.NeedsSystemd(); n != 257 {
		t.Errorf("needs %d", n)
	}
	if err := cfg.CheckSystemd(257); err != nil {
		t.Errorf("257: %v", err)
	}
	const want = "x.conf:2: [defaults] systemd.OpenFile: it needs systemd 253, here is 252\n" +
		`x.conf:5: [program a] systemd.PrivateTmp: "disconnected" needs systemd 257, here is 252` + "\n" +
		`x.conf:7: [program a] systemd.ExecStartPre: "+/bin/true" needs systemd 254, here is 252`
	err = cfg.CheckSystemd(252)
	var ce *Error
	if !errors.As(err, &ce) || err.Error() != want {
		t.Errorf("252:\n%v\nwant\n%s", err, want)
	}
}

// TestDamagedCommands: what an old systemd runs otherwise after a daemon-reload.
func TestDamagedCommands(t *testing.T) {
	for version, want := range map[int]int{252: 1, 254: 0} {
		cfg, err := loadText(program + "systemd.ExecStartPre = /bin/echo $A\nsystemd.ExecStop = /bin/true\nsystemd.ExecReload = /bin/kill -HUP $MAINPID\n")
		if err != nil || cfg.NeedsSystemd() != 254 {
			t.Fatal(err)
		}
		if err := cfg.CheckSystemd(version); err != nil || len(cfg.Warnings) != want {
			t.Errorf("%d: %v, %v", version, err, cfg.Warnings)
		}
	}
}

// TestUserManager: an ordinary user hears what of a sandbox does not hold.
func TestUserManager(t *testing.T) {
	load := func(lines string) (*Config, error) {
		h := fakeHost(map[string]string{"x.conf": program + lines})
		h.euid = 1000
		return load("x.conf", h, true)
	}
	for line, want := range map[string]string{
		"systemd.ProtectHome = yes":                              "warning x.conf:3: [program a] systemd.ProtectHome: the user manager ignores it by itself; add systemd.PrivateUsers = yes",
		"systemd.PrivateDevices = 1":                             "x.conf:3: [program a] systemd.PrivateDevices: the user manager cannot do it by itself; add systemd.PrivateUsers = yes",
		"systemd.DynamicUser = yes":                              "x.conf:3: [program a] systemd.DynamicUser: the user manager cannot do it: only the system manager has the rights for it; run msup as root, or remove the key",
		"systemd.PrivateDevices = no":                            "",
		"systemd.PrivateDevices = 1\nsystemd.PrivateUsers = yes": "",
		"sandbox = strict":                                       "",
	} {
		cfg, err := load(line + "\n")
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case len(cfg.Warnings) > 0:
			got = "warning " + cfg.Warnings[0].String()
		}
		if got != want {
			t.Errorf("%s\n%s\nwant %s", line, got, want)
		}
	}
	cfg, err := load("sandbox = strict\n")
	if err != nil || !strings.Contains(strings.Join(settingLines(cfg.Programs[0].Systemd), " "), "PrivateUsers=yes") {
		t.Errorf("the preset of a user has no PrivateUsers: %v", err)
	}
}

func settingLines(settings []property.Setting) []string {
	var lines []string
	for _, s := range settings {
		lines = append(lines, s.Name+"="+s.Value)
	}
	return lines
}

// TestSystemdWarnings: what looks like systemd's and means something else here.
func TestSystemdWarnings(t *testing.T) {
	for line, want := range map[string]string{
		"systemd.StateDirectory = %n":                   "x.conf:3: [program a] systemd.StateDirectory: %n is not expanded: it stands for itself",
		"systemd.ExecStartPre = /bin/true ; /bin/false": "x.conf:3: [program a] systemd.ExecStartPre: everything from the ; on is a comment; a literal ; stands in quotes",
	} {
		cfg, err := loadText(program + line + "\n")
		if err != nil || len(cfg.Warnings) != 1 || cfg.Warnings[0].String() != want {
			t.Errorf("%s: %v, %v", line, cfg.Warnings, err)
		}
	}
}

// TestSystemdKeys: every setting that msup takes is a key, and its examples are values.
func TestSystemdKeys(t *testing.T) {
	if len(systemdKeys) < 250 {
		t.Errorf("only %d keys", len(systemdKeys))
	}
	for name, k := range systemdKeys {
		if !keyName.MatchString(name) || !regexp.MustCompile(`^systemd\.[A-Za-z]+$`).MatchString(name) {
			t.Errorf("no file can have the key %s", name)
		}
		for _, x := range k.entry().Examples {
			if strings.Contains(x, ";") {
				continue // a comment, but for quotes
			}
			if _, err := loadText(program + name + " = " + x + "\n"); err != nil {
				t.Errorf("%s = %s: %v", name, x, err)
			}
		}
	}
}

// A program that cannot see its own folder or executable would only be said to be not executable.
func TestHidden(t *testing.T) {
	const home = "[program a]\ncommand = sleep\ndirectory = /home/me\n"
	const hidden = "systemd.ProtectHome: it hides the program's directory, /home/me, from it; use read-only, or add systemd.BindPaths = /home/me"
	for text, want := range map[string]string{
		home + "systemd.ProtectHome = yes\n":                                                  "x.conf:4: [program a] " + hidden,
		home + "systemd.ProtectHome = tmpfs\n":                                                "x.conf:4: [program a] " + hidden,
		"[defaults]\nsystemd.ProtectHome = yes\n" + home:                                      "x.conf:2: [defaults] " + strings.Replace(hidden, "it hides", "program a: it hides", 1),
		"[program a]\ncommand = /home/me/bin/mytool\nsystemd.ProtectHome = yes\n":             "x.conf:3: [program a] systemd.ProtectHome: it hides the program's executable, /home/me/bin/mytool, from it; use read-only, or add systemd.BindPaths = /home/me/bin/mytool",
		home + "systemd.ProtectHome = read-only\n":                                            "",
		home + "systemd.ProtectHome = no\n":                                                   "",
		home + "systemd.ProtectHome = yes\nsystemd.BindPaths = /home/me\n":                    "",
		"[defaults]\nsystemd.ProtectHome = yes\n" + home + "systemd.ProtectHome =\n":          "",
		"[program a]\ncommand = sleep\nsystemd.ProtectHome = yes\nsystemd.PrivateTmp = yes\n": "",
		home + "sandbox = strict\n":                                                           "",
	} {
		cfg, err := loadText(text)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		var got []string
		for _, w := range cfg.Warnings {
			got = append(got, w.String())
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s\nwarnings %q\nwant %q", text, got, want)
		}
	}
}
