package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestUnitOf(t *testing.T) {
	const web = "msup-web.service"
	tests := []struct{ name, text, unit, want, err string }{
		{"the unit itself", "0::/msup.slice/msup-web.service\n", web, "/msup.slice/msup-web.service", ""},
		{"below it", "0::/msup.slice/msup-web.service/sub/deep\n", web, "/msup.slice/msup-web.service", ""},
		{"hybrid", "9:name=systemd:/msup.slice/x.service\n4:memory:/\n0::/msup.slice/msup-web.service\n", web, "/msup.slice/msup-web.service", ""},
		{"user manager", "0::/user.slice/user-1000.slice/user@1000.service/msup.slice/msup-web.service\n", web, "/user.slice/user-1000.slice/user@1000.service/msup.slice/msup-web.service", ""},
		{"instance", "0::/msup.slice/msup-web@1.service\n", "msup-web@1.service", "/msup.slice/msup-web@1.service", ""},
		{"escaped name", `0::/msup.slice/msup-a\x2db.service` + "\n", `msup-a\x2db.service`, `/msup.slice/msup-a\x2db.service`, ""},
		{"colons in the path", "0::/msup.slice/msup-web.service/a:b:0::/c\n", web, "/msup.slice/msup-web.service", ""},
		{"zombie", "0::/msup.slice/msup-web.service (deleted)\n", web, "/msup.slice/msup-web.service", ""},
		{"the slice", "0::/msup.slice/msup-web.service\n", "msup.slice", "/msup.slice", ""},
		{"no newline", "0::/msup.slice/msup-web.service", web, "/msup.slice/msup-web.service", ""},
		{"another unit", "0::/msup.slice/msup-webs.service\n", web, "", "not in the unit"},
		{"its name begins with the unit's", "0::/msup.slice/msup-web.service.d\n", web, "", "not in the unit"},
		{"root", "0::/\n", web, "", "not in the unit"},
		{"outside of the namespace", "0::/../msup.slice/msup-web.service\n", web, "", "not in the unit"},
		{"v1 alone", "4:memory:/msup.slice/msup-web.service\n", web, "", "no cgroup v2 path"},
		{"nothing", "", web, "", "no cgroup v2 path"},
		{"no unit", "0::/\n", "", "", "not the name of a unit"},
		{"no unit name", "0::/msup.slice/msup-web.service\n", "msup.slice/msup-web.service", "", "not the name of a unit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := unitOf([]byte(tt.text), tt.unit)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %v, want %q, %s", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestOf(t *testing.T) {
	if _, err := Of(os.Getpid(), "msup-no-such.service"); err == nil || !strings.Contains(err.Error(), "msup-no-such.service") {
		t.Errorf("error %v, want one that names the unit", err)
	}
	// Above the largest process id there can be (PID_MAX_LIMIT, 2^22).
	if _, err := Of(1<<22+1, "msup-web.service"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

func FuzzUnitOf(f *testing.F) {
	f.Add("0::/msup.slice/msup-web.service/sub\n", "msup-web.service")
	f.Add("4:memory:/\n0::/../x (deleted)\n", "x")
	f.Fuzz(func(t *testing.T, text, unit string) {
		got, err := unitOf([]byte(text), unit)
		if err == nil && (filepath.Base(got) != unit && unit != "." || !strings.Contains(text, "0::"+got)) {
			t.Errorf("%q is not where %q is in %q", got, unit, text)
		}
	})
}

const (
	unifiedMounts = `25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
29 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
30 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
`
	hybridMounts = `31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:30 / /sys/fs/cgroup/systemd rw,relatime shared:11 - cgroup cgroup rw,xattr,name=systemd
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:15 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:16 - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/blkio rw,relatime shared:17 - cgroup cgroup rw,blkio
`
	hybridTable = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t4\t64\t1\ncpuacct\t4\t64\t1\nblkio\t6\t64\t1\nmemory\t5\t90\t1\npids\t0\t70\t1\n"
)

func TestMounts(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unified", unifiedMounts, []string{"/sys/fs/cgroup"}},
		{"hybrid", hybridMounts, []string{"/sys/fs/cgroup/unified"}},
		{"the usual place first", strings.ReplaceAll(unifiedMounts, "/sys/fs/cgroup", "/mnt/c") + unifiedMounts, []string{"/sys/fs/cgroup", "/mnt/c"}},
		{"escapes", strings.ReplaceAll(unifiedMounts, "/sys/fs/cgroup", `/mnt/my\040groups\134`), []string{`/mnt/my groups\`}},
		{"a name with a dash", strings.ReplaceAll(unifiedMounts, "/sys/fs/cgroup", `/mnt/-`), []string{`/mnt/-`}},
		{"none", "garbage\n\n30 1 254:1 / / rw - ext4 /dev/vda1 rw\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mounts([]byte(tt.text)).v2; !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte(unifiedMounts), []byte(hybridTable))
	f.Add([]byte(hybridMounts), []byte(hybridTable))
	f.Fuzz(func(t *testing.T, mountinfo, cgroups []byte) {
		h := detect("", nil, mountinfo, cgroups)
		for _, c := range []string{"memory", "cpu", "io", "pids"} {
			if h.Missing(c) == "" {
				t.Errorf("%s works without any controllers", c)
			}
		}
	})
}

func TestDetect(t *testing.T) {
	all := []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"}
	v2Table := "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t64\t1\nmemory\t0\t90\t1\n"
	tests := []struct {
		name, mount, mountinfo, table string
		controllers                   []string
		layout                        Layout
		missing                       map[string]string
	}{
		{"unified", "/sys/fs/cgroup", unifiedMounts, v2Table, all, Unified, map[string]string{"memory": "", "cpu": "", "io": "", "pids": ""}},
		{"unified, no /proc/cgroups", "/sys/fs/cgroup", unifiedMounts, "", all, Unified, map[string]string{"memory": ""}},
		{
			"hybrid", "/sys/fs/cgroup/unified", hybridMounts, hybridTable,
			[]string{"pids"},
			Hybrid,
			map[string]string{
				"memory": "cgroup v1: the memory controller is bound to /sys/fs/cgroup/memory; boot with systemd.unified_cgroup_hierarchy=1",
				"cpu":    "cgroup v1: the cpu controller is bound to /sys/fs/cgroup/cpu,cpuacct; boot with systemd.unified_cgroup_hierarchy=1",
				"io":     "cgroup v1: the blkio controller is bound to /sys/fs/cgroup/blkio; boot with systemd.unified_cgroup_hierarchy=1",
				"pids":   "",
			},
		},
		{
			"v1 in another mount namespace", "/sys/fs/cgroup", unifiedMounts, hybridTable, nil, Hybrid,
			map[string]string{
				"memory": "cgroup v1: the memory controller is bound to a hierarchy of its own; boot with systemd.unified_cgroup_hierarchy=1",
				"pids":   "the pids controller is not available in /sys/fs/cgroup; the kernel lacks it, or this container was not given it",
			},
		},
		{
			"legacy", "", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", hybridTable, nil, Legacy,
			map[string]string{"memory": "cgroup v1: the memory controller is bound to /sys/fs/cgroup/memory; boot with systemd.unified_cgroup_hierarchy=1"},
		},
		{
			"memory switched off", "/sys/fs/cgroup", unifiedMounts, "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t64\t0\npids\t0\t1\t0\n",
			[]string{"cpu"},
			Unified,
			map[string]string{
				"cpu":    "",
				"memory": "the memory controller is switched off in the kernel; boot with cgroup_enable=memory and without cgroup_disable=memory",
				"pids":   "the pids controller is switched off in the kernel; boot without cgroup_disable=pids",
			},
		},
		{
			"nothing mounted", "", "", v2Table, nil, None,
			map[string]string{"cpu": "the cpu controller has no place: cgroup v2 is not mounted; mount it with mount -t cgroup2 none /sys/fs/cgroup"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := detect(tt.mount, tt.controllers, []byte(tt.mountinfo), []byte(tt.table))
			if h.Layout != tt.layout {
				t.Errorf("layout %s, want %s", h.Layout, tt.layout)
			}
			for controller, want := range tt.missing {
				if got := h.Missing(controller); got != want {
					t.Errorf("%s:\ngot  %q\nwant %q", controller, got, want)
				}
			}
		})
	}
}

func TestMissingIn(t *testing.T) {
	h := Host{Layout: Unified, Mount: "/sys/fs/cgroup", Controllers: []string{"cpu", "memory", "pids"}}
	manager := tree(t, filepath.Join(t.TempDir(), "user@1000.service"), map[string]string{"cgroup.controllers": "memory pids\n"})
	if got, err := Controllers(manager); err != nil || !reflect.DeepEqual(got, []string{"memory", "pids"}) {
		t.Fatalf("controllers %q, %v", got, err)
	}
	if got, err := h.MissingIn(manager, "memory"); got != "" || err != nil {
		t.Errorf("memory: %q, %v", got, err)
	}
	if got, err := h.MissingIn(manager, "cpu"); !strings.Contains(got, "Delegate=cpu") || !strings.Contains(got, manager) || err != nil {
		t.Errorf("cpu: %q, %v", got, err)
	}
	if got, err := h.MissingIn(manager, "io"); got != h.Missing("io") || err != nil {
		t.Errorf("io: %q, %v", got, err)
	}
	if _, err := h.MissingIn(filepath.Join(manager, "gone"), "cpu"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

// TestDetectKernel looks at this machine, whatever it has.
func TestDetectKernel(t *testing.T) {
	h, err := Detect()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s at %q with %q; memory: %q", h.Layout, h.Mount, h.Controllers, h.Missing("memory"))
}
