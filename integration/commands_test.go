//go:build linux

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A command of scripts besides those of testscript. An error is a failure of the script, unless it expects one (!) or waits for it to go
// away (wait-for).
type command func(ts *testscript.TestScript, args []string) error

// tellers are the commands that wait-for can repeat:
//
//	msup ARG…                  types it; with ! it must fail
//	exits STATUS CMD…          runs CMD, which must end with this exit status
//	json NAME FIELD WANT       looks at a program in msup status --json; NAME - is the whole, a FIELD may have dots and
//	                           numbers of list members: output.0.file
//	save VARIABLE NAME FIELD   keeps it in a variable
//	unit UNIT PROPERTY=VALUE…  looks at properties as systemctl show has them
//	nothing-left               nothing of the project is in systemd and /run/msup
//	seen REGEXP                see terminal
//
// WANT is a text, a number, null, true or false as they stand, /REGEXP/, or a comparison: >5, <1024.
var tellers = map[string]command{
	"msup": func(ts *testscript.TestScript, args []string) error {
		return loud(ts, append([]string{"msup"}, args...))
	},
	"exits":        exits,
	"json":         jsonIs,
	"save":         save,
	"unit":         unitIs,
	"nothing-left": nothingLeft,
	"seen":         seen,
}

// doers are the other commands:
//
//	wait-for [-t 10s] [!] CMD…  repeats CMD, a teller or a program, until it succeeds
//	kill9 NAME…                 kills main processes from outside, as kill -9 does; "supervisor" is the supervisor
//	pty, screen, type …         see terminal
var doers = map[string]command{
	"wait-for": waitFor,
	"kill9":    kill9,
	"pty":      startTerminal,
	"screen":   screen,
	"type":     typeKeys,
	"ended":    terminalEnded,
	"hangup":   hangUp,
}

func commands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	all := map[string]func(ts *testscript.TestScript, neg bool, args []string){}
	for _, table := range []map[string]command{tellers, doers} {
		for name, run := range table {
			all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
				err := run(ts, args)
				if neg && err == nil {
					ts.Fatalf("%s unexpectedly succeeded", name)
				} else if !neg && err != nil {
					ts.Fatalf("%v", err)
				}
			}
		}
	}
	return all
}

// script is what commands know of the script they stand in.
type script struct {
	project string
	vars    []string // of the environment, as it was in the beginning
	saved   []string // names of variables that came later
	tty     *terminal
}

type scriptKey struct{}

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

// commandTime bounds every program that a script runs.
const commandTime = time.Minute

// prepare makes a command as the script's user would run it: variable AS names another user than root.
func prepare(ctx context.Context, ts *testscript.TestScript, args []string) (*exec.Cmd, error) {
	s := scriptOf(ts)
	var env []string
	for _, v := range s.vars {
		name, _, _ := strings.Cut(v, "=")
		env = append(env, name+"="+ts.Getenv(name))
	}
	for _, name := range append([]string{"NO_COLOR", "MSUP_CONFIG"}, s.saved...) {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), env
	if as := ts.Getenv("AS"); as != "" {
		u, err := user.Lookup(as)
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		cmd.Env = append(cmd.Env, "HOME="+u.HomeDir, "USER="+as, "XDG_RUNTIME_DIR=/run/user/"+u.Uid)
	}
	return cmd, nil
}

// quiet runs a command and returns what it says.
func quiet(ts *testscript.TestScript, args []string) (stdout, stderr []byte, err error) {
	if len(args) == 0 {
		return nil, nil, errors.New("no command given")
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), commandTime, fmt.Errorf("%s did not end within %v", args[0], commandTime))
	defer cancel()
	cmd, err := prepare(ctx, ts, args)
	if err != nil {
		return nil, nil, err
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out.Bytes(), errs.Bytes(), err
}

// loud runs a command whose output the script looks at with stdout and stderr.
func loud(ts *testscript.TestScript, args []string) error {
	stdout, stderr, err := quiet(ts, args)
	ts.Stdout().Write(stdout)
	ts.Stderr().Write(stderr)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func exits(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: exits STATUS CMD…")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	err = loud(ts, args[1:])
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	got := 0
	if exit != nil {
		got = exit.ExitCode()
	}
	if got != want {
		return fmt.Errorf("exit status %d, want %d", got, want)
	}
	return nil
}

// waitFor tries again and again. So a script waits for what shall be: on a state, with a deadline.
func waitFor(ts *testscript.TestScript, args []string) error {
	limit := 10 * time.Second
	if len(args) > 1 && args[0] == "-t" {
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		limit, args = d, args[2:]
	}
	negated := len(args) > 0 && args[0] == "!"
	if negated {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("usage: wait-for [-t 10s] [!] CMD…")
	}
	try := func() error {
		if tell := tellers[args[0]]; tell != nil {
			return tell(ts, args[1:])
		}
		stdout, stderr, err := quiet(ts, args)
		if err == nil {
			ts.Stdout().Write(stdout)
			return nil
		}
		return fmt.Errorf("%w\n%s%s", err, stdout, stderr)
	}
	const pause = 30 * time.Millisecond
	for deadline := time.Now().Add(limit); ; time.Sleep(pause) {
		err := try()
		if (err != nil) == negated {
			return nil
		}
		if time.Now().After(deadline) {
			if negated {
				return fmt.Errorf("still so after %v", limit)
			}
			return fmt.Errorf("not so after %v: %w", limit, err)
		}
	}
}

func unitIs(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: unit UNIT PROPERTY=VALUE…")
	}
	manager := "--system"
	if ts.Getenv("AS") != "" {
		manager = "--user"
	}
	for _, word := range args[1:] {
		property, want, ok := strings.Cut(word, "=")
		if !ok {
			return fmt.Errorf("no property and value: %q", word)
		}
		out, stderr, err := quiet(ts, []string{"systemctl", manager, "show", "--value", "--property=" + property, "--", args[0]})
		if err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		if got := strings.TrimSuffix(string(out), "\n"); !meets(got, want) {
			return fmt.Errorf("%s of %s is %q, want %q", property, args[0], got, want)
		}
	}
	return nil
}

// killTime is how long a process may take to be gone when it has been killed.
const killTime = 10 * time.Second

func kill9(ts *testscript.TestScript, args []string) error {
	for _, name := range args {
		field := "pid"
		if name == "supervisor" {
			name, field = "-", "supervisor.pid"
		}
		value, err := status(ts, name, field)
		if err != nil {
			return err
		}
		pid, ok := value.(float64)
		if !ok {
			return fmt.Errorf("%s has no process", name)
		}
		if err := syscall.Kill(int(pid), syscall.SIGKILL); err != nil {
			return err
		}
		// When it is gone systemd knows of it, so nothing that comes next sees it alive.
		for deadline := time.Now().Add(killTime); syscall.Kill(int(pid), 0) == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("%s (PID %d) is still there %v after SIGKILL", name, int(pid), killTime)
			}
		}
	}
	return nil
}

func nothingLeft(ts *testscript.TestScript, _ []string) error {
	if left := scriptOf(ts).leftovers(); left != "" {
		return fmt.Errorf("left behind:\n%s", left)
	}
	return nil
}
