//go:build linux

// Boot runs a command on a systemd that it boots for it:
//
//	go run ./integration/boot [-kind uml|namespaces] [-tty] -- COMMAND [ARGUMENT…]
//
// It exits with the exit status of the command, 125 when it cannot run it. With -tty, Ctrl-C goes to the command, and Ctrl-] three times
// within a second ends the sandbox. Package sandbox says what the command finds inside.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"msup/integration/sandbox"
)

func main() {
	os.Exit(run())
}

func run() int {
	var o sandbox.Options
	flag.StringVar((*string)(&o.Kind), "kind", string(sandbox.Namespaces), "kind of sandbox: namespaces or uml")
	flag.StringVar(&o.Share, "share", "", "folder that the command may write to, visible at the same path")
	flag.StringVar(&o.Root, "root", "", "another root tree to boot instead of the host's (namespaces)")
	flag.StringVar(&o.Memory, "memory", "", "memory of the machine (uml)")
	tty := flag.Bool("tty", false, "give the command this terminal, if standard input and output are one")
	verbose := flag.Bool("v", false, "show the messages of the booted system")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "boot: no command given")
		flag.Usage()
		return 125
	}
	if *verbose {
		o.Log = io.Writer(os.Stderr)
	}
	if *tty && isTerminal(os.Stdin) && isTerminal(os.Stdout) {
		o.Terminal = os.Stdin
		fmt.Fprintf(os.Stderr, "Booting systemd in a sandbox (%s) …\n", o.Kind)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	code, err := sandbox.Run(ctx, o, flag.Args(), nil, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		return 125
	}
	return code
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
