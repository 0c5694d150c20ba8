package main

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

// inotifyEvents lists the watches and masks of the events that were read into buf (inotify(7),
// struct inotify_event).
func inotifyEvents(buf []byte) iter.Seq2[int32, uint32] {
	return func(yield func(watch int32, mask uint32) bool) {
		for len(buf) >= unix.SizeofInotifyEvent {
			watch, mask := int32(binary.NativeEndian.Uint32(buf)), binary.NativeEndian.Uint32(buf[4:])
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
			buf = buf[min(len(buf), size):]
			if !yield(watch, mask) {
				return
			}
		}
	}
}
