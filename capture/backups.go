package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A file's backups are its rotated predecessors: FILE.1 is the newest, FILE.2 the one
// before, also as FILE.2.gz. They are found by their names alone, so that whoever takes
// over, and an external logrotate, sees the same.

// backup is one of the files with a number. FILE.2 and FILE.2.gz are two of them.
type backup struct {
	name string
	n    int
	gz   bool
	st   unix.Stat_t
}

func (b *backup) regular() bool { return b.st.Mode&unix.S_IFMT == unix.S_IFREG }

func backupName(base string, n int, gz bool) string {
	name := base + "." + strconv.Itoa(n)
	if gz {
		name += ".gz"
	}
	return name
}

// backups returns the backups of base in the folder dir, the newest first. It removes what
// a kill left behind: a plain file beside its complete compressed one.
func backups(dir int, base string) ([]backup, error) {
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	var found []backup
	for _, name := range names {
		b, ok := parseBackup(name, base)
		if ok && unix.Fstatat(dir, name, &b.st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			found = append(found, b)
		}
	}
	slices.SortFunc(found, func(a, b backup) int {
		if a.n != b.n {
			return a.n - b.n
		}
		return strings.Compare(a.name, b.name)
	})
	return slices.DeleteFunc(found, func(b backup) bool {
		if b.gz || !b.regular() {
			return false
		}
		i := slices.IndexFunc(found, func(o backup) bool { return o.n == b.n && o.gz })
		return i >= 0 && complete(dir, &found[i], &b) && unix.Unlinkat(dir, b.name, 0) == nil
	}), nil
}

// list returns the names in a folder.
func list(dir int) ([]string, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	return names, bare(err)
}

// parseBackup takes the name of a backup apart.
func parseBackup(name, base string) (backup, bool) {
	rest, ok := strings.CutPrefix(name, base+".")
	if !ok {
		return backup{}, false
	}
	number, gz := strings.CutSuffix(rest, ".gz")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || backupName(base, n, gz) != name {
		return backup{}, false // also "web.log.01"
	}
	return backup{name: name, n: n, gz: gz}, true
}

// complete reports whether gz is all of plain: ours always is, since it gets its name last,
// but gzip(1) called by somebody else writes under this name. The last four bytes are the
// size of what was compressed (RFC 1952, ISIZE).
func complete(dir int, gz, plain *backup) bool {
	if !gz.regular() || gz.st.Size < 18 {
		return false
	}
	fd, err := unix.Openat(dir, gz.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var b [4]byte
	n, err := unix.Pread(fd, b[:], gz.st.Size-4)
	return err == nil && n == 4 && binary.LittleEndian.Uint32(b[:]) == uint32(plain.st.Size)
}

// shift frees the number 1: it moves each backup one number on, up to the first number
// that is free. The oldest goes first, and nothing is ever overwritten, so a kill leaves a
// gap at worst, which the next shift uses.
func shift(dir int, base string, all []backup) error {
	free := 1
	for _, b := range all {
		if b.n == free {
			free++
		} else if b.n > free {
			break
		}
	}
	for _, b := range slices.Backward(all) {
		if b.n >= free {
			continue
		}
		if err := rename(dir, b.name, backupName(base, b.n+1, b.gz)); err != nil {
			return fmt.Errorf("cannot rename %s: %w", b.name, err)
		}
	}
	return nil
}

// rename fails where to exists already, if the file system can do that (renameat2(2)).
func rename(dir int, from, to string) error {
	err := unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = unix.Renameat(dir, from, dir, to)
	}
	return err
}

// prune removes backups that are more than keep, too old, or, together with size bytes of
// the file itself, too large: the oldest first. keep < 0 = any number.
func prune(dir int, all []backup, keep int, r Rotation, size int64, now time.Time) error {
	all = slices.DeleteFunc(slices.Clone(all), func(b backup) bool { return !b.regular() })
	total, full := size, false
	var errs []error
	for i, b := range all {
		total += b.st.Size
		// From the first that is too much on, all go: no gaps in what is kept.
		full = full || keep >= 0 && i >= keep || r.TotalMax > 0 && total > r.TotalMax
		old := r.MaxAge > 0 && now.Sub(time.Unix(b.st.Mtim.Unix())) > r.MaxAge
		if !full && !old {
			continue
		}
		if err := unix.Unlinkat(dir, b.name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("cannot remove %s: %w", b.name, err))
		}
	}
	return errors.Join(errs...)
}
