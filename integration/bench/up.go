//go:build linux

package main

import (
	"context"
	"fmt"

	"msup/units"
)

// bringUp measures the start and the stop of many programs.
func (b *bench) bringUp(ctx context.Context) error {
	for _, files := range []bool{false, true} {
		if err := b.bringUpOf(ctx, files); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) bringUpOf(ctx context.Context, files bool) error {
	p, err := b.project(b.programs, files, sleeping)
	if err != nil {
		return err
	}
	version, err := systemdVersion(ctx)
	if err != nil {
		return err
	}
	defs := bare(p.Project, units.Runtime{Version: version}, nil)
	var up, down, cpu, pid1, floorUpTimes, floorDownTimes, floorPID1 figures
	ours := func(keep bool) error {
		before, _ := cpuOfPID1()
		u, err := p.msup(ctx, "up", "-d")
		if err != nil {
			return err
		}
		after, _ := cpuOfPID1()
		c, err := cpuOf(units.SupervisorUnit(projectName))
		if err != nil {
			return err
		}
		d, err := p.msup(ctx, "down")
		if err == nil && keep {
			up, down, cpu, pid1 = append(up, u), append(down, d), append(cpu, c), append(pid1, after-before)
		}
		return err
	}
	theirs := func(keep bool) error {
		before, _ := cpuOfPID1()
		u, err := floorUp(defs)
		if err != nil {
			return err
		}
		after, _ := cpuOfPID1()
		d, err := floorDown(ctx)
		if err == nil && keep {
			floorUpTimes, floorDownTimes, floorPID1 = append(floorUpTimes, u), append(floorDownTimes, d), append(floorPID1, after-before)
		}
		return err
	}
	for round := range b.rounds + 1 {
		first, second := ours, theirs
		if round%2 == 1 {
			first, second = theirs, ours
		}
		// The first round warms the caches and systemd's heap.
		if err := first(round > 0); err != nil {
			return err
		}
		if err := second(round > 0); err != nil {
			return err
		}
		b.progress("round %d of %d: started and stopped %d programs, %s", round, b.rounds, b.programs, kindOf(files))
	}
	n := fmt.Sprintf("%d programs, %s", b.programs, kindOf(files))
	b.table.add(row{what: "up -d, " + n, unit: "ms", ours: up, beside: "bare StartTransientUnit calls", theirs: floorUpTimes, goal: "1.25"})
	b.table.add(row{what: "  CPU of the supervisor", unit: "ms", ours: cpu})
	b.table.add(row{what: "  CPU of systemd", unit: "ms", ours: pid1, beside: "bare StartTransientUnit calls", theirs: floorPID1})
	b.table.add(row{what: "down, " + n, unit: "ms", ours: down, beside: "systemctl stop SLICE", theirs: floorDownTimes})
	return nil
}

func kindOf(files bool) string {
	if files {
		return "output to files"
	}
	return "output to the journal"
}
