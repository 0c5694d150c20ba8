package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"msup/units"

	"golang.org/x/sys/unix"
)

// A project that is up, or is coming up, has its runtime directory. Making and removing one
// is done under a lock of the folder that holds them all, so that the last project to go
// knows that it is the last, and stops the slice that all share.

// lockRoot makes the folder of all runtime directories and locks it.
func lockRoot(root string) (unlock func(), err error) {
	for {
		if err := os.MkdirAll(root, 0o700); err != nil {
			return nil, fmt.Errorf("cannot make the runtime directory: %w", err)
		}
		f, err := os.Open(root)
		if errors.Is(err, os.ErrNotExist) {
			continue // the last project has just gone
		}
		if err != nil {
			return nil, fmt.Errorf("cannot lock the runtime directory: %w", err)
		}
		if err := flock(f, unix.LOCK_EX); err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot lock the runtime directory: %w", err)
		}
		locked, err := f.Stat()
		now, err2 := os.Stat(root)
		if err == nil && err2 == nil && os.SameFile(locked, now) {
			return func() { f.Close() }, nil
		}
		f.Close() // it was removed while we waited for the lock
	}
}

func flock(f *os.File, how int) error {
	return withFD(f, func(fd int) error {
		for {
			if err := unix.Flock(fd, how); !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	})
}

// lockName is the file in the runtime directory that a supervisor holds a lock of.
const lockName = "lock"

// claim makes the runtime directory and takes its lock, so that a project has one
// supervisor. The kernel gives the lock back however the supervisor ends.
func claim(dir string) (unlock func(), err error) {
	unlockRoot, err := lockRoot(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	defer unlockRoot()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the runtime directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the project: %w", err)
	}
	if err := flock(f, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &exitError{code: exitFailed, msg: "another supervisor runs this project", hint: "msup status shows it; msup down stops it"}
		}
		return nil, fmt.Errorf("cannot lock the project: %w", err)
	}
	return func() { f.Close() }, nil
}

// leave removes the runtime directory of a project that is down, and, with the last one,
// what all projects share.
func leave(bus bus, dir string) error {
	root := filepath.Dir(dir)
	unlock, err := lockRoot(root)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot remove the runtime directory: %w", err)
	}
	if rest, err := os.ReadDir(root); err != nil || len(rest) > 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := lasting(ctx, func() error { return units.StopCommonSlice(ctx, bus) }); err != nil {
		return fmt.Errorf("cannot stop the slice of all projects: %w", err)
	}
	return os.Remove(root)
}
