//go:build linux

// Package sandbox boots a real systemd on a machine whose PID 1 is something else, runs one command inside, and leaves
// nothing behind. There are two kinds.
//
// Namespaces boots systemd as the first process of a PID namespace, over a copy-on-write view of the host's files. It
// takes a fraction of a second and runs at native speed. Its cgroup controllers are those that the host has left on the cgroup2
// hierarchy: where memory and cpu are bound to cgroup v1, limits are accepted and do not bite.
//
// UML boots a kernel of its own, User-mode Linux, as an ordinary program. It has every cgroup v2 controller, so limits
// bite; it has one CPU, no pressure stall information, slow system calls, and takes a few seconds to boot.
//
// Inside, the system is the host's (or Options.Root), read through an overlay whose changes live in memory; /tmp, /run and
// /dev/shm are empty. Nothing is enabled but journald, the system bus and what they activate, logind among them,
// so user managers work: `loginctl enable-linger USER` or `systemctl start user@UID.service`.
//
// Both kinds need root.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Kind is a way to boot a systemd that is not the machine's.
type Kind string

const (
	Namespaces Kind = "namespaces"
	UML        Kind = "uml"
)

// Options says what to boot. Only Kind is required.
type Options struct {
	Kind Kind

	// Share is a folder that is the host's inside too, at the same absolute path without symbolic links, for binaries and
	// results. Everything else that is written inside is gone afterwards. In UML, what is written becomes visible to the host some
	// seconds later, all of it when Run returns.
	Share string

	// Root is another tree to boot instead of the host's, made by debootstrap or mmdebstrap for example. Namespaces only.
	// It is not written to.
	Root string

	// Terminal, when set, is the terminal that the command gets as its standard input, output and error, with job control,
	// as after a login. Run puts it into raw mode meanwhile, so Ctrl-C goes to the command. The stdout and stderr of Run are not used.
	Terminal *os.File

	// Log gets the console of the booted system: the kernel's messages (UML) and systemd's.
	Log io.Writer

	// Memory is the size of the virtual machine (UML), in the kernel's notation. The default is 1536M.
	Memory string

	// BootTimeout bounds the time until the command starts. The default is a minute, which a busy machine may need for UML.
	BootTimeout time.Duration
}

// Run boots a systemd, runs command inside as root as soon as basic.target and dbus.socket are reached, ends the system and
// cleans up. It returns the exit status of the command, 128 and the number of the signal if one ended it, as a shell does.
//
// The command runs as sandbox-command.service, in the caller's working folder if that is visible inside. Its environment is that
// of a login of root, with the standard PATH, and env. A program in a folder that is hidden inside, such as the test binaries that
// go test makes in /tmp, is made visible when command[0] is its path; other files have to be in Share.
//
// When ctx ends, the system is killed and the error is the context's cause.
func Run(ctx context.Context, o Options, command, env []string, stdout, stderr io.Writer) (exitCode int, err error) {
	if len(command) == 0 {
		return -1, errors.New("cannot run command in sandbox: no command given")
	}
	if o.Memory == "" {
		o.Memory = "1536M"
	}
	if o.BootTimeout == 0 {
		o.BootTimeout = time.Minute
	}
	if missing := missing(o); len(missing) > 0 {
		return -1, fmt.Errorf("cannot boot %s sandbox: %s", o.Kind, strings.Join(missing, " "))
	}
	if o.Share != "" {
		if o.Share, err = realPath(o.Share); err != nil {
			return -1, fmt.Errorf("cannot share folder: %w", err)
		}
	}
	if o.Root != "" {
		if o.Root, err = realPath(o.Root); err != nil {
			return -1, fmt.Errorf("cannot boot root tree: %w", err)
		}
	}

	m, err := start(o, command, env, stdout, stderr)
	if err != nil {
		return -1, fmt.Errorf("cannot boot %s sandbox: %w", o.Kind, err)
	}
	err = m.wait(ctx)
	exitCode, exitErr := m.exitStatus()
	if closeErr := m.close(); err == nil {
		err = closeErr
	}
	switch {
	case exitErr == nil:
		return exitCode, err
	case err != nil && (ctx.Err() != nil || m.hasStarted()):
		return -1, err
	case err == nil:
		err = exitErr
	}
	return -1, fmt.Errorf("cannot run command in %s sandbox: %w; the end of its console:\n%s", o.Kind, err, m.console.tail())
}

// realPath makes path absolute and free of symbolic links, whose targets might not be visible inside.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}
