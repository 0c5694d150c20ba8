//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"msup/units"
)

// beacons is how many of the programs are killed in turn.
const beacons = 10

// settleTime is left between two kills, for whatever the last one set in motion.
const settleTime = 30 * time.Millisecond

// restarts measures the time from a kill to the exec of the successor, under msup and
// under systemd's own Restart=always, with few and with many programs.
func (b *bench) restarts(ctx context.Context) error {
	for _, n := range []int{beacons, b.programs} {
		if err := b.restartsOf(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) restartsOf(ctx context.Context, n int) error {
	ours, err := newTower(b.path("ours.fifo"))
	if err != nil {
		return err
	}
	defer ours.close()
	theirs, err := newTower(b.path("theirs.fifo"))
	if err != nil {
		return err
	}
	defer theirs.close()

	p, err := b.project(n, false, func(i int) string {
		if i < beacons {
			return fmt.Sprintf("%s %s %d", filepath.Join(b.bin, "beacon"), ours.path, i)
		}
		return sleeping(i)
	})
	if err != nil {
		return err
	}
	version, err := systemdVersion(ctx)
	if err != nil {
		return err
	}
	twin := p.Project
	twin.Programs = append([]units.Program(nil), p.Programs...)
	for i := range min(beacons, n) {
		argv := append([]string(nil), twin.Programs[i].Argv...)
		argv[1] = theirs.path
		twin.Programs[i].Argv = argv
	}
	defs := bare(twin, units.Runtime{Version: version}, func(props []units.Property) []units.Property {
		for i, prop := range props {
			if prop.Name == "Restart" {
				props[i].Value = "always"
			}
		}
		return append(props, units.Property{Name: "RestartUSec", Value: uint64(0)})
	})

	if _, err := p.msup(ctx, "up", "-d"); err != nil {
		return err
	}
	if _, err := floorUp(defs); err != nil {
		return err
	}
	for _, t := range []*tower{ours, theirs} {
		if err := t.gather(min(beacons, n)); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	b.progress("killing %d times on each side, %d programs up", b.kills, n)
	for i := range b.kills {
		first, second := ours, theirs
		if i%2 == 1 {
			first, second = theirs, ours
		}
		if err := first.kill(i % min(beacons, n)); err != nil {
			return fmt.Errorf("%s: %w", first.path, err)
		}
		if err := second.kill(i % min(beacons, n)); err != nil {
			return fmt.Errorf("%s: %w", second.path, err)
		}
	}
	b.table.add(row{
		what: fmt.Sprintf("restart, %d programs up", n), unit: "ms", ours: ours.took,
		beside: "Restart=always RestartSec=0", theirs: theirs.took, goal: "1.25", tail: true,
	})
	if _, err := p.msup(ctx, "down"); err != nil {
		return err
	}
	_, err = floorDown(ctx)
	return err
}

// tower sees the beacons of one side.
type tower struct {
	path string
	fifo *os.File
	pids [beacons]int
	took figures // milliseconds
}

func newTower(path string) (*tower, error) {
	_ = os.Remove(path)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return &tower{path: path, fifo: f}, err
}

func (t *tower) close() { t.fifo.Close() }

// gather waits for the first sign of n beacons.
func (t *tower) gather(n int) error {
	for range n {
		if _, _, err := t.next(); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a sign and returns whose it is and when it was given.
func (t *tower) next() (who int, at int64, err error) {
	var record [16]byte
	_ = t.fifo.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(t.fifo, record[:]); err != nil {
		return 0, 0, fmt.Errorf("no sign of a program: %w", err)
	}
	at = int64(binary.NativeEndian.Uint64(record[0:]))
	pid, who := int(binary.NativeEndian.Uint32(record[8:])), int(binary.NativeEndian.Uint32(record[12:]))
	if who < 0 || who >= len(t.pids) {
		return 0, 0, fmt.Errorf("sign of an unknown program %d", who)
	}
	t.pids[who] = pid
	return who, at, nil
}

// kill kills a beacon and waits for its successor.
func (t *tower) kill(who int) error {
	time.Sleep(settleTime)
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	if err := syscall.Kill(t.pids[who], syscall.SIGKILL); err != nil {
		return err
	}
	came, at, err := t.next()
	if err == nil && came != who {
		err = fmt.Errorf("killed program %d, and %d came back", who, came)
	}
	t.took = append(t.took, float64(at-now.Nano())/1e6)
	return err
}
