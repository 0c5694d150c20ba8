package convert

import (
	"strings"
	"testing"
)

func TestDaemon(t *testing.T) {
	for text, want := range map[string]string{
		`pg_ctl start`:                     `bash -c 'pg_ctl start && exec sleep infinity'`,
		`cd db && pg_ctl start -o "-k $D"`: `bash -c 'cd db && pg_ctl start -o "-k $D" && exec sleep infinity'`,
		`a; b`:                             `bash -c '(a; b) && exec sleep infinity'`,
		`exec a`:                           `bash -c '(exec a) && exec sleep infinity'`,
		`a & # b`:                          `bash -c '(a &) && exec sleep infinity'`,
		`pg_ctl start # quietly`:           `bash -c '(pg_ctl start) && exec sleep infinity'`,
		"if x; then\n  a\nfi":              `bash -c 'if x; then a; fi && exec sleep infinity'`,
	} {
		got, report := run(t, map[string]string{"/srv/app/process-compose.yaml": "processes:\n  db:\n    is_daemon: true\n    command: |\n      " +
			strings.ReplaceAll(text, "\n", "\n      ") + "\n  app: {command: ./app, depends_on: {db: {condition: process_completed_successfully}}}\n"}, Options{}, "process-compose.yaml")
		if !strings.Contains(got, "command = "+want+"\n") || !strings.Contains(got, "depends_on = db:ready\n") || report.Count(Dropped) > 0 {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// Words without a shell, and a shell that is none of those that msup knows.
func TestDaemonWithoutShell(t *testing.T) {
	got, _ := run(t, map[string]string{"/srv/app/process-compose.yaml": `shell: {shell_command: fish, shell_argument: -c}
processes:
  words: {entrypoint: [dockerd, --label, a b], is_daemon: true}
  fish: {command: begin; a; end, is_daemon: true}
`}, Options{}, "process-compose.yaml")
	for _, want := range []string{
		`command = /bin/sh -c "dockerd --label 'a b' && exec sleep infinity"`,
		`command = /bin/sh -c "fish -c 'begin; a; end' && exec sleep infinity"`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}
