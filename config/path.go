package config

import (
	"path/filepath"
	"regexp"
	"strings"

	"msup/units"
)

// absPath is the path a setting names; relative ones start at the folder of the file
// the setting stands in.
func absPath(t *target, s setting, path string) (string, error) {
	if path == "~" || strings.HasPrefix(path, "~/") {
		return "", hinted("write the whole path", "~ is not expanded in %s", quote(path))
	}
	if expansion.MatchString(path) {
		t.warn(s, "$ is not expanded: "+quote(path)+" is the literal name", "")
	}
	if strings.HasSuffix(path, ")") && strings.Contains(path, " (") {
		t.warn(s, "the note in parentheses is part of the path "+quote(path), "begin the note with #")
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	return filepath.Join(s.src.dir, path), nil
}

// expansion is what a shell or systemd would replace.
var expansion = regexp.MustCompile(`\$([A-Za-z_{(])`)

func setPath(field func(*units.Program) *string) func(*target, setting) error {
	return func(t *target, s setting) (err error) {
		*field(&t.prog.Program), err = absPath(t, s, s.value)
		return err
	}
}

func setEnvFile(t *target, s setting) error {
	name, optional := strings.CutPrefix(s.value, "-")
	if name == "" {
		return hinted("write the path of a file", "there is no path in %s", quote(s.value))
	}
	path, err := absPath(t, s, name)
	if err != nil {
		return err
	}
	t.prog.EnvFiles = append(t.prog.EnvFiles, units.EnvFile{Path: path, Optional: optional})
	t.prog.envFiles = append(t.prog.envFiles, s)
	return nil
}

func setLogfile(t *target, s setting) error {
	if s.value == "none" {
		t.cfg.Logfile = ""
		return nil
	}
	path, err := absPath(t, s, s.value)
	if err != nil {
		return err
	}
	if strings.HasSuffix(s.value, "/") {
		return hinted("add the name of a file", "%s is a folder", quote(s.value))
	}
	t.cfg.Logfile = path
	return nil
}
