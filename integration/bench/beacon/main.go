//go:build linux

// Beacon is a program that says when it was executed: as its first act it writes one
// record to the FIFO that is its argument, and then sleeps. Nothing is
// imported whose initialisation would take time.
package main

import (
	"encoding/binary"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// usage: beacon FIFO NUMBER
func main() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil || len(os.Args) != 3 {
		os.Exit(2)
	}
	number, err := strconv.Atoi(os.Args[2])
	if err != nil {
		os.Exit(2)
	}
	fd, err := syscall.Open(os.Args[1], syscall.O_WRONLY, 0)
	if err != nil {
		os.Exit(1)
	}
	record := binary.NativeEndian.AppendUint64(nil, uint64(now.Nano()))
	record = binary.NativeEndian.AppendUint32(record, uint32(os.Getpid()))
	record = binary.NativeEndian.AppendUint32(record, uint32(number))
	if n, err := syscall.Write(fd, record); err != nil || n != len(record) { // atomic, pipe(7)
		os.Exit(1)
	}
	syscall.Close(fd)
	for {
		_ = syscall.Pause()
	}
}
