package convert

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// This file tells configurations of supervisord from others.

// supervisordHeader is a header that supervisord has and msup has not.
var supervisordHeader = regexp.MustCompile(`(?m)^[ \t]*\[(supervisord|supervisorctl|unix_http_server|inet_http_server|(rpcinterface|eventlistener|fcgi-program|ctlplugin):[^\]\n]*)\]`)

// programHeader is a header that both have, in supervisord's spelling.
var programHeader = regexp.MustCompile(`(?m)^[ \t]*\[program:[^\]\n]*\]`)

// msupNames are the names that msup looks for: what is supervisord's in such a file is a mistake.
var msupNames = []string{"msup.conf", bothName, "msup.ini"}

// bothName is what files of supervisord's are often called too.
const bothName = "supervisor.conf"

// MeantForSupervisord reports whether a file that is msup's by its name has what only supervisord
// has, and nothing that only msup has.
func MeantForSupervisord(content []byte) bool {
	theirs, ours := programStyle(content)
	return theirs && !ours && !msupHeader.Match(content)
}

// isSupervisord tells a configuration of supervisord by a section that only it has, or, for a
// file that it includes, by what only it has in the section of a program.
func isSupervisord(name string, content []byte) bool {
	if slices.Contains([]string{".yml", ".yaml", ".json", ".toml", ".service"}, filepath.Ext(name)) {
		return false
	}
	if supervisordHeader.Match(content) {
		return true
	}
	theirs, ours := programStyle(content)
	return theirs && !ours && !slices.Contains(msupNames, name)
}

// programStyle reports whether the sections [program:NAME] of a file have what only supervisord
// has, and what only msup has. A plain program has neither: both read it.
func programStyle(content []byte) (theirs, ours bool) {
	if !programHeader.Match(content) {
		return false, false
	}
	for line := range strings.Lines(string(content)) {
		key, value, found := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" || strings.ContainsAny(key[:1], "#;[") || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		supervisords, msups := programKeys[strings.ToLower(key)] != nil || ochinchinaKeys[key] != "", keyOf(programSection, key) != nil
		theirs = theirs || supervisords && !msups || restartWord.MatchString(line) || percentName.MatchString(value)
		ours = ours || msups && !supervisords
	}
	return theirs, ours
}

var (
	// restartWord is a value of autorestart that msup does not take.
	restartWord = regexp.MustCompile(`(?i)^autorestart[ \t]*=[ \t]*(true|false|unexpected)\b`)
	// percentName is a value with a name to be replaced.
	percentName = regexp.MustCompile(`%\((ENV_\w+|here|host_node_name|program_name|group_name|process_num|numprocs)\)`)
)

// supervisordPlace is the path of a file that is supervisord's by its name or folder, as those of
// Debian (/etc/supervisor/conf.d) and Fedora (/etc/supervisord.d) are.
var supervisordPlace = regexp.MustCompile(`(^|/)supervisord[^/]*$|(^|/)supervisord?(\.conf)?(\.d)?/`)

// maybeSupervisord reports whether a file is supervisord's if it is not msup's, which its content
// does not tell.
func maybeSupervisord(name string, content []byte) bool {
	_, ours := programStyle(content)
	return programHeader.Match(content) && !ours && !slices.Contains(msupNames, filepath.Base(name))
}
