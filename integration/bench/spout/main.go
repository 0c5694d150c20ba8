//go:build linux

// Spout is a program that writes much. It says that it is ready, waits for the gate, writes, and says that it is done.
package main

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// usage: spout BYTES CHUNK SIGNS GATE. SIGNS and GATE are FIFOs; CHUNK is the size of one write. The text is lines of 100 bytes.
func main() {
	if len(os.Args) != 5 {
		os.Exit(2)
	}
	total, err := strconv.Atoi(os.Args[1])
	chunk, err2 := strconv.Atoi(os.Args[2])
	signs, err3 := os.OpenFile(os.Args[3], os.O_WRONLY, 0)
	if err != nil || err2 != nil || err3 != nil || chunk < 1 {
		os.Exit(2)
	}
	line := append(bytes.Repeat([]byte("x"), 99), '\n')
	text := bytes.Repeat(line, chunk/len(line)+2)
	sign := func() {
		if _, err := signs.Write([]byte{1}); err != nil {
			os.Exit(1)
		}
	}
	sign()
	gate, err := os.OpenFile(os.Args[4], os.O_RDONLY, 0) // opens when the gate does
	if err != nil {
		os.Exit(1)
	}
	for at := 0; at < total; {
		from := at % len(line)
		n, err := syscall.Write(1, text[from:from+min(chunk, total-at)])
		if err != nil {
			os.Exit(1)
		}
		at += n
	}
	sign()
	gate.Close()
	for {
		_ = syscall.Pause()
	}
}
