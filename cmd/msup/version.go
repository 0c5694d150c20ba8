package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// version is set by the Makefile: -ldflags "-X main.version=…".
var version = ""

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of msup and of systemd",
		Long:    "Print the version of msup, of Go, and of the systemd it would talk to.\n\n" + exitStatusHelp,
		Example: "  msup version",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(a.stdout, "msup %s (%s %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			bus, err := a.dial(cmd.Context())
			if err != nil {
				fmt.Fprintf(a.stdout, "no systemd: %v\n", err)
				return nil
			}
			defer bus.Close()
			fmt.Fprintf(a.stdout, "systemd %d\n", bus.Version())
			return nil
		},
	}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func signalWord(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", s)
}
