package convert

import (
	"path"
	"regexp"
	"strings"
)

// Formats that are known, so that a user hears what to do with them.

// unitHeader is what a unit file of a service has, systemd.service(5).
var unitHeader = regexp.MustCompile(`(?m)^[ \t]*\[(Unit|Service|Install)\][ \t]*\r?$`)

func isUnit(name string, content []byte) bool {
	switch path.Ext(name) {
	case ".service", ".socket", ".timer", ".path", ".mount", ".target", ".slice":
		return true
	}
	found := map[string]bool{}
	for _, m := range unitHeader.FindAllSubmatch(content, -1) {
		found[string(m[1])] = true
	}
	return found["Service"] && (found["Unit"] || found["Install"])
}

// services is the key of docker compose that has the containers.
var services = regexp.MustCompile(`(?m)^services[ \t]*:`)

// image is what a service of docker compose has and no process of process-compose.
var image = regexp.MustCompile(`(?m)^[ \t]+(image|build)[ \t]*:`)

func isCompose(name string, content []byte) bool {
	return isYAML(name) && services.Match(content) &&
		(image.Match(content) || strings.Contains(name, "docker"))
}
