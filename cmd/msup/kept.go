package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"msup/capture"

	"golang.org/x/sys/unix"
)

// The FIFOs of the programs' output wait for the next supervisor in systemd's file
// descriptor store, but not one by one. The store compares each descriptor it gets with
// each it has (a kcmp(2) call), which takes PID 1 most of a second for a thousand, and it
// would have them all to copy at every fork. So the descriptors are sent into a socket
// where nobody takes them out, and that socket is stored. Whoever comes next looks at the
// message without taking it (MSG_PEEK), so there is no moment without a holder.

// heldEach is how many descriptors one socket holds. One message takes 253 (SCM_MAX_FD,
// unix(7)).
const heldEach = 200

// kept is what an earlier supervisor has left in the store.
type kept struct {
	fifos  map[string]*os.File // by name
	stored []string            // names in the store
	stale  bool                // the store has to be written anew
}

// openKept looks into what systemd passed. A descriptor that is no socket is a FIFO itself.
func openKept(passed []*os.File) *kept {
	k := &kept{fifos: map[string]*os.File{}}
	for _, f := range passed {
		if !slices.Contains(k.stored, f.Name()) {
			k.stored = append(k.stored, f.Name())
		}
		held, err := look(f)
		switch {
		case errors.Is(err, unix.ENOTSOCK):
			k.fifos[f.Name()], k.stale = f, true
			continue
		case err != nil:
			k.stale = true
		}
		f.Close()
		for _, h := range held {
			k.fifos[h.Name()] = h
		}
	}
	return k
}

// take returns the FIFOs of a stream as [capture.Mover.Open] takes them, nil = one was not
// kept. A stream that puts something before each line has two of them.
func (k *kept) take(name string, two bool) []*os.File {
	fifos := []*os.File{k.fifos[name], k.fifos[name+capture.StagingSuffix]}
	delete(k.fifos, name)
	delete(k.fifos, name+capture.StagingSuffix)
	if fifos[0] == nil || two != (fifos[1] != nil) {
		k.stale = true
	}
	return fifos
}

// update makes the store hold the FIFOs of now, and only them, if it does not yet. all opens
// them; update closes them.
func (k *kept) update(all func() ([]*os.File, error)) error {
	for _, f := range k.fifos {
		f.Close() // of a program that the configuration no longer has
		k.stale = true
	}
	if !k.stale || os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	fifos, err := all()
	defer func() {
		for _, f := range fifos {
			f.Close()
		}
	}()
	if err != nil {
		return err
	}
	name := "streams.0"
	for n := 1; slices.Contains(k.stored, name); n++ {
		name = fmt.Sprintf("streams.%d", n)
	}
	for some := range slices.Chunk(fifos, heldEach) {
		holder, err := hold(some)
		if err != nil {
			return fmt.Errorf("cannot keep the programs' output open: %w", err)
		}
		// FDPOLL=0: systemd need not watch it for a hang-up that never comes.
		err = notifyFD("FDSTORE=1\nFDPOLL=0\nFDNAME="+name, holder)
		holder.Close()
		if err != nil {
			return err
		}
	}
	for _, old := range k.stored {
		_ = notifyFD("FDSTOREREMOVE=1\nFDNAME="+old, nil)
	}
	k.stored, k.stale = []string{name}, false
	return nil
}

// hold returns a socket in which files wait, with the last part of their names.
func hold(files []*os.File) (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pair[0]) // what is on its way in the other one stays there
	holder := os.NewFile(uintptr(pair[1]), "holder")
	names := make([]string, len(files))
	fds := make([]int, len(files))
	for i, f := range files {
		names[i] = filepath.Base(f.Name())
		if err := withFD(f, func(fd int) error { fds[i] = fd; return nil }); err != nil {
			holder.Close()
			return nil, err
		}
	}
	if err := unix.Sendmsg(pair[0], []byte(strings.Join(names, "\n")), unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL); err != nil {
		holder.Close()
		return nil, err
	}
	return holder, nil
}

// look returns the files that wait in a socket made by hold; they stay there.
func look(holder *os.File) (files []*os.File, err error) {
	text, rights := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4*heldEach))
	var n, rightsN, flags int
	err = withFD(holder, func(fd int) (err error) {
		n, rightsN, flags, _, err = unix.Recvmsg(fd, text, rights, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, err
	}
	var fds []int
	messages, err := unix.ParseSocketControlMessage(rights[:rightsN])
	for i := range messages {
		some, err := unix.ParseUnixRights(&messages[i])
		if err == nil {
			fds = append(fds, some...)
		}
	}
	names := strings.Split(string(text[:n]), "\n")
	if err != nil || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 || len(names) != len(fds) {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, fmt.Errorf("cannot read what %s holds: %d names, %d descriptors", holder.Name(), len(names), len(fds))
	}
	for i, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), names[i]))
	}
	return files, nil
}

// withFD lends the descriptor of f; there is an error if f is nil. File.Fd would make the shared description blocking.
func withFD(f *os.File, use func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if ctlErr := raw.Control(func(fd uintptr) { err = use(int(fd)) }); ctlErr != nil {
		return ctlErr
	}
	return err
}
