package capture

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Pipe capacities in bytes. A larger pipe lets more bytes gather before each move. The
// kernel takes the pages only as they are filled, but 40 bytes of bookkeeping per page
// at once, so a pipe grows when it is first seen filling. Pipes of users other than
// root count against fs.pipe-user-pages-soft (pipe(7): 64 MiB for all pipes of a user;
// beyond it every new pipe of that user gets two pages), hence the smaller size.
const (
	pipeSizeRoot = 1 << 20 // fs.pipe-max-size as the kernel has it
	pipeSizeUser = 256 << 10
)

// openPipe returns a descriptor of the FIFO at path that is open for reading and writing
// (so there is always a reader for the program, and never an end of file for us). The FIFO
// belongs to writer, or to us, and nobody else may open it.
func openPipe(path string, kept *os.File, writer *Owner) (int, error) {
	var fd int
	var err error
	if kept != nil {
		fd, err = takeOver(path, kept)
	} else {
		fd, err = openFIFO(path, writer)
	}
	if err != nil {
		return -1, err
	}
	if err := give(fd, writer); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot give FIFO %s to its program: %w", path, err)
	}
	return fd, nil
}

// give makes the FIFO writer's, nil = ours. The configuration may have another user now.
func give(fd int, writer *Owner) error {
	want := Owner{UID: os.Geteuid(), GID: -1}
	if writer != nil {
		want = *writer
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if int(st.Uid) == want.UID && (want.GID < 0 || int(st.Gid) == want.GID) {
		return nil
	}
	return unix.Fchown(fd, want.UID, want.GID)
}

func openFIFO(path string, writer *Owner) (int, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, fmt.Errorf("cannot make FIFO %s: %w", path, err)
	}
	// O_NOFOLLOW: the path is one we made; a symlink there is somebody else's doing.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open FIFO %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot open FIFO %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot use %s: it exists and is not a FIFO", path)
	}
	theirs := int(st.Uid) != os.Geteuid() && (writer == nil || int(st.Uid) != writer.UID)
	if theirs && !privateFolder(path) { // where it is, it belonged to an earlier user of the program
		unix.Close(fd)
		return -1, fmt.Errorf("cannot use FIFO %s: it belongs to uid %d", path, st.Uid)
	}
	return fd, nil
}

// takeOver turns a kept descriptor into ours. It may be of a FIFO whose path is gone or
// taken: programs still write into it, so it must be read all the same ([Stream.Check]).
func takeOver(path string, kept *os.File) (int, error) {
	defer kept.Close()
	raw, err := kept.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("cannot take over the descriptor of %s: %w", path, err)
	}
	fd := -1
	var st unix.Stat_t
	// Not File.Fd: it may make the open file blocking.
	cerr := raw.Control(func(k uintptr) {
		if fd, err = unix.FcntlInt(k, unix.F_DUPFD_CLOEXEC, 3); err == nil {
			err = unix.Fstat(fd, &st)
		}
	})
	if err = errors.Join(cerr, err); err == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = errors.New("not a FIFO")
	}
	var flags int
	if err == nil {
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	}
	if err == nil && flags&unix.O_ACCMODE != unix.O_RDWR {
		err = errors.New("not open for reading and writing")
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return -1, fmt.Errorf("cannot take over the descriptor of %s: %w", path, err)
	}
	return fd, nil
}

// pipeSize returns the capacity of the pipe in bytes.
func pipeSize(pipe int) int {
	n, err := unix.FcntlInt(uintptr(pipe), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return 64 << 10 // the kernel's default, pipe(7)
	}
	return n
}

// growPipe makes the pipe larger where it may, and returns its capacity.
func growPipe(pipe, size int) int {
	want := pipeSizeUser
	if os.Geteuid() == 0 {
		want = pipeSizeRoot
	}
	for ; want > size; want /= 2 {
		if n, err := unix.FcntlInt(uintptr(pipe), unix.F_SETPIPE_SZ, want); err == nil {
			return n
		}
	}
	return size
}

// readable returns how many bytes are in the pipe (FIONREAD, which Linux also calls TIOCINQ).
func readable(pipe int) (int, error) { return unix.IoctlGetInt(pipe, unix.TIOCINQ) }

// Check reports whether the FIFO's path still leads to this stream. systemd opens the
// path at each start of the program and would make a plain file where it is missing; when
// Check fails, close the stream and open a new one.
func (s *Stream) Check() error {
	var at, st unix.Stat_t
	if err := unix.Lstat(s.cfg.FIFO, &at); err != nil {
		return fmt.Errorf("cannot use FIFO %s: %w", s.cfg.FIFO, err)
	}
	var err error
	s.withPipe(func(pipe int) { err = unix.Fstat(pipe, &st) })
	if err != nil {
		return fmt.Errorf("cannot use FIFO %s: %w", s.cfg.FIFO, err)
	}
	if at.Dev != st.Dev || at.Ino != st.Ino {
		return fmt.Errorf("cannot use FIFO %s: it was replaced", s.cfg.FIFO)
	}
	return nil
}

// Descriptor returns a descriptor of the FIFO, open for reading and writing, to give to
// systemd's file descriptor store. The caller closes it.
func (s *Stream) Descriptor() (*os.File, error) {
	return s.file(func(pipe int) (int, error) {
		return unix.FcntlInt(uintptr(pipe), unix.F_DUPFD_CLOEXEC, 3)
	})
}

// Descriptors returns the descriptors to give to systemd's file descriptor store, in the
// order in which [Mover.Open] takes them, named by the paths of their FIFOs. There are two
// where something stands before each line. The caller closes them.
func (s *Stream) Descriptors() ([]*os.File, error) {
	f, err := s.Descriptor()
	if err != nil {
		return nil, err
	}
	files := []*os.File{f}
	if s.stage == nil {
		return files, nil
	}
	fd := -1
	err = os.ErrClosed
	s.withPipe(func(int) { fd, err = unix.FcntlInt(uintptr(s.stage.pipe), unix.F_DUPFD_CLOEXEC, 3) })
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot open FIFO %s: %w", s.stage.path, err)
	}
	return append(files, os.NewFile(uintptr(fd), s.stage.path)), nil
}

// WriteEnd returns a new descriptor of the FIFO for a child to write to: blocking, and
// for writing only, so the child cannot read its own output back. The caller closes it.
func (s *Stream) WriteEnd() (*os.File, error) {
	return s.file(func(pipe int) (int, error) {
		// Through /proc the FIFO opens even when its path is gone.
		return unix.Open(fmt.Sprintf("/proc/self/fd/%d", pipe), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	})
}

func (s *Stream) file(open func(pipe int) (int, error)) (*os.File, error) {
	var fd int
	err := os.ErrClosed
	s.withPipe(func(pipe int) { fd, err = open(pipe) })
	if err != nil {
		return nil, fmt.Errorf("cannot open FIFO %s: %w", s.cfg.FIFO, err)
	}
	return os.NewFile(uintptr(fd), s.cfg.FIFO), nil
}
