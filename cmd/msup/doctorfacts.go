package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msup/config"
	"msup/control"
	"msup/dbus"
	"msup/doctor"
	"msup/units"

	"golang.org/x/sys/unix"
)

// probe gathers the facts that msup doctor judges.
type probe struct {
	*app
	cfg      *doctor.Config
	warnings []config.Diagnostic
	target   *target // nil = no project is known
}

// configuration reads the configuration as msup up does. Of one with mistakes, or without
// one, what runs is looked at. An error that is no [config.Error] ends everything.
func (p *probe) configuration() error {
	if p.projectName == "" {
		cfg, err := p.loadConfig()
		if err == nil {
			p.warnings = cfg.Warnings
			p.use(cfg.Project, cfg.Files, false)
			return nil
		}
		if _, ok := errors.AsType[*config.Error](err); !ok {
			return err
		}
		if name, _ := p.nameOnly(); name != "" {
			named := *p.app
			named.projectName = name
			if t, targetErr := named.target(); targetErr == nil {
				p.use(t.project, nil, true)
			}
		}
		return err
	}
	t, err := p.app.target()
	if err != nil {
		return err
	}
	p.use(t.project, []string{t.project.File}, false)
	return nil
}

func (p *probe) use(project units.Project, files []string, broken bool) {
	p.cfg = &doctor.Config{Project: project, Broken: broken}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(p.cfg.Modified) {
			p.cfg.Modified = info.ModTime()
		}
	}
	dir := p.runtimeDir(project.Name)
	p.target = &target{project: project, dir: dir, client: control.NewClient(filepath.Join(dir, control.SocketName))}
}

// probeTime bounds the questions to systemd.
const probeTime = 20 * time.Second

func (p *probe) facts(ctx context.Context) doctor.Facts {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	f := doctor.Facts{Now: time.Now(), User: p.user, Root: os.Geteuid() == 0, Config: p.cfg, Linger: p.linger()}
	bus, err := p.dial(ctx)
	if err != nil {
		f.Systemd.Err, f.Systemd.Hint = err, dbus.Hint(err)
	} else {
		defer bus.Close()
		f.Systemd.Version, f.Systemd.Socket = bus.Version(), bus.Socket()
		f.Systemd.State, _ = bus.SystemState(ctx) // "" says that it is not known
	}
	f.Cgroup = cgroupFacts(bus)
	f.Journal = journalFacts()
	f.Runtime = p.runtimeFacts()
	f.Folders = p.folderFacts()
	f.Clock.Synchronised = synchronised()
	var own unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &own) == nil {
		f.Files = doctor.FileLimits{Limit: &own.Max, Own: true}
	}
	if p.target != nil {
		p.projectFacts(ctx, bus, &f)
	}
	return f
}

// linger tells whether the user manager stays, as loginctl does (loginctl(1), enable-linger).
func (p *probe) linger() *doctor.Linger {
	if !p.user || os.Getuid() == 0 {
		return nil
	}
	me, err := user.Current()
	if err != nil {
		return nil
	}
	_, err = os.Stat(filepath.Join("/var/lib/systemd/linger", me.Username))
	return &doctor.Linger{On: err == nil, Name: me.Username}
}

func (p *probe) runtimeFacts() doctor.RuntimeDir {
	root := p.runtimeRoot()
	r := doctor.RuntimeDir{Path: root}
	if p.target != nil {
		r.Path = p.target.dir
	}
	// The nearest folder that is there must let us make the others.
	for dir := r.Path; ; dir = filepath.Dir(dir) {
		err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
		if errors.Is(err, unix.ENOENT) && dir != "/" && (!p.user || dir != filepath.Dir(root)) {
			continue
		}
		if err != nil {
			r.Err = fmt.Errorf("%s cannot be used: %s: %w", r.Path, dir, err)
		}
		return r
	}
}

// folderFacts looks at the folders that logs go to.
func (p *probe) folderFacts() []doctor.Folder {
	if p.cfg == nil {
		return nil
	}
	var out []doctor.Folder
	add := func(file, who string, minFree uint64) {
		if !isFile(file) {
			return
		}
		dir := filepath.Dir(file)
		i := slices.IndexFunc(out, func(d doctor.Folder) bool { return d.Path == dir })
		if i < 0 {
			i = len(out)
			out = append(out, folder(dir))
		}
		out[i].MinFree = max(out[i].MinFree, minFree)
		if !slices.Contains(out[i].Users, who) {
			out[i].Users = append(out[i].Users, who)
		}
		if minFree > 0 && !slices.Contains(out[i].Keepers, who) {
			out[i].Keepers = append(out[i].Keepers, who)
		}
	}
	add(p.cfg.Project.Logfile, "transition log", 0)
	for _, prog := range p.cfg.Project.Programs {
		add(prog.Stdout, prog.Name, prog.Log.MinFree)
		add(prog.Stderr, prog.Name, prog.Log.MinFree)
	}
	return out
}

func folder(dir string) doctor.Folder {
	d := doctor.Folder{Path: dir}
	for there := dir; ; there = filepath.Dir(there) {
		err := unix.Faccessat(unix.AT_FDCWD, there, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
		if errors.Is(err, unix.ENOENT) && there != "/" {
			d.Missing = true
			continue
		}
		var s unix.Statfs_t
		switch {
		case err != nil:
			d.Err = err
		case unix.Statfs(there, &s) == nil:
			free := s.Bavail * uint64(s.Bsize)
			if os.Geteuid() == 0 {
				free = s.Bfree * uint64(s.Bsize) // with what is kept for root
			}
			d.Free = &free
		}
		return d
	}
}

// synchronised asks the kernel (adjtimex(2)).
func synchronised() *bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return nil
	}
	return new(state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0)
}

// projectFacts looks at the project in systemd, if bus is there, and at its supervisor.
func (p *probe) projectFacts(ctx context.Context, bus bus, f *doctor.Facts) {
	rep, err := askStatus(ctx, p.target.client)
	if errors.Is(err, control.ErrDenied) {
		f.Runtime.Socket = err
	}
	if bus == nil {
		return
	}
	unit := units.SupervisorUnit(p.target.project.Name)
	facts, readErr := bus.Read(ctx, unit)
	if readErr != nil {
		return
	}
	if facts.LoadState != "not-found" && (facts.ActiveState != "inactive" || err == nil) {
		f.Running = p.supervisorFacts(ctx, bus, facts, f)
		f.Running.Answers = err == nil
		f.Running.Version = rep.Supervisor.Version
		if f.Running.Answers {
			if plan, err := p.target.client.Plan(ctx); err == nil {
				f.Running.Differs = new(!plan.Empty())
			}
		}
		for _, prog := range rep.Programs {
			if prog.Changed {
				f.Running.Changed = append(f.Running.Changed, prog.Name)
			}
			if prog.Removed {
				f.Running.Removed = append(f.Running.Removed, prog.Name)
			}
		}
	}
	f.Names = p.nameFacts(ctx, bus, f.Running != nil)
	if f.Running == nil && f.Names != nil && len(f.Names.Loaded) == 0 {
		f.Taken = taken(p.target.project)
	}
}

func (p *probe) supervisorFacts(ctx context.Context, bus bus, facts units.Facts, f *doctor.Facts) *doctor.Supervisor {
	s := &doctor.Supervisor{
		Unit: facts.Unit, Active: facts.ActiveState == "active", Mine: buildVersion(), Started: facts.ActiveEnter,
	}
	props, err := bus.Properties(ctx, facts.Unit, "NRestarts", "WatchdogUSec", "FileDescriptorStoreMax", "LimitNOFILE")
	if err == nil {
		s.Restarts, _ = props["NRestarts"].(uint32)
		if usec, ok := props["WatchdogUSec"].(uint64); ok && usec != units.Infinity {
			s.Watchdog = time.Duration(usec) * time.Microsecond
		}
		if n, ok := props["FileDescriptorStoreMax"].(uint32); ok {
			f.Files.Store = new(uint64(n))
		}
		if n, ok := props["LimitNOFILE"].(uint64); ok {
			f.Files.Limit, f.Files.Own = &n, false
		}
	}
	if info, err := os.Stat(fmt.Sprintf("/proc/%d/exe", facts.MainPID)); err == nil {
		if own, err := os.Stat("/proc/self/exe"); err == nil {
			s.Replaced = new(!os.SameFile(info, own))
		}
	}
	return s
}

// nameFacts looks at the units that have names of the project.
func (p *probe) nameFacts(ctx context.Context, bus bus, supervised bool) *doctor.Names {
	list, err := bus.List(ctx, "msup-*.service", "msup-*.scope")
	if err != nil {
		return nil
	}
	project, n := p.target.project, &doctor.Names{}
	var runs runningProject
	_ = readJSON(filepath.Join(p.target.dir, projectFile), &runs) // what is kept on although it was removed
	for _, u := range list {
		foreign := units.Foreign(u, project.Name)
		is := func(prog units.Program) bool { return prog.Unit == u.Unit }
		configured := slices.ContainsFunc(project.Programs, is)
		switch {
		case foreign != "" && configured:
			n.Foreign = append(n.Foreign, foreign)
		case foreign != "", u.ActiveState == "inactive", supervised && units.IsProbeUnit(u.Unit):
		case !configured && (!supervised || !slices.ContainsFunc(runs.Project.Programs, is)):
			n.Leftover = append(n.Leftover, u.Unit)
		case configured && !supervised:
			n.Loaded = append(n.Loaded, u.Unit)
		}
	}
	for _, s := range units.Slices(project) {
		if u, err := bus.Read(ctx, s.Unit); err == nil && s.Foreign(u) != "" {
			n.Foreign = append(n.Foreign, s.Foreign(u))
		}
	}
	if err := p.refuseSharedSlices(ctx, bus, project); err != nil && !supervised {
		n.Foreign = append(n.Foreign, strings.ReplaceAll(err.Error(), "\n ", ""))
	}
	return n
}

// taken are the addresses of programs that somebody else listens on.
func taken(project units.Project) (list []doctor.Taken) {
	for _, p := range project.Programs {
		for _, a := range p.Listen.Addresses {
			if who := holder(a); who != "" {
				list = append(list, doctor.Taken{Program: p.Name, Address: a.String(), By: who})
			}
		}
	}
	return list
}
