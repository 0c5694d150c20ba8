package convert

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Format names a format of configurations.
type Format string

// The formats.
const (
	Unknown     Format = ""
	Supervisord Format = "supervisord"
	SystemdUnit Format = "systemd"
	Compose     Format = "docker-compose"
)

// format is what msup does with files of a format.
type format struct {
	Format
	title   string // in messages
	several bool   // a configuration may be made of several files that the user names
	// detect tells by the base name of a file and its content whether it is of the format.
	detect func(name string, content []byte) bool
	// convert fills in the document and the report. It reports what is wrong by [input.fail].
	convert func(in *input)
	// instead says what to do with a format that is not converted.
	instead string
}

// formats are all formats, in the order in which they are asked whether a file is of them.
func formats() []format {
	return []format{
		{Format: Supervisord, title: "a configuration of supervisord", detect: isSupervisord, convert: convertSupervisord},
		{Format: PM2, title: "a configuration of pm2", detect: isPM2, convert: convertPM2},
		{Format: ProcessCompose, title: "a configuration of process-compose", several: true, detect: isProcessCompose, convert: convertProcessCompose},
		{Format: Procfile, title: "a Procfile", detect: isProcfile, convert: convertProcfile},
		{
			Format: SystemdUnit, title: "this is a unit file of systemd's", detect: isUnit,
			instead: "systemd runs it itself: systemctl enable --now UNIT; to have it with msup write [program NAME] with command = what ExecStart= has, and its other settings as systemd.NAME = value",
		},
		{
			Format: Compose, title: "this is a file of docker compose, which runs containers", detect: isCompose,
			instead: "msup runs programs, not images: docker compose up runs it; one service can be a program with command = docker run --rm --name NAME IMAGE",
		},
	}
}

func lookupFormat(f Format) *format {
	for _, t := range formats() {
		if t.Format == f {
			return &t
		}
	}
	return nil
}

// Formats returns the formats that can be converted.
func Formats() []Format {
	var list []Format
	for _, f := range formats() {
		if f.instead == "" {
			list = append(list, f.Format)
		}
	}
	return list
}

// known lists the formats that can be converted, for messages.
func known() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// msupHeader is a header that only msup has.
var msupHeader = regexp.MustCompile(`(?m)^[ \t]*\[(msup|defaults|(program|group)[ \t]+[^\]\n]+)\]|^(program|group)[ \t]+[A-Za-z0-9_.-]+[ \t]*\r?$`)

// isYAML tells by the name of a file whether it is YAML or JSON.
func isYAML(name string) bool {
	return slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(name))
}

// Foreign reports whether a file is none of msup's by its name, and has no section of msup's either.
func Foreign(name string, content []byte) bool {
	base := path.Base(name)
	return (isYAML(base) || pm2Script.MatchString(base) || procName.MatchString(base)) && !msupHeader.Match(content)
}

// Detect tells the format of a file by its path and content. [Unknown] is one that is none of
// the others, which may be msup's own.
func Detect(name string, content []byte) Format {
	base := path.Base(name)
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // byte order mark
	if msupHeader.Match(content) && !isYAML(base) {
		return Unknown
	}
	for _, f := range formats() {
		if f.detect(base, content) {
			return f.Format
		}
	}
	if supervisordPlace.MatchString(name) && maybeSupervisord(name, content) {
		return Supervisord
	}
	return Unknown
}

// detectToImport is [Detect] for who wants another format than msup's: what both take is
// supervisord's, and so is a supervisor.conf, which is a name of both.
func detectToImport(name string, content []byte) Format {
	f, base := Detect(name, content), path.Base(name)
	_, ours := programStyle(content)
	if f == Unknown && programHeader.Match(content) && !msupHeader.Match(content) && !ours && (base == bothName || !slices.Contains(msupNames, base)) {
		return Supervisord
	}
	return f
}
