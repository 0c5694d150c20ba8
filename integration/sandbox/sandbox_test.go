//go:build linux

package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideEnv is set for the test binary inside a sandbox, callerEnv, to a kind, for one that runs a sandbox and is killed.
const (
	insideEnv = "MSUP_SANDBOX_TEST_INSIDE"
	callerEnv = "MSUP_SANDBOX_TEST_CALLER"
)

// printName is a shell command that prints the name of the state folder, which is the name of everything on the host.
const printName = `grep -o 'msup-sandbox-[0-9]*' /proc/self/mountinfo | head -n 1`

// each runs test for both kinds.
func each(t *testing.T, test func(t *testing.T, kind Kind)) {
	in(t, []Kind{Namespaces, UML}, test)
}

func in(t *testing.T, kinds []Kind, test func(t *testing.T, kind Kind)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			if missing := Missing(kind); len(missing) > 0 {
				text := strings.Join(missing, " ")
				if os.Getenv("MSUP_REQUIRE") != "" {
					t.Fatal(text)
				}
				t.Skip(text)
			}
			test(t, kind)
		})
	}
}

// shell runs a script in a sandbox.
func shell(t *testing.T, o Options, script string) (stdout, stderr string, exitCode int) {
	t.Helper()
	var out, errs bytes.Buffer
	began := time.Now()
	exitCode, err := Run(t.Context(), o, []string{"sh", "-c", script}, nil, &out, &errs)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v from boot to end", time.Since(began).Round(time.Millisecond))
	return out.String(), errs.String(), exitCode
}

func TestRun(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		share := t.TempDir()
		out, errs, code := shell(t, Options{Kind: kind, Share: share}, printName+`
			echo to stderr >&2
			echo shared >`+share+`/file
			systemd-run --quiet --wait --unit=greeter sh -c 'echo hello; exit 3'
			echo $? $(systemctl is-system-running)
			# The journal gets what a service writes some time after the service has ended.
			journalctl --sync
			journalctl --unit=greeter --output=cat --no-pager | grep -c '^hello$'
			busctl call org.freedesktop.DBus / org.freedesktop.DBus GetId | cut -c 1-3
			exit 7`)
		name, rest, _ := strings.Cut(out, "\n")
		if want := "3 degraded\n1\ns \"\n"; rest != want {
			t.Errorf("standard output: %q, want %q", rest, want)
		}
		if errs != "to stderr\n" {
			t.Errorf("standard error: %q", errs)
		}
		if code != 7 {
			t.Errorf("exit code %d, want 7", code)
		}
		if text, err := os.ReadFile(filepath.Join(share, "file")); string(text) != "shared\n" {
			t.Errorf("file in shared folder: %q, %v", text, err)
		}
		if left := leftovers(t, name); len(left) > 0 {
			t.Errorf("left behind: %s", strings.Join(left, "\n"))
		}
	})
}

func TestOutputIsComplete(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		// All byte values, in pieces that are no multiple of any buffer, ended by a signal.
		want := bytes.Repeat([]byte("\x00\x01\r\n\xff\xfe\x04\x03 msup"), 300_001)
		file := filepath.Join(t.TempDir(), "bytes")
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		out, _, code := shell(t, Options{Kind: kind, Share: filepath.Dir(file)}, "cat "+file+"; kill -KILL $$")
		if out != string(want) {
			t.Errorf("%d bytes of output, want %d, or they are others", len(out), len(want))
		}
		if code != 128+9 {
			t.Errorf("exit code %d, want 137", code)
		}
	})
}

// TestUserManager shows that a user who is not root has a manager with controllers, a bus and a journal.
func TestUserManager(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		out, errs, code := shell(t, Options{Kind: kind}, `set -e
			useradd --create-home alice
			uid=$(id -u alice)
			systemctl start user@$uid.service
			test -S /run/user/$uid/systemd/private
			test -S /run/user/$uid/bus
			if [ `+string(kind)+` = uml ]; then
				grep -q 'cpu memory pids' /sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/cgroup.controllers
			fi
			exec setpriv --reuid=alice --regid=alice --init-groups env HOME=/home/alice XDG_RUNTIME_DIR=/run/user/$uid sh -ec '
				# It has to live until journald has asked whose line it is (systemd issue 2913).
				systemd-run --user --quiet --unit=greeter sh -c "echo hello; exec sleep infinity"
				systemctl --user is-system-running
				n=0
				until journalctl --user --unit=greeter --output=cat --no-pager | grep "^hello$"; do
					n=$((n + 1)); test $n -lt 100; sleep 0.2
				done'`)
		if code != 0 || out != "running\nhello\n" {
			t.Errorf("exit code %d, output %q, errors %q", code, out, errs)
		}
	})
}

// TestLimits shows that the kernel of UML enforces limits. In namespaces that depends on
// the host.
func TestLimits(t *testing.T) {
	in(t, []Kind{UML}, func(t *testing.T, kind Kind) {
		out, errs, _ := shell(t, Options{Kind: kind}, `
			systemd-run --quiet --wait --unit=hog --property=MemoryMax=30M --property=MemorySwapMax=0 tail /dev/zero
			systemctl show --property=Result --value hog
			systemd-run --quiet --unit=spin --property=CPUQuota=50% sh -c 'while :; do :; done'
			cd /sys/fs/cgroup/system.slice/spin.service
			until grep -q 'nr_throttled [1-9]' cpu.stat; do sleep 0.2; done # busy waiting would leave it too little to throttle
			test "$(cat memory.peak)" -gt 0 && echo peak`)
		if out != "oom-kill\npeak\n" {
			t.Errorf("output %q, errors %q", out, errs)
		}
	})
}

// TestReexecute is how integration tests use the package.
func TestReexecute(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		done := make(chan int)
		for i := range 100 {
			go func() { done <- i }()
		}
		sum := 0
		for range 100 {
			sum += <-done
		}
		t.Logf("uid %d, sum %d", os.Getuid(), sum)
		return
	}
	each(t, func(t *testing.T, kind Kind) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		if kind == UML {
			// The race detector's shadow memory does not always fit into the address space there.
			self = filepath.Join(t.TempDir(), "plain.test")
			build := exec.Command("go", "test", "-c", "-o", self, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("cannot build without the race detector: %v\n%s", err, out)
			}
		}
		var out bytes.Buffer
		code, err := Run(t.Context(), Options{Kind: kind}, []string{self, "-test.run=^TestReexecute$", "-test.v"}, []string{insideEnv + "=1"}, &out, &out)
		if err != nil || code != 0 || !strings.Contains(out.String(), "uid 0, sum 4950") {
			t.Errorf("exit code %d, error %v, output:\n%s", code, err, out.String())
		}
	})
}

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		var name string
		out := lineWriter(func(line string) { name = line; cancel(cause) })
		_, err := Run(ctx, Options{Kind: kind}, []string{"sh", "-c", printName + "; exec sleep infinity"}, nil, out, nil)
		if !errors.Is(err, cause) {
			t.Errorf("error %v, want %v", err, cause)
		}
		if left := leftovers(t, name); len(left) > 0 {
			t.Errorf("left behind: %s", strings.Join(left, "\n"))
		}
	})
}

// lineWriter is called with each write, without its newline.
type lineWriter func(line string)

func (w lineWriter) Write(p []byte) (int, error) {
	w(strings.TrimSpace(string(p)))
	return len(p), nil
}

// TestKilledCaller kills a process that runs a sandbox.
func TestKilledCaller(t *testing.T) {
	if kind := os.Getenv(callerEnv); kind != "" {
		_, err := Run(t.Context(), Options{Kind: Kind(kind)}, []string{"sh", "-c", printName + "; exec sleep infinity"}, nil, os.Stdout, nil)
		t.Fatal(err)
	}
	each(t, func(t *testing.T, kind Kind) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		caller := exec.Command(self, "-test.run=^TestKilledCaller$")
		caller.Env = append(os.Environ(), callerEnv+"="+string(kind))
		out, err := caller.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := caller.Start(); err != nil {
			t.Fatal(err)
		}
		name, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(name, "msup-sandbox-") {
			t.Errorf("first line %q, %v", name, err)
		}
		if len(leftovers(t, strings.TrimSpace(name))) == 0 {
			t.Error("nothing to find while the sandbox runs: the search is wrong")
		}
		caller.Process.Signal(syscall.SIGKILL)
		caller.Wait()
		// The keeper is nobody's child now, so its end is no event.
		deadline := time.Now().Add(10 * time.Second)
		for left := leftovers(t, strings.TrimSpace(name)); len(left) > 0; left = leftovers(t, strings.TrimSpace(name)) {
			if time.Now().After(deadline) {
				t.Fatalf("left behind: %s", strings.Join(left, "\n"))
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		if _, _, code := shell(t, Options{Kind: kind}, "exec no-such-command"); code != 127 {
			t.Errorf("exit code %d of a command that does not exist, want 127", code)
		}
		_, err := Run(t.Context(), Options{Kind: kind}, []string{"sh", "-c", "reboot --force --force"}, nil, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "system ended before the command") {
			t.Errorf("error %v of a system that ends", err)
		}
		_, err = Run(t.Context(), Options{Kind: kind, BootTimeout: time.Millisecond}, []string{"true"}, nil, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "command did not start within 1ms") {
			t.Errorf("error %v of a slow boot", err)
		}
	})
	if _, err := Run(t.Context(), Options{Kind: "chroot"}, []string{"true"}, nil, nil, nil); err == nil {
		t.Error("no error of an unknown kind")
	}
}

// leftovers finds what the sandbox of that name has on the host.
func leftovers(t *testing.T, name string) (found []string) {
	t.Helper()
	if !strings.HasPrefix(name, "msup-sandbox-") {
		t.Fatalf("no name of a sandbox: %q", name)
	}
	has := func(file string) {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(name)) {
			found = append(found, fmt.Sprintf("%s: %s", file, bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	has("/proc/self/mountinfo")
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		has(process + "/cmdline")
		has(process + "/cgroup")
	}
	hierarchy, err := cgroup2Mount()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"/dev/shm", os.TempDir(), hierarchy} {
		files, _ := filepath.Glob(filepath.Join(folder, name+"*"))
		found = append(found, files...)
	}
	return found
}
