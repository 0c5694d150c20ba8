//go:build linux

// Bench measures msup beside what systemd itself can do, and prints one table:
//
//	go run ./integration/bench [-programs N] [-rounds N] [-idle DURATION] [-only WORD,…]
//
// It builds msup, boots a systemd in the namespace sandbox and measures there. The machine
// may be busy with other things, so both sides take turns, figures are medians, and the
// ratio of one run says more than the times. Nothing fails because it is slow.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"msup/integration/sandbox"
)

type options struct {
	programs  int
	rounds    int
	kills     int
	idle      time.Duration
	size      int // MiB
	logRounds int
	only      string
	bin       string // folder of the built programs; set: this runs inside the sandbox
}

// flags are the flags to give to the same program inside.
func (o *options) flags() []string {
	return []string{
		fmt.Sprintf("-programs=%d", o.programs), fmt.Sprintf("-rounds=%d", o.rounds), fmt.Sprintf("-kills=%d", o.kills),
		fmt.Sprintf("-idle=%s", o.idle), fmt.Sprintf("-size=%d", o.size), fmt.Sprintf("-log-rounds=%d", o.logRounds), "-only=" + o.only,
	}
}

func main() {
	var o options
	flag.IntVar(&o.programs, "programs", 500, "number of programs")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of bring-up and stop")
	flag.IntVar(&o.kills, "kills", 150, "kills on each side")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long to watch the idle supervisor")
	flag.IntVar(&o.size, "size", 1024, "MiB of output to write")
	flag.IntVar(&o.logRounds, "log-rounds", 3, "rounds of output")
	flag.StringVar(&o.only, "only", "", "measure only these: up, restart, idle (status is part of idle), logs")
	flag.StringVar(&o.bin, "bin", "", "set by bench itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := outside
	if o.bin != "" {
		run = inside
	}
	if err := run(ctx, &o); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// outside builds what is measured and runs this program again inside.
func outside(ctx context.Context, o *options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "msup-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, pkg := range []string{"msup/cmd/msup", "msup/integration/bench/beacon", "msup/integration/bench/spout"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build %s: %w\n%s", pkg, err, out)
		}
	}
	options := sandbox.Options{Kind: sandbox.Namespaces, Share: dir}
	code, err := sandbox.Run(ctx, options, append([]string{self, "-bin=" + dir}, o.flags()...), nil, os.Stdout, os.Stderr)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d", code)
	}
	return err
}

// bench is one run inside the sandbox.
type bench struct {
	options
	dir   string // for configurations and logs, in memory
	table table
}

func inside(ctx context.Context, o *options) error {
	b := &bench{options: *o, dir: "/tmp/bench"}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	parts := []struct {
		name string
		run  func(context.Context) error
	}{
		{"up", b.bringUp},
		{"restart", b.restarts},
		{"idle", b.idling},
		{"logs", b.logging},
	}
	var err error
	for _, p := range parts {
		if o.only != "" && !strings.Contains(","+o.only+",", ","+p.name+",") {
			continue
		}
		if err = p.run(ctx); err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
			break
		}
	}
	b.table.print(os.Stdout)
	return err
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }
