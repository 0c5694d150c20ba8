package units

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hashicorp/go-envparse"
)

// StubCommand is the hidden command of the msup executable that becomes the program of a
// scope: it waits, sets the process up as systemd would for a service, and executes.
const StubCommand = "exec-in-scope"

const (
	stubSpecFD   = 3 // the stub reads what to execute here; end of file without any = give up
	stubStatusFD = 4 // the stub writes here why it could not execute; closed by execve
)

// stubSpec is what the stub is told when it may go on.
type stubSpec struct {
	Path           string   `json:"path"`
	Argv           []string `json:"argv"`
	Env            []string `json:"env"`
	Directory      string   `json:"directory"`
	Umask          *uint32  `json:"umask,omitempty"`
	UID            *int     `json:"uid,omitempty"`
	GID            *int     `json:"gid,omitempty"`
	Groups         []int    `json:"groups,omitempty"`
	Nice           *int     `json:"nice,omitempty"`
	NoFile         *uint64  `json:"nofile,omitempty"`
	OOMScoreAdjust *int     `json:"oom_score_adjust,omitempty"`
}

// StubForker forks stubs of this executable.
type StubForker struct{}

// Fork implements [Forker].
func (StubForker) Fork(p Program, stdout, stderr string) (Child, error) {
	spec, err := specOf(p)
	if err != nil {
		return nil, err
	}
	out, err := openOutput(p, stdout, p.Stdout)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	errOut, err := openOutput(p, stderr, p.Stderr)
	if err != nil {
		return nil, err
	}
	defer errOut.Close()
	specR, specW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer specR.Close()
	statusR, statusW, err := os.Pipe()
	if err != nil {
		specW.Close()
		return nil, err
	}
	defer statusW.Close()
	cmd := exec.Command("/proc/self/exe", StubCommand)
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = out, errOut
	cmd.ExtraFiles = []*os.File{specR, statusW}
	// A session of its own, as services have: no terminal's Ctrl-C reaches it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		specW.Close()
		statusR.Close()
		return nil, fmt.Errorf("cannot fork: %w", err)
	}
	return &stub{cmd: cmd, spec: spec, specW: specW, statusR: statusR}, nil
}

type stub struct {
	cmd     *exec.Cmd
	spec    stubSpec
	specW   *os.File
	statusR *os.File
}

func (c *stub) PID() int { return c.cmd.Process.Pid }

func (c *stub) Release() error {
	defer c.statusR.Close()
	err := json.NewEncoder(c.specW).Encode(c.spec)
	c.specW.Close()
	if err != nil {
		return fmt.Errorf("cannot release the process: %w", err)
	}
	why, err := io.ReadAll(c.statusR)
	if err != nil {
		return fmt.Errorf("cannot learn whether the process was executed: %w", err)
	}
	if len(why) > 0 {
		return errors.New(string(why))
	}
	return nil
}

func (c *stub) Abort() { c.specW.Close() }

// Signal uses the process's pidfd (os.Process does, Go 1.23).
func (c *stub) Signal(signal int32) error { return c.cmd.Process.Signal(syscall.Signal(signal)) }

func (c *stub) Wait() ChildStatus {
	err := c.cmd.Wait()
	c.specW.Close()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ChildStatus{Err: err}
	}
	return ChildStatus{Wait: c.cmd.ProcessState.Sys().(syscall.WaitStatus)}
}

// specOf gathers what the stub needs, with the environment a service of systemd gets.
func specOf(p Program) (stubSpec, error) {
	spec := stubSpec{
		Path: p.Path, Argv: p.Argv, Directory: p.Directory, Umask: p.Umask,
		Nice: p.Limits.Nice, NoFile: p.Limits.NoFile, OOMScoreAdjust: p.Limits.OOMScoreAdjust,
	}
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if lang := os.Getenv("LANG"); lang != "" {
		env = append(env, "LANG="+lang)
	}
	if spec.OOMScoreAdjust == nil && os.Geteuid() == 0 {
		spec.OOMScoreAdjust = new(0) // as services have it, not the supervisor's own
	}
	if p.User != "" {
		who, err := LookupUser(p.User)
		if err != nil {
			return spec, err
		}
		env = append(env, "USER="+who.Username, "LOGNAME="+who.Username, "HOME="+who.HomeDir)
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		spec.UID, spec.GID = &uid, &gid
		ids, err := who.GroupIds()
		if err != nil {
			return spec, fmt.Errorf("cannot find the groups of user %s: %w", p.User, err)
		}
		// The user's own group is among them; the one it runs with takes its place (initgroups(3)).
		for _, id := range ids {
			if n, err := strconv.Atoi(id); err == nil && n != gid {
				spec.Groups = append(spec.Groups, n)
			}
		}
	}
	if p.Group != "" {
		gid, err := LookupGroup(p.Group)
		if err != nil {
			return spec, err
		}
		spec.GID = &gid
	}
	if spec.GID != nil && !slices.Contains(spec.Groups, *spec.GID) {
		spec.Groups = append([]int{*spec.GID}, spec.Groups...)
	}
	env = append(env, p.Environment...)
	for _, f := range p.EnvFiles {
		more, err := readEnvFile(f)
		if err != nil {
			return spec, err
		}
		env = append(env, more...)
	}
	spec.Env = lastWins(env)
	return spec, nil
}

func readEnvFile(f EnvFile) ([]string, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		if f.Optional && errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read env_file: %w", err)
	}
	defer file.Close()
	vars, err := envparse.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read env_file %s: %w", f.Path, err)
	}
	var env []string
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	return env, nil
}

// lastWins keeps the last value of each variable.
func lastWins(env []string) []string {
	at := map[string]int{}
	var out []string
	for _, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		if i, ok := at[k]; ok {
			out[i] = kv
			continue
		}
		at[k] = len(out)
		out = append(out, kv)
	}
	return out
}

// openOutput opens one standard stream of a scope's process: the FIFO, or a stream to
// journald, which takes the writer's unit from its control group.
func openOutput(p Program, fifo, file string) (*os.File, error) {
	if file == os.DevNull && fifo == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	if fifo != "" {
		f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("cannot open the output: %w", err)
		}
		return f, nil
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: "/run/systemd/journal/stdout", Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot connect to journald: %w", err)
	}
	defer conn.Close()
	// identifier, unit, priority, level prefix, forward to syslog, kmsg, console
	// (systemd 252, journald-stream.c).
	if _, err := fmt.Fprintf(conn, "%s\n%s\n6\n1\n0\n0\n0\n", p.Name, p.Unit); err != nil {
		return nil, fmt.Errorf("cannot connect to journald: %w", err)
	}
	return conn.File()
}
