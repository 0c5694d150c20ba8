package main

import (
	"context"

	"msup/cgroup"
	prober "msup/probe"
)

// askProgram probes a program.
func askProgram(ctx context.Context, s prober.Spec, unit string, pid uint32) prober.Result {
	return prober.Probe(ctx, s, prober.Target{PID: int(pid), Processes: func() ([]int, error) {
		dir, err := cgroup.Of(int(pid), unit)
		if err != nil {
			return nil, err
		}
		mount, err := cgroup.Mount()
		if err != nil {
			return nil, err
		}
		return cgroup.Processes(mount + dir)
	}})
}
