//go:build linux

// Greeter is a web server that takes its socket from systemd, and loses no request when it is
// stopped: it takes no more connections, and answers on those that it has.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	// The first socket that systemd hands over is descriptor 3 (sd_listen_fds(3)).
	listener, err := net.FileListener(os.NewFile(3, "listen"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var open sync.WaitGroup // connections
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(5 * time.Millisecond) // some are always being answered
			fmt.Fprint(w, os.Getpid())
		}),
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				open.Add(1)
			case http.StateHijacked, http.StateClosed:
				open.Done()
			}
		},
	}
	// Not Shutdown: requests that it reads from then on it drops (server.go, Go 1.26).
	context.AfterFunc(ctx, func() { listener.Close() })
	if err := server.Serve(listener); !errors.Is(err, net.ErrClosed) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server.SetKeepAlivesEnabled(false) // which ends idle connections, and others behind their answer
	open.Wait()
}
