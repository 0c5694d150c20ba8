package doctor

import (
	"msup/units"
)

func lingering(l *list, f Facts) {
	switch {
	case f.Linger == nil:
	case f.Linger.On:
		l.add(OK, "lingering", "", "the user manager runs without a login")
	default:
		l.add(Warning, "lingering", "sudo loginctl enable-linger "+f.Linger.Name, "the programs end with the last login of %s", f.Linger.Name)
	}
}

func theJournal(l *list, f Facts) {
	j := f.Journal
	if j.Absent {
		l.add(Info, "journal", "", "journald does not run here")
		return
	}
	if j.Err != nil {
		l.add(Warning, "journal", "", "how journald is configured could not be read: %v", j.Err)
	}
	if j.Storage == "none" {
		l.add(Warning, "journal", "Storage=auto in journald.conf", "journald keeps nothing (Storage=none): output is in files only")
	} else if j.Persistent != nil && *j.Persistent {
		l.add(OK, "journal", "", "kept over a reboot, in /var/log/journal")
	} else if j.Persistent != nil {
		l.add(Info, "journal", "mkdir /var/log/journal && journalctl --flush", "kept until the next reboot only, in /run/log/journal")
	} else {
		l.add(Info, "journal", "", "whether it is kept over a reboot could not be found out")
	}
	if j.Readable != nil && !*j.Readable && j.Storage != "none" {
		l.add(Warning, "journal", "sudo usermod -aG systemd-journal $USER, and log in again", "this user cannot read it: msup logs shows nothing of programs without a file")
	}
	if j.Err != nil {
		return
	}
	var names []string
	for _, p := range f.project().Programs {
		if p.Stdout == "" || p.Stderr == "" {
			names = append(names, p.Name)
		}
	}
	switch {
	case j.Interval == "0" || j.Burst == "0":
		l.add(OK, "journal", "", "journald limits nobody's lines; journal_rate does")
	case f.User && len(names) > 0:
		l.add(Info, some(names), "give stdout and stderr files, of which every byte is kept",
			"journal_rate has no effect on what goes to the journal directly under a user manager: journald takes %s lines in %s of each unit", j.Burst, j.Interval)
	default:
		l.add(OK, "journal", "", "journald takes %s lines in %s of a unit; for msup's units journal_rate goes instead", j.Burst, j.Interval)
	}
}

func permissions(l *list, f Facts) {
	r := f.Runtime
	switch {
	case r.Err != nil && f.Systemd.Err != nil:
		l.add(Info, "runtime directory", "", "%v", r.Err)
	case r.Err != nil:
		l.add(Problem, "runtime directory", "use sudo for the system manager; for a user, log in so that $XDG_RUNTIME_DIR is there", "%v", r.Err)
	case r.Path != "":
		l.add(OK, "runtime directory", "", "%s can be used", r.Path)
	}
	if r.Socket != nil {
		l.add(Problem, "socket", "run it as the user who started the project", "the supervisor's socket cannot be used: %v", r.Socket)
	}
}

func folders(l *list, f Facts) {
	for _, d := range f.Folders {
		switch {
		case d.Err != nil:
			l.add(Problem, some(d.Users), "make the folder, or give it to the user msup runs as", "logs cannot be written to %s: %v", d.Path, d.Err)
		case d.Free == nil:
			l.add(Warning, some(d.Users), "", "how much is free in %s could not be found out", d.Path)
		case *d.Free < d.MinFree:
			l.add(Problem, some(d.Keepers), "make room, or lower log_min_free", "%s has %s free, which is less than log_min_free = %s: log files do not grow", d.Path, units.Bytes(*d.Free), units.Limit(d.MinFree))
		case *d.Free == 0:
			l.add(Problem, some(d.Users), "make room", "%s is full: logs cannot be written", d.Path)
		case d.Missing:
			l.add(OK, "logs", "", "%s is created when it is needed; %s free", d.Path, units.Bytes(*d.Free))
		default:
			l.add(OK, "logs", "", "%s can be written, %s free", d.Path, units.Bytes(*d.Free))
		}
	}
}

const (
	filesEach  = 6   // descriptors that the supervisor has of a stream at most: FIFOs, file, stage
	filesAside = 64  // others of it
	storedEach = 100 // descriptors that wait in one that systemd keeps
)

// streams counts the outputs that go to files.
func streams(p units.Project) uint64 {
	n := uint64(0)
	for _, prog := range p.Programs {
		if prog.Stdout != "" {
			n++
		}
		if prog.Stderr != "" && prog.Stderr != prog.Stdout {
			n++
		}
	}
	return n
}

func openFiles(l *list, f Facts) {
	n := streams(f.project())
	need := n*filesEach + filesAside
	switch limit := f.Files.Limit; {
	case limit == nil:
		l.add(Warning, "open files", "", "how many the supervisor may have could not be found out")
	case *limit < need && f.Files.Own:
		l.add(Warning, "open files", "raise DefaultLimitNOFILE= in system.conf, or user.conf", "this process may have %d, and the supervisor will need up to %d", *limit, need)
	case *limit < need:
		l.add(Problem, "open files", "raise LimitNOFILE= of the supervisor's unit", "the supervisor may have %d and needs up to %d for what programs write", *limit, need)
	default:
		l.add(OK, "open files", "", "%d allowed, up to %d needed", *limit, need)
	}
	if store := f.Files.Store; store != nil && n > 0 && *store < n/storedEach+1 {
		l.add(Problem, "open files", "FileDescriptorStoreMax=64 in the supervisor's unit",
			"systemd keeps %d descriptors for the supervisor (FileDescriptorStoreMax=): programs die of a broken pipe when it is killed", *store)
	}
	if f.User && !f.Root && f.Files.Limit != nil {
		var names []string
		for _, p := range f.project().Programs {
			if nf := p.Limits.NoFile; nf != nil && *nf > *f.Files.Limit {
				names = append(names, p.Name)
			}
		}
		if len(names) > 0 {
			l.add(Warning, some(names), "raise it in limits.conf or user@.service", "nofile is more than a user may have here (%d): systemd sets what it can, without a word", *f.Files.Limit)
		}
	}
}

func clock(l *list, f Facts) {
	if s := f.Clock.Synchronised; s != nil && !*s {
		l.add(Info, "clock", "timedatectl set-ntp true", "the clock is not synchronised: times in logs of several machines do not compare")
	}
	if c := f.Config; c != nil && c.Modified.After(f.Now.Add(clockSlack)) {
		l.add(Warning, "clock", "set the clock, or touch the configuration", "the configuration was changed in the future, at %s: the clock was wrong then or is now", c.Modified.Format(timeLayout))
	}
}
