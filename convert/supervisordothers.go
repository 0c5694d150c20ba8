package convert

import (
	"regexp"
	"strings"
)

// This file has the sections that msup has no use for.

// fate is what becomes of a key that has no equivalent.
type fate struct {
	verdict      Verdict
	why, instead string
}

// otherSections are sections that msup has no use for, by the word before the colon.
var otherSections = map[string]fate{
	"unix_http_server": {Dropped, "the commands of msup find the supervisor by themselves, and only its own user and root may", "msup ctl has the verbs of supervisorctl"},
	"inet_http_server": {Dropped, "msup listens on no port, and has no web page", "msup status, msup status --json; over ssh from elsewhere"},
	"supervisorctl":    {Dropped, "the commands of msup find the supervisor by themselves", "msup ctl has the verbs of supervisorctl"},
	"rpcinterface":     {Dropped, "msup has no XML-RPC", "msup status --json and the other commands"},
	"ctlplugin":        {Dropped, "msup has no plugins", ""},
	"fcgi-program":     {Dropped, "msup passes no listening socket as standard input, so it is not run", "let the program listen by itself, as php-fpm and spawn-fcgi -n do; listen, for one that takes LISTEN_FDS of systemd's"},
	"program-default":  {Dropped, "only ochinchina/supervisord knows it", "[defaults] of msup"},
}

// servedAnyway are keys of those sections whose purpose is served without them, if the value is as
// it says.
var servedAnyway = map[string]struct {
	value *regexp.Regexp
	fate
}{
	"unix_http_server file":                        {anything, fate{Changed, "the commands of msup find the supervisor by themselves", ""}},
	"unix_http_server chmod":                       {regexp.MustCompile(`^0?[67]00$`), fate{Kept, "only the supervisor's own user and root may use the commands of msup", ""}},
	"supervisorctl serverurl":                      {anything, fate{Changed, "the commands of msup find the supervisor by themselves; msup ctl has the verbs of supervisorctl", ""}},
	"rpcinterface supervisor.rpcinterface_factory": {regexp.MustCompile(`^supervisor\.rpcinterface:make_main_rpcinterface$`), fate{Changed, "msup ctl and the other commands need no XML-RPC", ""}},
}

var anything = regexp.MustCompile("")

// others notes the keys of all other sections, of which msup has none.
func (c *supervisord) others() {
	for _, s := range c.file.sections {
		kind, _, _ := strings.Cut(s.name, ":")
		switch kind {
		case "program", "group", "supervisord", "include":
			continue
		}
		f, ok := otherSections[kind]
		switch {
		case kind == "eventlistener":
			f = c.listener(s)
		case !ok:
			f = fate{Dropped, "supervisord itself ignores the section", ""}
		}
		if len(s.keys) == 0 {
			c.report.add(Entry{File: s.place.File, Line: s.place.Line, Section: s.name, Verdict: f.verdict, Why: f.why, Instead: f.instead})
		}
		for _, k := range s.keys {
			f := f
			if served, ok := servedAnyway[kind+" "+k.name]; ok && served.value.MatchString(k.value) {
				f = served.fate
			}
			c.note(k, f.verdict, nil, f.why, f.instead)
		}
	}
	for _, k := range c.file.defaults.keys {
		if c.entries[k] == nil {
			c.note(k, Dropped, nil, "no program takes it", "")
		}
	}
}
