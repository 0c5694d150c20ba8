package capture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mallory is a program's user.
const mallory = 60001

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can write where others may")
	}
}

// planted makes a folder of mallory's.
func planted(t *testing.T) string {
	t.Helper()
	needRoot(t)
	dir := filepath.Join(t.TempDir(), "app")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	own(t, dir)
	return dir
}

func own(t *testing.T, path string) {
	t.Helper()
	if err := os.Lchown(path, mallory, mallory); err != nil {
		t.Fatal(err)
	}
}

// try opens file as a target and returns what is wrong with that.
func try(file string, change func(*target)) error {
	t := &target{path: file, mode: 0o644, fd: -1}
	if change != nil {
		change(t)
	}
	defer t.close()
	return t.open(t.checked)
}

func TestPlantedLinks(t *testing.T) {
	dir := planted(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.MkdirAll(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secret, "web.log"), []byte("root's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(to, name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		own(t, path)
		return path
	}
	hard := filepath.Join(dir, "hard.log")
	if err := os.Link(filepath.Join(secret, "web.log"), hard); err != nil {
		t.Fatal(err)
	}
	for path, message := range map[string]string{
		link(secret, "logs") + "/web.log":                    "symbolic link of uid 60001",
		link("..", "up") + "/secret/web.log":                 "symbolic link of uid 60001",
		link(filepath.Join(secret, "web.log"), "final"):      "symbolic link",
		link(filepath.Join(secret, "web.log"), "x") + "/a/b": "symbolic link",
		hard: "2 hard links",
	} {
		err := try(path, nil)
		if err == nil || !strings.Contains(err.Error(), message) || !strings.HasPrefix(err.Error(), "cannot open "+path+": ") {
			t.Errorf("%s: %v, want %q", path, err, message)
		}
	}
	if got := read(t, filepath.Join(secret, "web.log")); got != "root's\n" {
		t.Errorf("root's file has %q", got)
	}
	// Root's own links are followed, also relative and absolute ones in a row.
	if err := os.Symlink("app/../secret", filepath.Join(filepath.Dir(dir), "rel")); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(hard)
	if err := os.Rename(secret, filepath.Join(filepath.Dir(dir), "secret")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(filepath.Dir(dir), "rel"), secret); err != nil {
		t.Fatal(err)
	}
	if err := try(filepath.Join(secret, "new", "web.log"), nil); err != nil {
		t.Errorf("root's links: %v", err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "secret", "new", "web.log")); err != nil {
		t.Error(err)
	}
}

func TestLinkLoop(t *testing.T) {
	dir := t.TempDir()
	os.Symlink("b", filepath.Join(dir, "a"))
	os.Symlink("a", filepath.Join(dir, "b"))
	if err := try(filepath.Join(dir, "a", "web.log"), nil); err == nil || !strings.Contains(err.Error(), "too many levels") {
		t.Errorf("a loop: %v", err)
	}
}

// Several names are all right in a folder of our own.
func TestHardLinkOfOurs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.log")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, file+".same"); err != nil {
		t.Fatal(err)
	}
	if err := try(file, nil); err != nil {
		t.Error(err)
	}
}

// A link in the place of a backup is renamed and not followed; rotation and compression
// write through nothing that was planted.
func TestPlantedBackups(t *testing.T) {
	dir := planted(t)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "web.log")
	for _, name := range []string{".1", ".2", ".gz.tmp", ".3.gz"} {
		if err := os.Symlink(victim, file+name); err != nil {
			t.Fatal(err)
		}
		own(t, file+name)
	}
	if err := os.Link(victim, file+".4"); err != nil {
		t.Fatal(err)
	}
	b := start(t, func(b *bench, o *Options, c *Config) {
		c.File = file
		c.Rotation = Rotation{MaxSize: 100, Backups: 50, Compress: true}
	})
	for i := range 100 {
		b.write(fmt.Sprintf("line %d\n", i))
	}
	b.drain()
	b.tidied()
	if got := read(t, victim); got != "untouched" {
		t.Errorf("the victim has %q", got)
	}
	links := 0
	paths, _ := filepath.Glob(file + "*")
	for _, p := range paths {
		if st, err := os.Lstat(p); err == nil && st.Mode()&os.ModeSymlink != 0 {
			links++
		}
	}
	if links != 3 {
		t.Errorf("%d links are left of 3: %v", links, paths)
	}
}

func TestModeAndOwner(t *testing.T) {
	needRoot(t)
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	file := filepath.Join(t.TempDir(), "web.log")
	err := try(file, func(tt *target) { tt.mode, tt.owner = 0o664, &Owner{UID: mallory, GID: 60002} })
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Stat(file, &st); err != nil || st.Mode&0o7777 != 0o664 || st.Uid != mallory || st.Gid != 60002 {
			t.Errorf("mode %o, owner %d:%d, %v", st.Mode, st.Uid, st.Gid, err)
		}
	}
	check()
	// A file that is there stays as it is.
	if err := try(file, func(tt *target) { tt.mode, tt.owner = 0o600, &Owner{} }); err != nil {
		t.Fatal(err)
	}
	check()
}

// The program can open its standard output again through /proc, and nobody else can.
func TestWriterOwnsFIFO(t *testing.T) {
	needRoot(t)
	b := start(t, func(b *bench, o *Options, c *Config) {
		c.Writer = &Owner{UID: mallory, GID: mallory}
		if err := os.Chmod(b.dir, 0o755); err != nil {
			t.Fatal(err)
		}
	})
	say := func(uid uint32, word string) error {
		w, err := b.stream.WriteEnd()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		c := exec.Command("sh", "-c", "echo "+word+" >/dev/stdout")
		c.Stdout = w
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		return c.Run()
	}
	if err := say(mallory, "again"); err != nil {
		t.Errorf("the program's user: %v", err)
	}
	if err := say(mallory+1, "never"); err == nil {
		t.Error("anybody may open the FIFO")
	}
	b.drain()
	b.want("again\n")

	// Another supervisor, by the path and by the descriptor; and the user changes.
	cfg := b.stream.Config()
	for _, writer := range []*Owner{{UID: mallory, GID: mallory}, {UID: 60003, GID: 60003}, nil} {
		for _, keep := range []bool{false, true} {
			var kept *os.File
			if keep {
				var err error
				if kept, err = b.stream.Descriptor(); err != nil {
					t.Fatal(err)
				}
			}
			cfg.Writer = writer
			s, err := b.mover.Open(cfg, kept)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(soon(t)); err != nil {
				t.Fatal(err)
			}
			want := uint32(0)
			if writer != nil {
				want = uint32(writer.UID)
			}
			var st unix.Stat_t
			if err := unix.Stat(cfg.FIFO, &st); err != nil || st.Uid != want || st.Mode&0o7777 != 0o600 {
				t.Errorf("writer %v, kept %v: owner %d, mode %o, %v", writer, keep, st.Uid, st.Mode, err)
			}
		}
	}
	// In a folder that others write to, a FIFO of theirs is not ours.
	dir := planted(t)
	cfg.FIFO = filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(cfg.FIFO, 0o666); err != nil {
		t.Fatal(err)
	}
	own(t, cfg.FIFO)
	if s, err := b.mover.Open(cfg, nil); err == nil {
		s.Close(soon(t))
		t.Error("a planted FIFO is accepted")
	}
}
