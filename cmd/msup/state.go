package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"msup/units"
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

// stateFile is where a supervisor writes down what systemd does not know.
type stateFile struct{ path string }

func (f stateFile) save(s units.Saved) error { return writeJSON(f.path, s) }

// load returns nil without an error where there is no state.
func (f stateFile) load(project units.Project) (*units.Saved, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the saved state: %w", err)
	}
	var s units.Saved
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("cannot read the saved state %s: %w", f.path, err)
	}
	if s.Version != units.SavedVersion {
		return nil, fmt.Errorf("cannot read the saved state %s: it has version %d, this msup knows %d", f.path, s.Version, units.SavedVersion)
	}
	if s.Project != project.Name {
		return nil, fmt.Errorf("cannot use the saved state %s: it is of project %s", f.path, s.Project)
	}
	return &s, nil
}

// writeJSON replaces a file at once, so that a reader finds the old or the new one.
func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	_, err = tmp.Write(data)
	if err2 := tmp.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
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
