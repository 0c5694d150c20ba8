package config

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"msup/units"
)

// host is the machine as this package sees it; tests make one up.
type host struct {
	fs   fs.FS  // the file system, from "/"
	cwd  string // working directory, absolute
	euid int
	cpus int
	path string // $PATH of whoever runs msup; only for hints

	memTotal   func() (uint64, error)           // physical memory in bytes
	lookupEnv  func(name string) (string, bool) // the environment of whoever runs msup
	knownUser  func(name string) bool
	knownGroup func(name string) bool
	mayAccess  func(path string, mode uint32) error // access(2) with the effective user

	// Answers of this run: hundreds of programs may ask about the same few files.
	stats map[string]statAnswer
	heads map[string][]byte
}

func newHost() *host {
	cwd, err := os.Getwd()
	if err != nil {
		cwd = "/"
	}
	return &host{
		fs:         os.DirFS("/"),
		cwd:        cwd,
		euid:       os.Geteuid(),
		cpus:       runtime.NumCPU(),
		path:       os.Getenv("PATH"),
		lookupEnv:  os.LookupEnv,
		memTotal:   memTotal,
		knownUser:  known(func(name string) error { _, err := units.LookupUser(name); return err }),
		knownGroup: known(func(name string) error { _, err := units.LookupGroup(name); return err }),
		mayAccess: func(path string, mode uint32) error {
			return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
		},
	}
}

// known returns a function that reports whether a user or group exists, looked for once
// for each name. A number always does.
func known(lookup func(string) error) func(name string) bool {
	var answers map[string]bool
	return func(name string) bool {
		if _, err := strconv.ParseUint(name, 10, 32); err == nil {
			return true
		}
		return remember(&answers, name, func() bool {
			return lookup(name) == nil
		})
	}
}

// memTotal reads MemTotal of proc_meminfo(5), which is in KiB.
func memTotal() (uint64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 54)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no MemTotal in /proc/meminfo")
}

// inFS is an absolute path as fs.FS wants it.
func inFS(path string) string {
	if path == "/" {
		return "."
	}
	return strings.TrimPrefix(path, "/")
}

func (h *host) readFile(path string) ([]byte, error) { return fs.ReadFile(h.fs, inFS(path)) }

type statAnswer struct {
	info fs.FileInfo
	err  error
}

func (h *host) stat(path string) (fs.FileInfo, error) {
	a := remember(&h.stats, path, func() (a statAnswer) {
		a.info, a.err = fs.Stat(h.fs, inFS(path))
		return a
	})
	return a.info, a.err
}

// remember asks for the answer to a question once.
func remember[A any](answers *map[string]A, question string, ask func() A) A {
	answer, asked := (*answers)[question]
	if !asked {
		answer = ask()
		if *answers == nil {
			*answers = map[string]A{}
		}
		(*answers)[question] = answer
	}
	return answer
}

func (h *host) glob(pattern string) ([]string, error) {
	names, err := fs.Glob(h.fs, inFS(pattern))
	for i := range names {
		names[i] = "/" + names[i]
	}
	return names, err
}

func (h *host) isDir(path string) bool {
	info, err := h.stat(path)
	return err == nil && info.IsDir()
}

// headSize is as much of a #! line as the kernel reads (BINPRM_BUF_SIZE, execve(2)).
const headSize = 256

// head returns the first bytes of a file, nil if it cannot be read.
func (h *host) head(path string) []byte {
	return remember(&h.heads, path, func() []byte {
		f, err := h.fs.Open(inFS(path))
		if err != nil {
			return nil
		}
		defer f.Close()
		buf := make([]byte, headSize)
		n, err := f.Read(buf)
		if err != nil && n == 0 {
			return nil
		}
		return buf[:n]
	})
}
