package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msup/cgroup"
	"msup/config"
	"msup/control"
	"msup/convert"
	"msup/dbus"
	"msup/property"
	"msup/units"
)

// app is what every command works with: the flags all share, and where to print.
type app struct {
	configPath  string
	projectName string
	wantSystem  bool
	wantUser    bool

	user bool // the user manager, not the system manager

	stdin          *os.File
	stdout, stderr io.Writer
}

// bus is the connection to systemd.
type bus = *dbus.Conn

// configNames are the configurations looked for in the working directory.
var configNames = []string{"msup.conf", "supervisor.conf", "msup.ini"}

// choose decides between the system and the user manager.
func (a *app) choose() error {
	if a.wantSystem && a.wantUser {
		return usageError("--system and --user exclude each other")
	}
	a.user = a.wantUser || (!a.wantSystem && os.Geteuid() != 0)
	return nil
}

// managerFlag is the flag that makes another msup choose the same manager.
func (a *app) managerFlag() string {
	if a.user {
		return "--user"
	}
	return "--system"
}

func (a *app) dial(ctx context.Context) (bus, error) {
	which := dbus.System
	if a.user {
		which = dbus.User
	}
	return dbus.Dial(ctx, which)
}

// findConfig returns the path of the configuration.
func (a *app) findConfig() (string, error) {
	if a.configPath != "" {
		return a.configPath, nil
	}
	if path := os.Getenv("MSUP_CONFIG"); path != "" {
		return path, nil
	}
	for _, name := range configNames {
		if _, err := os.Stat(name); err == nil {
			return name, nil
		}
	}
	hint := fmt.Sprintf("make one of %s, or name one with -c FILE", strings.Join(configNames, ", "))
	for _, name := range foreignNames {
		if slices.Contains(convert.Formats(), foreignFormat(name)) {
			hint = fmt.Sprintf("there is a %s: -c %s takes it as it is", name, name)
			break
		}
	}
	return "", &exitError{code: exitUsage, msg: "no configuration here", hint: hint}
}

// loadConfig reads and checks the configuration as for a start.
func (a *app) loadConfig() (*config.Config, error) {
	cfg, err := a.readConfig(loadFile)
	if err != nil || cfg.NeedsSystemd() <= property.Oldest {
		return cfg, err
	}
	// Where no systemd answers, nothing can be started either.
	if version, err := a.systemdVersion(); err == nil {
		if err := cfg.CheckSystemd(version); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

// systemdVersion asks the service manager for its major version.
func (a *app) systemdVersion() (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	bus, err := a.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer bus.Close()
	return bus.Version(), nil
}

func (a *app) readConfig(read func(string) (*config.Config, error)) (*config.Config, error) {
	path, err := a.findConfig()
	if err != nil {
		return nil, err
	}
	cfg, err := read(path)
	var invalid *config.Error
	if err != nil && !errors.As(err, &invalid) {
		return nil, asUsage(err)
	}
	return cfg, err
}

// runtimeRoot is where projects have their runtime directories.
func (a *app) runtimeRoot() string {
	if !a.user {
		return "/run/msup"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "msup")
	}
	return fmt.Sprintf("/run/user/%d/msup", os.Getuid())
}

func (a *app) runtimeDir(project string) string { return filepath.Join(a.runtimeRoot(), project) }

// target is the project a command is about.
type target struct {
	project units.Project
	dir     string
	client  *control.Client
	running bool // the definitions are those of a supervisor, not of the configuration
	// environment are variables of ours that the configuration is made with, NAME=value.
	environment []string
}

// socket is where the project's supervisor answers.
func (t *target) socket() string { return filepath.Join(t.dir, control.SocketName) }

// target finds the project: the one named with -p as it runs, else that of the
// configuration; of a project that runs, the definitions it runs by.
func (a *app) target() (*target, error) {
	name := a.projectName
	var fromConfig *config.Config
	if name == "" {
		cfg, err := a.readConfig(readFile)
		if err != nil {
			if name = a.runsAnyway(err); name == "" {
				return nil, err
			}
		} else {
			name, fromConfig = cfg.Name, cfg
		}
	}
	t := &target{dir: a.runtimeDir(name)}
	t.client = control.NewClient(t.socket())
	var runs runningProject
	err := readJSON(filepath.Join(t.dir, projectFile), &runs)
	if err == nil {
		t.project, t.running = runs.Project, true
		if fromConfig != nil && !sameFile(fromConfig.File, runs.Project.File) {
			return nil, a.otherConfig(name, runs.Project.File)
		}
		return t, nil
	}
	if fromConfig == nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, &exitError{code: exitNoSystemd, msg: fmt.Sprintf("cannot read project %s: %v", name, err), hint: "run it as the user who started the project"}
		}
		return nil, &exitError{code: exitFailed, msg: fmt.Sprintf("project %s is not running", name), hint: "msup up starts it"}
	}
	t.project = fromConfig.Project
	return t, nil
}

// runsAnyway is the project that is meant although its configuration cannot be read, if it
// runs: that of a configuration with mistakes, and the default project without one.
func (a *app) runsAnyway(err error) string {
	var invalid *config.Error
	name := units.DefaultProject
	switch path, _ := a.findConfig(); {
	case errors.As(err, &invalid):
		var runs runningProject
		if name, err = nameIn(path); err != nil || readJSON(filepath.Join(a.runtimeDir(name), projectFile), &runs) != nil ||
			!sameFile(path, runs.Project.File) {
			return ""
		}
	case a.configPath != "" || !a.runs(name):
		return ""
	}
	return name
}

// otherConfig refuses to take the project of one configuration for that of another.
func (a *app) otherConfig(project, file string) error {
	name := "[msup] project = NAME"
	if path, err := a.findConfig(); err == nil {
		switch foreignFormat(path) {
		case convert.Supervisord:
			name = "[supervisord] identifier = NAME"
		case convert.ProcessCompose:
			name = "name: NAME"
		case convert.Procfile, convert.PM2:
			name = "that of its folder"
		}
	}
	return &exitError{
		code: exitFailed, msg: fmt.Sprintf("project %s runs already, from %s", project, file),
		hint: fmt.Sprintf("give this configuration a name of its own, %s; -p %s means the one that runs", name, project),
	}
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	sa, errA := os.Stat(a)
	sb, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(sa, sb)
}

// nameOnly is the name of the project that [app.target] would find, and the configuration
// it is from, if any. The name is "" when it takes more than a look at that to tell.
func (a *app) nameOnly() (name, file string) {
	if a.projectName != "" {
		return a.projectName, ""
	}
	file, err := a.findConfig()
	if err != nil {
		return "", ""
	}
	if name, err = nameIn(file); err != nil {
		return "", ""
	}
	return name, file
}

func (a *app) runs(project string) bool {
	_, err := os.Stat(filepath.Join(a.runtimeDir(project), projectFile))
	return err == nil
}

// limitWarnings tells, by program and by the subject of a slice, which limits the kernel
// will not hold here.
func limitWarnings(bus bus, project units.Project) map[string][]string {
	host, err := cgroup.Detect()
	if err != nil {
		return nil
	}
	missing := missingControllers(host, filepath.Join(host.Mount, bus.ControlGroup()))
	out := map[string][]string{}
	for _, p := range project.Programs {
		if w := units.Unenforced(p, missing); len(w) > 0 {
			out[p.Name] = w
		}
	}
	for _, s := range units.Slices(project) {
		if w := s.Limits.Unenforced(missing); len(w) > 0 {
			out[subject(project.Name, s)] = w
		}
	}
	return out
}

// controllers are those that limits need.
var controllers = []string{"memory", "cpu", "io", "pids"}

// missingControllers says of each controller that the manager, whose control group is at
// dir, lacks why.
func missingControllers(host cgroup.Host, dir string) map[string]string {
	missing := map[string]string{}
	for _, controller := range controllers {
		why, err := host.MissingIn(dir, controller)
		if err != nil {
			why = err.Error()
		}
		if why != "" {
			missing[controller] = why
		}
	}
	return missing
}

// sharedLines lists what is to be said of programs and slices, one line for those that share it.
func sharedLines(project units.Project, limits map[string][]string) []string {
	var subjects []string
	for _, p := range project.Programs {
		subjects = append(subjects, p.Name)
	}
	for _, s := range units.Slices(project) {
		subjects = append(subjects, subject(project.Name, s))
	}
	var reasons []string
	names := map[string][]string{}
	for _, name := range subjects {
		for _, w := range limits[name] {
			if names[w] == nil {
				reasons = append(reasons, w)
			}
			names[w] = append(names[w], name)
		}
	}
	lines := make([]string, len(reasons))
	for i, w := range reasons {
		lines[i] = listed(names[w]) + ": " + w
	}
	return lines
}

// listed joins names, the first few of many.
func listed(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func refuseUnenforced(project units.Project, limits map[string][]string) error {
	return &exitError{
		code: exitFailed, msg: "strict_limits is set, and not every limit can hold:\n  " + strings.Join(sharedLines(project, limits), "\n  "),
	}
}
