package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"msup/capture"

	"golang.org/x/sys/unix"
)

// A holder keeps FIFOs open with what is in them, however often it is looked at.
func TestHold(t *testing.T) {
	dir := t.TempDir()
	var files []*os.File
	for i := range heldEach {
		path := filepath.Join(dir, fmt.Sprintf("p%d.stdout", i))
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(fd), filepath.Base(path)))
		fmt.Fprintf(files[i], "line %d\n", i)
	}
	holder, err := hold(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	// A program that starts now finds a reader.
	w, err := unix.Open(filepath.Join(dir, "p7.stdout"), unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("the FIFO is not held open: %v", err)
	}
	if _, err := unix.Write(w, []byte("more\n")); err != nil {
		t.Fatal(err)
	}
	unix.Close(w)
	for range 2 {
		again, err := look(holder)
		if err != nil || len(again) != len(files) {
			t.Fatalf("look: %d files, %v", len(again), err)
		}
		for _, f := range again {
			f.Close()
		}
	}
	k := openKept([]*os.File{os.NewFile(dup(t, holder), "streams.0")})
	if k.stale || len(k.fifos) != len(files) || len(k.stored) != 1 {
		t.Errorf("openKept: %d FIFOs, stored as %q, stale %v", len(k.fifos), k.stored, k.stale)
	}
	f := k.take("p7.stdout", false)[0]
	buf := make([]byte, 100)
	if n, err := f.Read(buf); err != nil || string(buf[:n]) != "line 7\nmore\n" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if k.take("p7.stdout", false)[0] != nil || !k.stale {
		t.Error("a FIFO was there twice")
	}
	for _, f := range k.fifos {
		f.Close()
	}
}

// A FIFO in the store by itself is found too.
func TestOpenKeptFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.stdout")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	k := openKept([]*os.File{os.NewFile(dup(t, f), "web.stdout")})
	if !k.stale || k.fifos["web.stdout"] == nil {
		t.Errorf("openKept: %+v", k)
	}
	f.Close()
	k.take("web.stdout", false)[0].Close()
}

// The store is as it should be only if it has the FIFOs that a stream has now.
func TestTake(t *testing.T) {
	const stream, staging = "web.stdout", "web.stdout" + capture.StagingSuffix
	for _, tt := range []struct {
		kept  []string
		two   bool
		stale bool
	}{
		{[]string{stream}, false, false},
		{[]string{stream, staging}, true, false},
		{[]string{stream, staging}, false, true}, // no more a text before each line: what waits there is still given
		{[]string{stream}, true, true},
		{[]string{staging}, true, true},
		{nil, false, true},
	} {
		k := &kept{fifos: map[string]*os.File{}}
		for _, name := range tt.kept {
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			k.fifos[name] = f
		}
		want := []*os.File{k.fifos[stream], k.fifos[staging]}
		if got := k.take(stream, tt.two); !slices.Equal(got, want) || k.stale != tt.stale || len(k.fifos) != 0 {
			t.Errorf("%+v: took %v, stale %v, left %v", tt, got, k.stale, k.fifos)
		}
	}
}

func dup(t *testing.T, f *os.File) (fd uintptr) {
	t.Helper()
	err := withFD(f, func(old int) error {
		n, err := unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 3)
		fd = uintptr(n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
