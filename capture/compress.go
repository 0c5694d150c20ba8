package capture

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// compressing is the name of a compressed file until it is complete.
func compressing(base string) string { return base + ".gz.tmp" }

// compress makes b a compressed file. It may change its number meanwhile, or be removed.
func (t *target) compress(dir int, base string, b backup, stop <-chan struct{}) error {
	in, err := openIn(dir, b.name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	var st unix.Stat_t
	if err := control(in, func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return err
	}
	if st.Ino != b.st.Ino || st.Dev != b.st.Dev {
		return nil // its number has changed already: look again
	}
	if r := t.rotation; r.MinFree > 0 {
		var fs unix.Statfs_t
		if err := unix.Fstatfs(dir, &fs); err == nil && int64(fs.Bavail)*fs.Frsize < r.MinFree+st.Size {
			return unix.ENOSPC
		}
	}
	out, err := openIn(dir, compressing(base), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	defer out.Close()
	if st.Size <= smallFile {
		err = gzipTo(out, in)
	} else {
		err = zip(in, out, stop)
	}
	if err != nil {
		return err
	}
	err = control(out, func(fd int) error {
		err := unix.Fchown(fd, int(st.Uid), int(st.Gid))
		if err != nil && (os.Geteuid() == 0 || int(st.Uid) == os.Geteuid()) {
			return err
		}
		if err := unix.Fchmod(fd, st.Mode&0o777); err != nil {
			return err
		}
		// The time says how old the lines are, and MaxAge goes by it.
		times := []unix.Timespec{st.Atim, st.Mtim}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), times, 0); err != nil {
			return err
		}
		return unix.Fsync(fd) // before the only other copy goes
	})
	if err != nil {
		return err
	}
	return t.replace(dir, base, &st)
}

// replace puts the compressed file in the place where the plain one is now. A kill between
// the two steps leaves both; backups removes the plain one then.
func (t *target) replace(dir int, base string, st *unix.Stat_t) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	all, err := backups(dir, base)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(b backup) bool { return b.st.Ino == st.Ino && b.st.Dev == st.Dev })
	if i < 0 {
		return unix.Unlinkat(dir, compressing(base), 0) // removed: it was the oldest
	}
	if all[i].st.Size != st.Size {
		return errors.New("somebody has written to it")
	}
	if err := rename(dir, compressing(base), backupName(base, all[i].n, true)); err != nil {
		return err
	}
	return unix.Unlinkat(dir, all[i].name, 0)
}

// smallFile is the size up to which a process of its own is not worth it: it is compressed
// in some ten milliseconds.
const smallFile = 1 << 20

// zip has another process compress in to out, so that it can have the lowest priority: in
// ours, the garbage collector would wait for a thread that gets no CPU, and with it all
// streams (measured: most of a second on a busy machine).
func zip(in, out *os.File, stop <-chan struct{}) error {
	// The death signal comes when the thread ends that made the process (prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := exec.Command("/proc/self/exe", GzipCommand)
	c.Args[0] = "msup"
	c.Env, c.Stdin, c.Stdout = []string{}, in, out
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-stop:
			_ = c.Process.Kill()
			stop = nil
		case <-look.C:
			var st unix.Stat_t
			if err := control(in, func(fd int) error { return unix.Fstat(fd, &st) }); err == nil && st.Nlink == 0 {
				_ = c.Process.Kill() // it was removed: there were too many
			}
		}
	}
}

// GzipCommand is the only argument of a process whose main function must call [RunGzip].
const GzipCommand = "gzip-log"

// RunGzip compresses standard input to standard output with the lowest priority there is,
// and returns the exit status.
func RunGzip() int {
	runtime.LockOSThread()                         // which has the priority, and does the work
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19) // of the calling thread, setpriority(2)
	const ioprioWhoProcess, ioprioIdle = 1, 3 << 13
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, ioprioIdle) // ioprio_set(2)
	if gzipTo(os.Stdout, os.Stdin) != nil {
		return 1
	}
	return 0
}

func gzipTo(out, in *os.File) error {
	z := gzip.NewWriter(out)
	_, err := io.Copy(z, in)
	return errors.Join(err, z.Close())
}

func openIn(dir int, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// control lends the descriptor of f.
func control(f *os.File, use func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = use(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
