package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// As root we write into folders where a program's user may put what he likes. A link that
// he planted must not lead our bytes, nor a rename or a removal, to a file of somebody
// else. So a folder is walked to name by name, and what happens in it happens through its
// descriptor. A link is followed only if root or we made it, and never the last name.

// linksMax is how many links a path may lead through, as in path_resolution(7).
const linksMax = 40

// openFolder opens the folder in which path lies, makes it where it is missing (mode
// 0755), and returns an O_PATH descriptor of it and the last name of path.
func openFolder(path string) (dir int, base string, err error) {
	base = filepath.Base(path)
	folder := filepath.Dir(path)
	// One call where there is no link at all (openat2(2), Linux 5.6).
	dir, err = unix.Openat2(unix.AT_FDCWD, folder, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		dir, err = walk(folder)
	}
	return dir, base, err
}

func walk(path string) (int, error) {
	root := func() (int, error) {
		return unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	at, err := root()
	if err != nil {
		return -1, err
	}
	links := 0
	for todo := names(path); len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		next, st, err := step(at, name)
		if err != nil {
			unix.Close(at)
			return -1, err
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			unix.Close(at)
			at = next
		case unix.S_IFLNK:
			to, err := readLink(next, name, &st)
			unix.Close(next)
			if links++; err == nil && links > linksMax {
				err = unix.ELOOP
			}
			if err == nil && filepath.IsAbs(to) {
				unix.Close(at)
				at, err = root()
			}
			if err != nil {
				unix.Close(at)
				return -1, err
			}
			todo = append(names(to), todo...)
		default:
			unix.Close(next)
			unix.Close(at)
			return -1, unix.ENOTDIR
		}
	}
	return at, nil
}

// step opens name in the folder at, whatever it is, and makes a folder where nothing is.
func step(at int, name string) (fd int, st unix.Stat_t, err error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err = unix.Openat(at, name, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		if err = unix.Mkdirat(at, name, 0o755); err == nil || errors.Is(err, unix.EEXIST) {
			fd, err = unix.Openat(at, name, flags, 0)
		}
	}
	if err != nil {
		return -1, st, err
	}
	if err = unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

// readLink returns where a link leads if it may be followed. More than one hard link: it
// may be root's own, linked to from elsewhere by somebody else.
func readLink(fd int, name string, st *unix.Stat_t) (string, error) {
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() || st.Nlink > 1 {
		return "", fmt.Errorf("%s in its path is a symbolic link of uid %d, which is not followed", name, st.Uid)
	}
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", b)
	return string(b[:max(n, 0)]), err
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// openFile opens base in the folder dir for writing, made with mode and owner if it is not
// there.
//
//   - O_NOFOLLOW, and no file with other names where others may link files to.
//   - O_NONBLOCK: a FIFO planted there must not hang us (open(2)).
//   - No O_APPEND: splice(2) refuses such files.
//   - O_EXCL with O_CREAT, and no O_CREAT for a file that exists: in sticky folders
//     fs.protected_regular denies root opening others' files with O_CREAT (proc_sys_fs(5)).
//   - For reading too where that is allowed: a line end is looked for.
func openFile(dir int, base string, mode os.FileMode, owner *Owner) (fd int, st unix.Stat_t, err error) {
	const flags = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	made := false
	for {
		fd, err = unix.Openat(dir, base, flags|unix.O_RDWR, 0)
		if errors.Is(err, unix.EACCES) {
			fd, err = unix.Openat(dir, base, flags|unix.O_WRONLY, 0)
		}
		if !errors.Is(err, unix.ENOENT) {
			break
		}
		fd, err = unix.Openat(dir, base, flags|unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, uint32(mode.Perm()))
		if !errors.Is(err, unix.EEXIST) {
			made = err == nil
			break
		}
	}
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, st, errors.New("it is a symbolic link, which is not followed")
	case err != nil:
		return -1, st, err
	}
	if made {
		if owner != nil {
			if err = unix.Fchown(fd, owner.UID, owner.GID); err != nil {
				err = fmt.Errorf("cannot give it to %d:%d: %w", owner.UID, owner.GID, err)
			}
		}
		if err == nil { // after the owner, whose change clears bits; and whatever the umask is
			err = unix.Fchmod(fd, uint32(mode.Perm()))
		}
		if err != nil {
			_ = unix.Unlinkat(dir, base, 0)
		}
	}
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil {
		err = acceptable(dir, &st)
	}
	if err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

// acceptable says what is wrong with a file that is to be written to.
func acceptable(dir int, st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		return nil
	case unix.S_IFREG:
	default:
		return errors.New("it is neither a file nor a character device")
	}
	if os.Geteuid() == 0 && st.Nlink > 1 && !private(dir) {
		return fmt.Errorf("it has %d hard links, in a folder that others may write to", st.Nlink)
	}
	return nil
}

// private reports whether nobody but root and us may write in a folder. Access control
// lists show in the bits of the group (acl(5)).
func private(dir int) bool {
	var st unix.Stat_t
	if unix.Fstat(dir, &st) != nil {
		return false
	}
	return (st.Uid == 0 || int(st.Uid) == os.Geteuid()) && st.Mode&0o022 == 0
}

func privateFolder(path string) bool {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	return private(dir)
}
