package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"msup/units"

	"golang.org/x/sys/unix"
)

// projectFile holds, in the runtime directory, the project as it runs: for commands that
// find the configuration changed or gone, and for a supervisor that comes back.
const projectFile = "project.json"

// runningProject is the content of projectFile.
type runningProject struct {
	// Run names the msup up that started the supervisor: one that finds its own run here
	// has been restarted. "" = started otherwise.
	Run     string        `json:"run"`
	Project units.Project `json:"project"`
}

// stateLog is where a supervisor writes down what systemd does not know: one line with
// everything (units.Saved), then one with each change (units.Change). A line goes out in one
// write(2) into memory (the runtime directory is a tmpfs), which is so cheap that the loop
// can do it before it acts.
type stateLog struct {
	path  string
	file  *os.File // nil = to be begun anew
	size  int64    // bytes in file
	begun int64    // bytes of its first line
	// stale says that the file at path is not ours any more.
	stale atomic.Bool
}

const stateName = "state.jsonl"

// save implements units.Config.Save.
func (l *stateLog) save(c units.Change, all func() units.Saved) error {
	if l.file == nil || l.stale.Swap(false) || l.size > 256<<10+3*l.begun {
		return l.begin(all())
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	n, err := l.file.Write(append(line, '\n'))
	l.size += int64(n)
	if err != nil {
		l.close() // a part of the line may be there
		return fmt.Errorf("cannot write %s: %w", l.path, bare(err))
	}
	return nil
}

// begin replaces the file by one that has everything in its first line.
func (l *stateLog) begin(all units.Saved) error {
	l.close()
	file, err := replace(l.path, all)
	if err != nil {
		return err
	}
	l.file = file
	l.begun, err = file.Seek(0, io.SeekEnd)
	l.size = l.begun
	return err
}

func (l *stateLog) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// loadState reads what a supervisor has written down; nil without an error where there is
// nothing. With an error comes what could be read, which may be nil.
func loadState(path, project string) (*units.Saved, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the saved state: %w", err)
	}
	var all *units.Saved
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			break // nothing, or a line that a kill has cut off: nobody has acted on it
		}
		data = rest
		if all == nil {
			all, err = readSaved(line, project)
		} else {
			var c units.Change
			if err = json.Unmarshal(line, &c); err == nil {
				all.Apply(c)
			}
		}
		if err != nil {
			if all != nil {
				all.Damaged = true
			}
			return all, fmt.Errorf("cannot read the saved state %s, line %d: %w", path, n, err)
		}
	}
	if all == nil {
		return nil, fmt.Errorf("cannot read the saved state %s: it is cut off", path)
	}
	return all, nil
}

func readSaved(line []byte, project string) (*units.Saved, error) {
	var head struct{ Version int }
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, err
	}
	if head.Version != units.SavedVersion {
		return nil, fmt.Errorf("it has version %d, this msup knows %d", head.Version, units.SavedVersion)
	}
	var all units.Saved
	if err := json.Unmarshal(line, &all); err != nil {
		return nil, err
	}
	if all.Project != project {
		return nil, fmt.Errorf("it is of project %s", all.Project)
	}
	return &all, nil
}

// writeJSON replaces a file at once, so that a reader finds the old or the new one.
func writeJSON(path string, v any) error {
	f, err := replace(path, v)
	if err != nil {
		return err
	}
	return f.Close()
}

// replace is writeJSON, but leaves the file open.
func replace(path string, v any) (*os.File, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	// One name for it: who is killed in between leaves it for the next one to write over.
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, bare(err))
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("cannot write %s: %w", path, bare(err))
	}
	return f, nil
}

// bare strips the operation and the path that os errors carry: our messages name both.
func bare(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}
