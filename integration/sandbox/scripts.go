//go:build linux

package sandbox

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Files in the state folder that the command leaves.
const (
	startedName = "started"
	exitName    = "exit" // see units
	stdoutName  = "stdout"
	stderrName  = "stderr"
)

//go:embed keeper.sh
var keeperScript string

//go:embed guest.sh
var guestScript string

// writeScripts puts all that runs into the state folder: the keeper, the first program inside, the units and the command.
func (m *machine) writeScripts(command, env []string) error {
	o := m.options
	program, command := visibleProgram(command)
	var id [16]byte
	rand.Read(id[:])
	variables := map[string]string{
		"kind":       string(o.Kind),
		"state":      m.state,
		"lower":      "/",
		"share":      o.Share,
		"program":    program,
		"console":    m.console.slave.Name(),
		"terminal":   m.terminal.slavePath(),
		"machine_id": hex.EncodeToString(id[:]),
	}
	if o.Root != "" {
		variables["lower"] = o.Root
	}
	var init strings.Builder
	init.WriteString("#!/bin/sh\n")
	for name, value := range variables {
		fmt.Fprintf(&init, "%s=%s\n", name, quote(value))
	}
	init.WriteString(guestScript)

	if err := os.Mkdir(filepath.Join(m.state, "units"), 0o755); err != nil {
		return err
	}
	files := map[string]string{
		"keeper":  keeperScript,
		"init":    init.String(),
		"command": commandScript(o, command, env, len(m.outputs)),
	}
	for name, text := range units(o) {
		files["units/"+name] = text
	}
	for name, text := range files {
		mode := os.FileMode(0o644)
		if name == "init" {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(m.state, name), []byte(text), mode); err != nil {
			return err
		}
	}
	return nil
}

// visibleProgram finds the program of the command on the host, and returns it when the sandbox has to make it visible, because the
// sandbox hides its folder or has another root.
func visibleProgram(command []string) (string, []string) {
	path, err := exec.LookPath(command[0])
	if err != nil || !strings.Contains(command[0], "/") {
		return "", command // a name: its meaning is the sandbox's
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", command
	}
	return path, append([]string{path}, command[1:]...)
}

// commandScript is what sandbox-command.service runs.
func commandScript(o Options, command, env []string, outputs int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "#!/bin/sh\n: >/run/sandbox/%s\n", startedName)
	if o.Terminal != nil {
		rows, columns := size(o.Terminal)
		fmt.Fprintf(&s, "stty rows %d cols %d\n", rows, columns)
	} else {
		folder := "/run/sandbox"
		if o.Kind == UML {
			folder = "/run" // pipes of the kernel inside, which sandbox-output@.service empties
		}
		fmt.Fprintf(&s, "exec >%s/%s 2>", folder, stdoutName)
		if outputs == 1 {
			s.WriteString("&1\n")
		} else {
			fmt.Fprintf(&s, "%s/%s\n", folder, stderrName)
		}
	}
	if folder, err := os.Getwd(); err == nil {
		fmt.Fprintf(&s, "cd %s 2>/dev/null || cd /\n", quote(folder))
	}
	// What systemd adds for services (INVOCATION_ID, JOURNAL_STREAM …) would make the command think that it is one.
	s.WriteString("exec env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/sh LANG=C.UTF-8")
	s.WriteString(" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	if o.Terminal != nil {
		fmt.Fprintf(&s, " %s", quote("TERM="+os.Getenv("TERM")))
	}
	for _, word := range env {
		fmt.Fprintf(&s, " %s", quote(word))
	}
	for _, word := range command {
		fmt.Fprintf(&s, " %s", quote(word))
	}
	s.WriteString("\n")
	return s.String()
}

// quote makes one word of a shell command of s.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
