package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// testDir is where the files of a test lie in the made-up file system.
const testDir = "/srv/app"

// fakeHost is a machine with 8 GiB, 4 CPUs, some programs, the users root and www-data,
// and files below testDir. What is named readonly cannot be written.
func fakeHost(files map[string]string) *host {
	tree := fstest.MapFS{
		"srv/app/app/serve":       {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"srv/app/conf.d/tool":     {Data: []byte("\x7fELF"), Mode: 0o755},
		"srv/app/noshebang":       {Data: []byte("echo\n"), Mode: 0o755},
		"srv/app/badscript":       {Data: []byte("#!/usr/bin/ruby -w\n"), Mode: 0o755},
		"srv/app/dosscript":       {Data: []byte("#!/bin/sh\r\n"), Mode: 0o755},
		"srv/app/envscript":       {Data: []byte("#!/usr/bin/env ruby\n"), Mode: 0o755},
		"srv/app/web.env":         {Data: []byte("A=1\n"), Mode: 0o644},
		"srv/app/readonly/keep":   {Mode: 0o644},
		"home/me/bin/mytool":      {Data: []byte("\x7fELF"), Mode: 0o755},
		"var/log/messages":        {Mode: 0o644},
		"dev/null":                {Mode: fs.ModeDevice | 0o666},
		"usr/local/bin/python3/x": {},            // a folder is no program
		"usr/local/bin/awk":       {Mode: 0o644}, // nor is a file without x
	}
	for _, name := range []string{"bin/sh", "usr/bin/python3", "usr/bin/sleep", "usr/bin/awk", "usr/bin/env"} {
		tree[name] = &fstest.MapFile{Data: []byte("\x7fELF"), Mode: 0o755}
	}
	for name, text := range files {
		tree[inFS(testDir+"/"+name)] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	known := func(name string) bool { return slices.Contains([]string{"root", "www-data", "33"}, name) }
	return &host{
		fs: tree, cwd: testDir, euid: 0, cpus: 4, path: "/home/me/bin:/usr/bin",
		memTotal: func() (uint64, error) { return 8 << 30, nil },
		lookupEnv: func(name string) (string, bool) {
			value, ok := map[string]string{"GREETING": "it's me", "LINES": "1\n2", "PATH": "/home/me/bin:/usr/bin"}[name]
			return value, ok
		},
		knownUser: known, knownGroup: known,
		mayAccess: func(path string, mode uint32) error {
			if mode&2 != 0 && strings.Contains(path, "readonly") {
				return fs.ErrPermission
			}
			return nil
		},
	}
}

// loadText loads a configuration that exists only in the test.
func loadText(text string) (*Config, error) {
	return load("x.conf", fakeHost(map[string]string{"x.conf": text}), true)
}

// testdata is every file below testdata by its relative path.
func testdata(t testing.TB) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir("testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, "testdata/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
