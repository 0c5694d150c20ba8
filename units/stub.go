package units

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// RunStub is the stub's main: it returns only if there is nothing to execute or it
// failed, with the exit status.
func RunStub() int {
	// nice(2) is per thread, and execve keeps that of the calling one.
	runtime.LockOSThread()
	status := os.NewFile(stubStatusFD, "status")
	unix.CloseOnExec(stubStatusFD)
	var spec stubSpec
	in := os.NewFile(stubSpecFD, "spec")
	if err := json.NewDecoder(bufio.NewReader(in)).Decode(&spec); err != nil {
		return 0 // the supervisor gave up or died
	}
	in.Close()
	code, err := becomeProgram(spec)
	fmt.Fprint(status, err)
	return code
}

// becomeProgram does what systemd does in the child before execve, and fails with its
// exit statuses (systemd.exec(5), "Process Exit Codes").
func becomeProgram(spec stubSpec) (int, error) {
	if spec.OOMScoreAdjust != nil {
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*spec.OOMScoreAdjust)), 0); err != nil {
			return 206, fmt.Errorf("cannot set the OOM score: %w", err)
		}
	}
	if spec.Nice != nil {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, *spec.Nice); err != nil {
			return 201, fmt.Errorf("cannot set the nice level: %w", err)
		}
	}
	if spec.NoFile != nil {
		if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: *spec.NoFile, Max: *spec.NoFile}); err != nil {
			return 205, fmt.Errorf("cannot set the limit of open files: %w", err)
		}
	}
	unix.Umask(0o022)
	if spec.Umask != nil {
		unix.Umask(int(*spec.Umask))
	}
	if spec.UID != nil {
		if err := syscall.Setgroups(spec.Groups); err != nil {
			return 216, fmt.Errorf("cannot set the groups: %w", err)
		}
	}
	if spec.GID != nil {
		if err := syscall.Setgid(*spec.GID); err != nil {
			return 216, fmt.Errorf("cannot change to the group: %w", err)
		}
	}
	if spec.UID != nil {
		if err := syscall.Setuid(*spec.UID); err != nil {
			return 217, fmt.Errorf("cannot change to the user: %w", err)
		}
	}
	if err := os.Chdir(spec.Directory); err != nil {
		return 200, fmt.Errorf("cannot change to the working directory: %w", err)
	}
	return 203, fmt.Errorf("cannot execute %s: %w", spec.Path, syscall.Exec(spec.Path, spec.Argv, spec.Env))
}
