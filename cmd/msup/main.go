// Msup runs the programs of an ini file as transient systemd units, keeps them running by
// their restart policy, and writes their output to files beside the journal.
package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"

	"msup/capture"
	"msup/units"
)

func main() {
	// A command ends before collecting garbage pays. The supervisor sets its own.
	debug.SetGCPercent(400)
	if len(os.Args) == 2 && os.Args[1] == units.StubCommand {
		os.Exit(units.RunStub())
	}
	if len(os.Args) == 2 && os.Args[1] == capture.GzipCommand {
		os.Exit(capture.RunGzip())
	}
	args := os.Args[1:]
	if filepath.Base(os.Args[0]) == supervisorctl {
		args = append([]string{"ctl"}, args...)
	}
	os.Exit(run(context.Background(), args))
}
