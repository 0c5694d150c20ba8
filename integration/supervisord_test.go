//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The side of the real supervisord.

// startSupervisord starts it in the foreground, with its standard output in a file.
func startSupervisord(s *side, config string) (*exec.Cmd, error) {
	cmd := s.command("supervisord", "-n", "-c", s.file(config))
	out, err := os.Create(filepath.Join(s.dir, config, "own-output"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, cmd.Start()
}

// supervisorctls is supervisorctl's own main function for each line: a Python that starts for each takes its time.
const supervisorctls = `
import sys
from supervisor import supervisorctl
for line in sys.argv[2:]:
    status = 0
    try:
        supervisorctl.main(["-c", sys.argv[1]] + line.split())
    except SystemExit as e:
        status = e.code
    print("\0%d" % status, flush=True)
`

func supervisorctl(s *side, config string, lines []string) ([]said, error) {
	out, err := s.command(append([]string{"python3", "-c", supervisorctls, s.file(config)}, lines...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("supervisorctl: %w\n%s", err, out)
	}
	var all []said
	text := ""
	for line := range strings.Lines(string(out)) {
		if _, status, ended := strings.Cut(line, "\x00"); ended {
			n, err := strconv.Atoi(strings.TrimSpace(status))
			if err != nil {
				return nil, err
			}
			all, text = append(all, said{text, n}), ""
			continue
		}
		text += line
	}
	if len(all) != len(lines) {
		return nil, fmt.Errorf("supervisorctl has answered %d of %d lines: %s", len(all), len(lines), out)
	}
	return all, nil
}
