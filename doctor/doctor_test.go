package doctor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"msup/cgroup"
	"msup/doctor"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

const gib = uint64(1 << 30)

var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// healthy is a machine on which all is well, with a project that runs.
func healthy() doctor.Facts {
	project := units.Project{
		Name: "shop", File: "/srv/shop/msup.conf",
		Programs: []units.Program{
			{
				Name: "web", Unit: "msup-shop-web.service", Type: units.Service, Argv: []string{"web"}, Stdout: "/srv/shop/web.log", Stderr: "/srv/shop/web.log", InGroup: "front",
				Limits: units.Limits{MemoryMax: new(gib / 4), SwapMax: new(uint64(0))},
			},
			{Name: "worker", Unit: "msup-shop-worker.service", Type: units.Service, Argv: []string{"worker"}},
		},
		Groups: []units.Group{{Name: "front", Limits: units.Limits{MemoryMax: new(gib / 2), SwapMax: new(uint64(0))}}},
	}
	return doctor.Facts{
		Now: now, Root: true,
		Config:  &doctor.Config{Project: project, Modified: now.Add(-time.Hour)},
		Systemd: doctor.Systemd{Version: 258, Socket: "/run/systemd/private", State: "running"},
		Cgroup: doctor.Cgroup{
			Host: cgroup.Host{Layout: cgroup.Unified, Mount: "/sys/fs/cgroup"}, Has: []string{"cpu", "io", "memory", "pids"},
			Swap: new(true), SwapLimits: new(true), Pressure: new(true), Memory: 8 * gib,
		},
		Journal: doctor.Journal{Interval: "30s", Burst: "10000", Storage: "auto", Persistent: new(true), Readable: new(true)},
		Runtime: doctor.RuntimeDir{Path: "/run/msup/shop"},
		Folders: []doctor.Folder{{Path: "/srv/shop", Free: new(20 * gib), MinFree: gib, Users: []string{"web", "other"}, Keepers: []string{"web"}}},
		Files:   doctor.FileLimits{Limit: new(uint64(524288)), Store: new(uint64(64))},
		Names:   &doctor.Names{},
		Running: &doctor.Supervisor{
			Unit: "msup@shop.service", Active: true, Answers: true, Version: "1.0", Mine: "1.0", Replaced: new(false),
			Started: now.Add(-time.Minute), Watchdog: time.Minute,
		},
		Clock: doctor.Clock{Synchronised: new(true)},
	}
}

func TestHealthy(t *testing.T) {
	for _, f := range doctor.Examine(healthy()) {
		if f.Severity != doctor.OK || f.Fix != "" {
			t.Errorf("%+v", f)
		}
	}
	if got := doctor.Worst(doctor.Examine(healthy())); got != doctor.OK {
		t.Errorf("worst is %s", got)
	}
}

// Each change of one fact makes exactly these findings.
func TestExamine(t *testing.T) {
	no := errors.New("permission denied")
	for _, tt := range []struct {
		name   string
		change func(*doctor.Facts)
		want   string // severity, subject, text and fix of what is not ok
	}{
		{"no systemd", func(f *doctor.Facts) {
			f.Systemd = doctor.Systemd{Err: errors.New("it is not here"), Hint: "boot it"}
			f.Running = nil
		}, `
problem systemd: the system manager cannot be reached: it is not here; boot it
warning limits: whether all others hold could not be found out: the system manager decides what it passes on`},
		{"an address is taken", func(f *doctor.Facts) {
			f.Taken = []doctor.Taken{{Program: "web", Address: "8080", By: "nginx (PID 12)"}}
		}, `
problem web: cannot listen on 8080: it is taken by nginx (PID 12); end that, or change listen`},
		{"no systemd, and the machine lacks a controller", func(f *doctor.Facts) {
			f.Systemd, f.Running = doctor.Systemd{Err: errors.New("it is not here")}, nil
			f.Cgroup.Missing = map[string]string{"memory": "version 1 has it"}
		}, `
problem systemd: the system manager cannot be reached: it is not here
problem web, group front: memory_limit does not hold: version 1 has it
warning limits: whether all others hold could not be found out: the system manager decides what it passes on`},
		{"too old", func(f *doctor.Facts) { f.Systemd.Version = 246 }, "problem systemd: msup needs systemd 247 or newer; upgrade systemd"},
		{"247 and nothing that it lacks", func(f *doctor.Facts) { f.Systemd.Version = 247 }, ""},
		{"no version", func(f *doctor.Facts) { f.Systemd.Version = 0 }, "warning systemd: it does not say its version: what it lacks is not known"},
		{"newer than known", func(f *doctor.Facts) { f.Systemd.Version = 260 }, "info systemd: msup knows what changed up to version 258; this is 260"},
		{"257", func(f *doctor.Facts) { f.Systemd.Version = 257 }, "info systemd: version 257 hangs for good if a unit is started with a MemoryMax= of less than a page: msup refuses less than 64 KiB; see that nobody else sets it"},
		{"252 with a scope", func(f *doctor.Facts) { f.Systemd.Version = 252; f.Config.Project.Programs[1].Type = units.Scope }, "info systemd: scopes may have no OOMPolicy= before 253: what becomes of a scope in which a process is killed for memory is the manager's default (DefaultOOMPolicy=)"},
		{"253 with a delicate command", func(f *doctor.Facts) {
			f.Systemd.Version = 253
			f.Config.Project.Programs[1].Argv = []string{"sh", "-c", "echo $HOME"}
		}, "info systemd: before 254 a daemon-reload damages systemd's own copy of commands with $, ; or ': systemctl cat shows them wrongly, msup never runs them"},
		{"255 with a CPU limit of the project", func(f *doctor.Facts) { f.Systemd.Version = 255; f.Config.Project.Limits.CPUPercent = new(uint64(50)) }, "info systemd: before 256 a daemon-reload keeps whole percents of a CPU only: cpu_limit is rounded to these"},
		{"shutting down", func(f *doctor.Facts) { f.Systemd.State = "stopping" }, "problem systemd: the system manager is shutting down: it starts nothing any more"},
		{"degraded", func(f *doctor.Facts) { f.Systemd.State = "degraded" }, "info systemd: some units have failed (degraded); systemctl --failed lists them"},
		{"hybrid", func(f *doctor.Facts) { f.Cgroup.Host.Layout = cgroup.Hybrid }, "info cgroup: version 2 at /sys/fs/cgroup beside version 1, which keeps controllers; systemd 258 does not run so; boot with systemd.unified_cgroup_hierarchy=1"},
		{"no cgroup facts", func(f *doctor.Facts) { f.Cgroup = doctor.Cgroup{Err: no} }, `
warning cgroup: what can be limited here could not be found out: permission denied
warning limits: whether all others hold could not be found out: the system manager decides what it passes on`},
		{"a controller is missing that is needed", func(f *doctor.Facts) { f.Cgroup.Missing = map[string]string{"memory": "it is off; boot with it"} }, "problem web, group front: memory_limit does not hold: it is off; boot with it"},
		{"one that is not", func(f *doctor.Facts) { f.Cgroup.Missing = map[string]string{"io": "it is off"} }, ""},
		{"swap that is not counted", func(f *doctor.Facts) { f.Cgroup.SwapLimits = new(false) }, "problem web, group front: swap_limit does not hold (it is 0 with memory_limit): the machine has swap and the kernel does not count who uses it, so memory goes there instead; boot with swapaccount=1, or swapoff -a"},
		{"no swap", func(f *doctor.Facts) { f.Cgroup.Swap, f.Cgroup.SwapLimits = new(false), new(false) }, ""},
		{"no pressure", func(f *doctor.Facts) { f.Cgroup.Pressure = new(false) }, "info cgroup: the kernel does not measure pressure: systemd-oomd cannot work; msup does not need it; boot with psi=1, if the kernel has it (CONFIG_PSI)"},
		{"too much memory", func(f *doctor.Facts) { f.Cgroup.Memory = gib / 3 }, "info group front: memory_limit = 512M is more than the machine has (341.3M): it is never met"},
		{"above the group's", func(f *doctor.Facts) { f.Config.Project.Programs[0].Limits.MemoryMax = new(gib) }, "info web: memory_limit is above that of group front, 512M, which is met first"},
		{"no lingering", func(f *doctor.Facts) { f.Linger = &doctor.Linger{Name: "ann"} }, "warning lingering: the programs end with the last login of ann; sudo loginctl enable-linger ann"},
		{"lingering", func(f *doctor.Facts) { f.Linger = &doctor.Linger{On: true, Name: "ann"} }, ""},
		{"a user's nice", func(f *doctor.Facts) {
			f.User, f.Root = true, false
			f.Config.Project.Programs[1].Limits = units.Limits{Nice: new(-5), OOMScoreAdjust: new(-1), NoFile: new(uint64(1 << 30))}
		}, `
warning worker: nice = -5 is not for an ordinary user: systemd ignores it without a word, unless LimitNICE= of user@.service allows it
warning worker: a negative oom_score_adjust is not for an ordinary user: it has no effect
info worker: journal_rate has no effect on what goes to the journal directly under a user manager: journald takes 10000 lines in 30s of each unit; give stdout and stderr files, of which every byte is kept
warning worker: nofile is more than a user may have here (524288): systemd sets what it can, without a word; raise it in limits.conf or user@.service`},
		{"no journald", func(f *doctor.Facts) { f.Journal = doctor.Journal{Absent: true} }, "info journal: journald does not run here"},
		{"volatile and not readable", func(f *doctor.Facts) { f.Journal.Persistent, f.Journal.Readable = new(false), new(false) }, `
info journal: kept until the next reboot only, in /run/log/journal; mkdir /var/log/journal && journalctl --flush
warning journal: this user cannot read it: msup logs shows nothing of programs without a file; sudo usermod -aG systemd-journal $USER, and log in again`},
		{"nothing is kept", func(f *doctor.Facts) { f.Journal.Storage, f.Journal.Persistent, f.Journal.Readable = "none", nil, nil }, "warning journal: journald keeps nothing (Storage=none): output is in files only; Storage=auto in journald.conf"},
		{"no limit of the journal's", func(f *doctor.Facts) { f.Journal.Interval = "0" }, ""},
		{"runtime directory", func(f *doctor.Facts) { f.Runtime.Err = no }, "problem runtime directory: permission denied; use sudo for the system manager; for a user, log in so that $XDG_RUNTIME_DIR is there"},
		{"socket", func(f *doctor.Facts) { f.Runtime.Socket, f.Running.Answers = no, false }, "problem socket: the supervisor's socket cannot be used: permission denied; run it as the user who started the project"},
		{"a folder that cannot be written", func(f *doctor.Facts) { f.Folders[0].Err = no }, "problem web, other: logs cannot be written to /srv/shop: permission denied; make the folder, or give it to the user msup runs as"},
		{"less than log_min_free", func(f *doctor.Facts) { f.Folders[0].Free = new(gib / 2) }, "problem web: /srv/shop has 512.0M free, which is less than log_min_free = 1G: log files do not grow; make room, or lower log_min_free"},
		{"full", func(f *doctor.Facts) { f.Folders[0].Free, f.Folders[0].MinFree = new(uint64(0)), 0 }, "problem web, other: /srv/shop is full: logs cannot be written; make room"},
		{"files", func(f *doctor.Facts) { f.Files.Limit = new(uint64(64)) }, "problem open files: the supervisor may have 64 and needs up to 70 for what programs write; raise LimitNOFILE= of the supervisor's unit"},
		{"files of this process", func(f *doctor.Facts) { f.Files = doctor.FileLimits{Limit: new(uint64(64)), Own: true} }, "warning open files: this process may have 64, and the supervisor will need up to 70; raise DefaultLimitNOFILE= in system.conf, or user.conf"},
		{"no store", func(f *doctor.Facts) { f.Files.Store = new(uint64(0)) }, "problem open files: systemd keeps 0 descriptors for the supervisor (FileDescriptorStoreMax=): programs die of a broken pipe when it is killed; FileDescriptorStoreMax=64 in the supervisor's unit"},
		{"names", func(f *doctor.Facts) {
			f.Names = &doctor.Names{Foreign: []string{"x is taken"}, Leftover: []string{"msup-shop-old.service"}}
		}, `
problem names: x is taken; rename the program, or give the project another name: [msup] project = NAME
warning names: msup-shop-old.service: of a program that the configuration does not have, and that no supervisor keeps; systemctl stop msup-shop-old.service`},
		{"not up", func(f *doctor.Facts) { f.Running = nil }, "info supervisor: project shop is not running; msup up -d"},
		{"units without a supervisor", func(f *doctor.Facts) { f.Running, f.Names.Loaded = nil, []string{"msup-shop-web.service"} }, `
warning names: msup-shop-web.service: without a supervisor; msup up -d takes them over; msup down stops them
info supervisor: project shop is not running; msup up -d`},
		{"it hangs", func(f *doctor.Facts) { f.Running.Answers = false }, "problem supervisor: msup@shop.service runs and does not answer; journalctl -u msup@shop.service says what it does"},
		{"it failed", func(f *doctor.Facts) { f.Running.Active = false }, "problem supervisor: msup@shop.service is loaded and does not run; journalctl -u msup@shop.service says why; msup up -d starts it again"},
		{"older", func(f *doctor.Facts) { f.Running.Version = "" }, "info supervisor: it has version unknown (older), this msup 1.0; systemctl restart msup@shop.service (stops nothing)"},
		{"replaced", func(f *doctor.Facts) { f.Running.Replaced = new(true) }, "info supervisor: it runs from another executable than this msup: it was replaced, or is another copy; systemctl restart msup@shop.service (stops nothing)"},
		{"restarted", func(f *doctor.Facts) { f.Running.Restarts = 3 }, "warning supervisor: systemd has restarted it 3 times since it was started; journalctl -u msup@shop.service says why"},
		{"no watchdog", func(f *doctor.Facts) { f.Running.Watchdog = 0 }, "info supervisor: it has no watchdog: one that hangs is not noticed; WatchdogSec=60 in its unit"},
		{"changed since", func(f *doctor.Facts) {
			f.Config.Modified = now.Add(-30 * time.Second)
			f.Running.Changed = []string{"web"}
		}, `
info configuration: changed 30s ago, after the supervisor started: what runs may differ; msup diff shows what that means, msup reload applies it
info web: runs by an older definition than the configuration's; msup restart web`},
		{"changed and reloaded since", func(f *doctor.Facts) {
			f.Config.Modified, f.Running.Differs = now.Add(-30*time.Second), new(false)
		}, ""},
		{"changed and not reloaded", func(f *doctor.Facts) {
			f.Config.Modified, f.Running.Differs = now.Add(-30*time.Second), new(true)
		}, "info configuration: what runs differs from it; it was changed 30s ago; msup diff shows what that means, msup reload applies it"},
		{"set to something else", func(f *doctor.Facts) { f.Running.Differs = new(true) }, "info configuration: what runs differs from it; msup diff shows what that means, msup reload applies it"},
		{"removed", func(f *doctor.Facts) { f.Running.Removed = []string{"old"} }, "info old: runs on, and is no longer in the configuration; msup stop old"},
		{"changed in the future", func(f *doctor.Facts) { f.Config.Modified = now.Add(time.Hour) }, "warning clock: the configuration was changed in the future, at 2026-01-02 16:04:05: the clock was wrong then or is now; set the clock, or touch the configuration"},
		{"clock", func(f *doctor.Facts) { f.Clock.Synchronised = new(false) }, "info clock: the clock is not synchronised: times in logs of several machines do not compare; timedatectl set-ntp true"},
		{"nothing is known", func(f *doctor.Facts) {
			f.Config, f.Running, f.Names, f.Folders = nil, nil, nil, nil
			f.Journal.Persistent, f.Journal.Readable, f.Files, f.Clock, f.Systemd.State = nil, nil, doctor.FileLimits{}, doctor.Clock{}, ""
		}, `
info systemd: its state could not be read
info journal: whether it is kept over a reboot could not be found out
warning open files: how many the supervisor may have could not be found out`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := healthy()
			tt.change(&f)
			var got []string
			for _, x := range doctor.Examine(f) {
				if x.Severity == doctor.OK {
					continue
				}
				line := string(x.Severity) + " " + x.Subject + ": " + x.Text
				if x.Fix != "" {
					line += "; " + x.Fix
				}
				got = append(got, line)
			}
			want := strings.Split(strings.TrimPrefix(tt.want, "\n"), "\n")
			if tt.want == "" {
				want = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWorst(t *testing.T) {
	all := []doctor.Severity{doctor.OK, doctor.Info, doctor.Warning, doctor.Problem}
	for i, worst := range all {
		var findings []doctor.Finding
		for _, s := range slices.Backward(all[:i+1]) {
			findings = append(findings, doctor.Finding{Severity: s})
		}
		if got := doctor.Worst(findings); got != worst {
			t.Errorf("worst of %v is %s", all[:i+1], got)
		}
	}
}
