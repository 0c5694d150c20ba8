package main

import (
	"os"
	"path/filepath"
	"strings"

	"msup/capture"
	"msup/units"
)

// Streams of a program. The FIFO of a stream is named PROGRAM.STREAM.
const (
	stdoutStream = "stdout"
	stderrStream = "stderr"
)

// nameOf is the program a stream belongs to, and which of its streams it is.
func nameOf(s *capture.Stream) (program, stream string) {
	fifo := filepath.Base(s.Config().FIFO)
	dot := strings.LastIndexByte(fifo, '.')
	return fifo[:dot], fifo[dot+1:]
}

// streamConfig is how one stream of a program is captured, its FIFO and its users apart.
func streamConfig(p units.Program, name, file string, user bool) capture.Config {
	cfg := capture.Config{File: os.DevNull} // what is for the journal alone, or for nobody, goes nowhere else
	if isFile(file) {
		cfg = fileConfig(p, file)
	}
	if !p.Log.NoJournal && file != os.DevNull {
		priority := capture.PriorityStdout
		if name == stderrStream {
			priority = capture.PriorityStderr
		}
		cfg.Journal = &capture.JournalTarget{
			Unit: p.Unit, UserManager: user, Identifier: p.Name, Priority: priority, Program: p.Name, Name: name,
		}
	}
	return cfg
}

// fileConfig is how a file is written.
func fileConfig(p units.Program, file string) capture.Config {
	cfg := capture.Config{
		File: file,
		Rotation: capture.Rotation{
			MaxSize: int64(p.Log.MaxSize), Backups: p.Log.Backups, MaxAge: p.Log.MaxAge,
			Compress: p.Log.Compress, TotalMax: int64(p.Log.TotalMax), MinFree: int64(p.Log.MinFree),
		},
		Timestamps: capture.Timestamps(p.Log.Timestamps), Prefix: p.Log.Prefix,
	}
	if p.Log.Mode != nil {
		cfg.Mode = os.FileMode(*p.Log.Mode)
	}
	return cfg
}

// owners looks up users, each once: there may be hundreds of programs.
type owners map[string]*capture.Owner

// of returns who a program runs as and who gets its files, nil = whoever we are.
func (o owners) of(p units.Program) (writer, owner *capture.Owner) {
	writer = o.find(p.User, p.Group)
	if p.Log.Owner == "" {
		return writer, writer
	}
	name, group, _ := strings.Cut(p.Log.Owner, ":")
	return writer, o.find(name, group)
}

func (o owners) find(name, group string) *capture.Owner {
	if os.Geteuid() != 0 || (name == "" && group == "") {
		return nil
	}
	key := name + ":" + group
	found, known := o[key]
	if !known {
		// A user that has gone since the configuration was checked: systemd says so when
		// it cannot start the program.
		if uid, gid, err := units.LookupOwner(name, group); err == nil {
			found = &capture.Owner{UID: uid, GID: gid}
		}
		o[key] = found
	}
	return found
}
