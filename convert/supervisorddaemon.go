package convert

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"msup/config"
)

// This file has [supervisord].

// daemonKeys are the keys of [supervisord] that become no key of msup's, and their fate by value.
var daemonKeys = map[string]func(c *supervisord, value string) fate{
	"logfile_maxbytes": (*supervisord).logRotation,
	"logfile_backups":  (*supervisord).logRotation,
	"loglevel": func(_ *supervisord, value string) fate {
		if slices.Contains([]string{"critical", "crit", "error", "erro", "warn", "info"}, strings.ToLower(value)) {
			return fate{Changed, "the log has each change of state, and nothing else", ""}
		}
		return fate{Dropped, "the log has each change of state, and nothing else", "journalctl -u msup.service has what the supervisor says"}
	},
	"minprocs": func(_ *supervisord, value string) fate {
		if n, err := pythonInt(value); err == nil && n <= 1024 {
			return fate{Kept, "systemd's limit is not lower", ""}
		}
		return fate{Dropped, "what a user may run is up to systemd", "tasks_limit, or systemd.LimitNPROC"}
	},
	"pidfile":     isChanged("systemd knows the supervisor, and no file is written: systemctl show -P MainPID msup.service"),
	"nodaemon":    isChanged("msup up stays in the foreground and msup up -d does not; the supervisor is a service in both cases"),
	"childlogdir": isChanged("there are no AUTO log files: the journal has that output"),
	"nocleanup":   isChanged("there are no AUTO log files: the journal has that output"),
	"silent":      unlessOff(fate{Dropped, "msup up shows the output of the programs", "msup up -d returns when all are up"}),
	"strip_ansi":  unlessOff(fate{Dropped, "output is written as it is", "sed, less -R"}),
}

func isChanged(why string) func(*supervisord, string) fate {
	return func(*supervisord, string) fate { return fate{Changed, why, ""} }
}

// unlessOff is the fate of a key that is not false.
func unlessOff(f fate) func(*supervisord, string) fate {
	return func(_ *supervisord, value string) fate {
		if on, err := pythonBool(value); err == nil && !on {
			return fate{verdict: Kept}
		}
		return f
	}
}

// logRotation is the fate of what is about supervisord's own log, where there is one.
func (c *supervisord) logRotation(string) fate {
	s := c.file.byName["supervisord"]
	if k := c.keyOf(s, "logfile"); k != nil && noDaemonLog(k.value) {
		return fate{Kept, "there is no such file", ""}
	}
	if k := c.keyOf(s, "logfile_maxbytes"); k != nil {
		if size, err := byteSize(k.value); err == nil && size == 0 {
			return fate{Kept, "it is not rotated by msup either", ""}
		}
	}
	return fate{Dropped, "the log of changes of state is one line for each and is not rotated by msup", "logrotate, and systemctl kill -s USR2 on the supervisor"}
}

// noDaemonLog reports whether supervisord's own log is no file.
func noDaemonLog(value string) bool {
	return slices.Contains([]string{"none", "off", "/dev/null", "syslog"}, strings.ToLower(value)) || containerOutput.MatchString(value)
}

// daemonSettings are those that are something of msup's.
var daemonSettings = []string{"environment", "logfile", "identifier", "user", "directory", "umask", "minfds"}

// daemon converts [supervisord].
func (c *supervisord) daemon() {
	s := c.file.byName["supervisord"]
	defaults := c.document.find(defaultsSection, "")
	if c.Out != path.Dir(c.paths[0]) {
		// Programs run in the folder of the file, wherever the new one stands.
		_ = defaults.set(Place{}, "directory", path.Dir(c.paths[0]))
	}
	if k := c.keyOf(s, "environment"); s != nil && k != nil {
		c.sharedEnvironment(k, defaults)
	}
	var own []string
	for _, v := range []pair{{"SUPERVISOR_ENABLED", "1"}, {"SUPERVISOR_PROCESS_NAME", "{{program}}"}, {"SUPERVISOR_GROUP_NAME", "{{program}}"}} {
		if !slices.ContainsFunc(c.shared, func(e pair) bool { return e.name == v.name }) {
			own = append(own, v.name+"="+v.value)
		}
	}
	if own != nil {
		_ = defaults.set(Place{}, "environment", strings.Join(own, " "))
	}
	if s == nil {
		return
	}
	for _, k := range c.keysOf(s) {
		if s.key(k.name) == k || slices.Contains(daemonSettings, k.name) {
			c.daemonKey(defaults, k)
		}
	}
}

func (c *supervisord) daemonKey(defaults *Section, k *iniKey) {
	msup := c.document.find(projectSection, "")
	if f, ok := daemonKeys[k.name]; ok {
		become := f(c, k.value)
		c.note(k, become.verdict, nil, become.why, become.instead)
		return
	}
	if !slices.Contains(daemonSettings, k.name) {
		c.unknownDaemonKey(k)
		return
	}
	if k.name == "environment" {
		return // see sharedEnvironment
	}
	value, ok := c.now(k, c.global)
	if !ok {
		return
	}
	switch k.name {
	case "logfile":
		switch {
		case noDaemonLog(value):
			c.changed(msup, k, "logfile", "none", "the journal has each change of state: journalctl -u msup.service")
		case strings.HasSuffix(value, "/"), slices.Contains([]string{".", "..", ""}, value):
			c.wrong(k, fmt.Errorf("%s is a folder", quote(value)))
		default:
			if text, ok := c.expand(k, c.global); ok {
				c.logfile = template(c.logPath(text))
			}
			c.changed(msup, k, "logfile", c.logPath(value), "it has one line for each change of state, in msup's words")
		}
	case "identifier":
		if name := project(value); name != "" {
			c.changed(msup, k, "project", name, "it is the name of the project, and part of the names of its units")
		} else {
			c.note(k, Kept, nil, "", "")
		}
	case "user":
		if value == "" {
			c.wrong(k, errors.New("there is no user in it"))
			return
		}
		if value == "root" || value == "0" {
			c.note(k, Kept, nil, "msup that root runs runs programs as root", "")
			return
		}
		c.changed(defaults, k, "user", value, "the programs run as that user, the supervisor as who runs msup; "+ownHome(value))
	case "directory":
		if value = c.home(value); !path.IsAbs(value) {
			value = path.Join(path.Dir(c.paths[0]), value)
		}
		c.kept(defaults, k, "directory", literal(c.path(value)))
	case "umask":
		c.umask(defaults, k, c.global)
	case "minfds":
		n, err := pythonInt(value)
		switch {
		case err != nil:
			c.wrong(k, err)
		case n > 1024:
			c.changed(defaults, k, "nofile", strconv.Itoa(n), "it is the limit of each program, soft and hard")
		default:
			c.note(k, Kept, nil, "systemd's limit is not lower", "")
		}
	}
}

// unknownDaemonKey is one that supervisord never looks at, so that its value may be anything.
func (c *supervisord) unknownDaemonKey(k *iniKey) {
	names := slices.AppendSeq(slices.Clone(daemonSettings), maps.Keys(daemonKeys))
	slices.Sort(names)
	instead := ""
	if programKeys[k.name] != nil {
		instead = "it belongs in [program:NAME]"
	} else if near := config.Suggest(k.name, names); near != "" {
		instead = "did you mean " + near + "?"
	}
	c.note(k, Dropped, nil, "supervisord itself does not know the key and ignores it", instead)
}
