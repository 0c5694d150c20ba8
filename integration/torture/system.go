//go:build linux

package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// said is what a command did.
type said struct {
	status int // exit status, -1 = it did not end in time, or could not be started
	text   string
	took   time.Duration
}

func (s said) ok() bool { return s.status == 0 }

// command runs a program for at most a time.
func command(ctx context.Context, limit time.Duration, args ...string) said {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	s := said{text: strings.TrimSpace(string(out)), took: time.Since(began).Round(time.Millisecond)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		s.status, s.text = -1, s.text+fmt.Sprintf(" (killed after %s)", s.took)
	case errors.As(err, &exit):
		s.status = exit.ExitCode()
	case err != nil:
		s.status, s.text = -1, err.Error()
	}
	return s
}

// property reads one property of a unit.
func property(ctx context.Context, unit, name string) string {
	return command(ctx, 30*time.Second, "systemctl", "show", "-P", name, unit).text
}

// processes finds the processes of each program, by the mark in their environment. One whose parent has the same mark is
// part of what the parent is.
func processes() map[string][]int {
	marks, parents := map[int]string{}, map[int]int{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder))
		environ, err := os.ReadFile(folder + "/environ")
		if err != nil {
			continue
		}
		for v := range bytes.SplitSeq(environ, []byte{0}) {
			if name, ok := bytes.CutPrefix(v, []byte(markVariable+"=")); ok {
				marks[pid] = string(name)
			}
		}
		stat, _ := os.ReadFile(folder + "/stat")
		// pid (comm) state ppid …; comm may have spaces.
		if f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(f) > 2 {
			parents[pid], _ = strconv.Atoi(f[1])
		}
	}
	all := map[string][]int{}
	for pid, name := range marks {
		if marks[parents[pid]] != name {
			all[name] = append(all[name], pid)
		}
	}
	for _, pids := range all {
		slices.Sort(pids)
	}
	return all
}

// supervisors are the processes that run msup supervise.
func supervisors() (pids []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		cmdline, _ := os.ReadFile(folder + "/cmdline")
		if args := bytes.Split(cmdline, []byte{0}); len(args) > 1 && string(args[1]) == "supervise" {
			pid, _ := strconv.Atoi(filepath.Base(folder))
			pids = append(pids, pid)
		}
	}
	return pids
}

// footprint is what a process takes of the machine.
type footprint struct {
	descriptors int
	threads     int
	goroutines  int
	rss         int // KiB
}

func (f footprint) String() string {
	return fmt.Sprintf("%d descriptors, %d threads, %d goroutines, %.1f MiB", f.descriptors, f.threads, f.goroutines, float64(f.rss)/1024)
}

func footprintOf(pid int) (f footprint, err error) {
	folder := fmt.Sprintf("/proc/%d", pid)
	fds, err := os.ReadDir(folder + "/fd")
	if err != nil {
		return f, err
	}
	f.descriptors = len(fds)
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return f, err
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		switch {
		case len(words) == 0:
		case name == "Threads":
			f.threads, _ = strconv.Atoi(words[0])
		case name == "VmRSS":
			f.rss, _ = strconv.Atoi(words[0])
		}
	}
	return f, nil
}

// descriptorsOf lists what a process has open.
func descriptorsOf(pid int) (all []string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, l := range links {
		to, _ := os.Readlink(l)
		all = append(all, to)
	}
	slices.Sort(all)
	return all
}

// copyFile copies an executable.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	return err
}

// names lists a folder; one that is not there is empty.
func names(folder string) (all []string, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, err
}
