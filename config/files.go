package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The checks of this file ask the machine. They are best effort: what holds now may not
// hold at the start, and then systemd or the supervisor says so.

func (l *loader) checkDirectory(d *draft) {
	s := d.at("directory")
	info, err := l.host.stat(d.Directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.absent(d, s.src, s.diagnostic(fmt.Sprintf("folder %s does not exist", l.showAs(d.Directory, s.value)), "create it, or name another"))
	case err != nil:
		l.report(s.src, s.diagnostic(fmt.Sprintf("cannot look at folder %s: %v", l.showAs(d.Directory, s.value), cause(err)), ""))
	case !info.IsDir():
		l.report(s.src, s.diagnostic(fmt.Sprintf("%s is not a folder", l.showAs(d.Directory, s.value)), ""))
	}
}

func (l *loader) checkUsers(d *draft) {
	for _, u := range []struct {
		key, name string
		known     func(string) bool
	}{{"user", d.User, l.host.knownUser}, {"group", d.Group, l.host.knownGroup}} {
		s, given := d.given[u.key]
		switch {
		case !given || u.name == "":
		case l.host.euid != 0:
			l.report(s.src, s.diagnostic("only root can run a program as another "+u.key, "remove the key, or run msup as root"))
		case !u.known(u.name):
			l.report(s.src, s.diagnostic(fmt.Sprintf("there is no %s %s on this machine", u.key, u.name), ""))
		}
	}
	l.checkOwner(d, "log_owner", d.Log.Owner, "only root can give a file to another user")
}

// checkOwner checks that USER or USER:GROUP of a key exist.
func (l *loader) checkOwner(d *draft, key, owner, onlyRoot string) {
	name, group, _ := strings.Cut(owner, ":")
	switch s := d.at(key); {
	case name == "":
	case l.host.euid != 0:
		l.report(s.src, s.diagnostic(onlyRoot, "remove the key, or run msup as root"))
	case !l.host.knownUser(name):
		l.report(s.src, s.diagnostic(fmt.Sprintf("there is no user %s on this machine", name), ""))
	case group != "" && !l.host.knownGroup(group):
		l.report(s.src, s.diagnostic(fmt.Sprintf("there is no group %s on this machine", group), ""))
	}
}

func (l *loader) checkEnvFiles(d *draft) {
	for i, f := range d.EnvFiles {
		s := d.envFiles[i]
		info, err := l.host.stat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if !f.Optional {
				l.report(s.src, s.diagnostic(fmt.Sprintf("%s does not exist", l.showAs(f.Path, strings.TrimPrefix(s.value, "-"))), "write -"+s.value+" if it may be missing"))
			}
			continue
		case err == nil && info.IsDir():
			l.report(s.src, s.diagnostic(l.showAs(f.Path, strings.TrimPrefix(s.value, "-"))+" is a folder", ""))
			continue
		case err == nil:
			err = l.host.mayAccess(f.Path, unix.R_OK)
		}
		if err != nil {
			l.report(s.src, s.diagnostic(fmt.Sprintf("cannot read %s: %v", l.showAs(f.Path, strings.TrimPrefix(s.value, "-")), cause(err)), ""))
		}
	}
}

// checkOutput checks that the supervisor will be able to write a program's file.
func (l *loader) checkOutput(d *draft, key, path string) {
	if path == "" || path == devNull {
		return
	}
	if msg, hint := l.cannotWrite(path); msg != "" {
		l.reportFor(d, d.at(key), msg, hint)
	}
}

// checkLogfile is checkOutput for the transition log.
func (l *loader) checkLogfile(main *source, given []setting) {
	if !l.check || l.cfg.Logfile == "" {
		return
	}
	msg, hint := l.cannotWrite(l.cfg.Logfile)
	if msg == "" {
		return
	}
	for _, s := range given {
		if s.key.Name == "logfile" {
			l.report(s.src, s.diagnostic(msg, hint))
			return
		}
	}
	l.report(main, Diagnostic{Section: projectSection, Key: "logfile", Message: msg, Hint: "set logfile in [msup] to another path or to none"})
}

// cannotWrite says why the file at path cannot be appended to, or created together with
// its folder; "" if it can.
func (l *loader) cannotWrite(path string) (message, hint string) {
	info, err := l.host.stat(path)
	switch {
	case err == nil && info.IsDir():
		return l.show(path) + " is a folder", "add the name of a file"
	case err == nil && !info.Mode().IsRegular():
		return l.show(path) + " is not a regular file", "write journal, or the name of a file"
	case err == nil:
		if err := l.host.mayAccess(path, unix.W_OK); err != nil {
			return fmt.Sprintf("cannot write %s: %v", l.show(path), err), ""
		}
		return "", ""
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
		return fmt.Sprintf("cannot look at %s: %v", l.show(path), cause(err)), ""
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := l.host.stat(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			if dir != "/" {
				continue
			}
		}
		if err == nil && !info.IsDir() {
			return fmt.Sprintf("cannot create %s: %s is not a folder", l.show(path), l.show(dir)), ""
		}
		if err == nil {
			err = l.host.mayAccess(dir, unix.W_OK|unix.X_OK)
		}
		if err != nil {
			return fmt.Sprintf("cannot create %s in %s: %v", filepath.Base(path), l.show(dir), cause(err)), ""
		}
		return "", ""
	}
}
