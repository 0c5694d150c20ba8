package convert

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what is read, far above any configuration that somebody has written.
const (
	maxFile  = 4 << 20  // bytes of one file
	maxTotal = 16 << 20 // bytes of all files
	maxFiles = 1000
)

// files reads the files of a conversion, and remembers which.
type files struct {
	fsys  fs.FS
	read  []string // absolute
	total int
}

// readFile reads a regular file. It does not read without end, whatever the file is.
func (f *files) readFile(path string) ([]byte, error) {
	name := inFS(path)
	info, err := fs.Stat(f.fsys, name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a folder")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	file, err := f.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFile:
		return nil, fmt.Errorf("it is larger than %d MiB: that is no configuration", maxFile>>20)
	case f.total+len(data) > maxTotal:
		return nil, fmt.Errorf("the files together are larger than %d MiB", maxTotal>>20)
	case len(f.read) >= maxFiles:
		return nil, fmt.Errorf("there are more than %d files", maxFiles)
	}
	f.total += len(data)
	if !slices.Contains(f.read, path) {
		f.read = append(f.read, path)
	}
	return data, nil
}

// exists reports whether there is a file at path.
func (f *files) exists(path string) bool {
	_, err := fs.Stat(f.fsys, inFS(path))
	return err == nil
}

// glob lists the files that match an absolute pattern, sorted.
func (f *files) glob(pattern string) ([]string, error) {
	names, err := fs.Glob(f.fsys, inFS(pattern))
	for i := range names {
		names[i] = "/" + names[i]
	}
	slices.Sort(names)
	return names, err
}

// below is a path that relative ones of a file in a folder mean.
func below(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// inFS is an absolute path as fs.FS wants it.
func inFS(path string) string {
	if path = filepath.Clean(path); path == "/" {
		return "."
	}
	return strings.TrimPrefix(path, "/")
}

// cause is an I/O error without the operation and the path, which the sentence around it names.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
