package logview

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query chooses entries of the journal that are not, or not only, output of a program.
type Query struct {
	// Matches are those of journalctl(1): FIELD=VALUE, and + between alternatives.
	Matches []string
	Fields  []string // of the entries, beside MESSAGE
	Since   time.Time
	Until   time.Time
	Lines   int  // the last ones; 0 = all
	User    bool // the journal of the calling user
}

// Entry is an entry of the journal.
type Entry struct {
	Time    time.Time
	Message string
	Fields  map[string]string
}

// ErrJournalHidden says that the calling user may not read all of the journal
// (systemd-journald.service(8), "Access Control").
var ErrJournalHidden = errors.New("you may not read all of the journal: root may, and members of group systemd-journal or adm")

// Run reads the entries, oldest first. With the error [ErrJournalHidden] come those that
// may be read.
func (q Query) Run(ctx context.Context) ([]Entry, error) {
	args := []string{"--output=json", "--no-pager", "--all", "--output-fields=" + strings.Join(append([]string{"MESSAGE"}, q.Fields...), ",")}
	if q.User {
		args = append(args, "--user")
	}
	if q.Lines > 0 {
		args = append(args, "--lines="+strconv.Itoa(q.Lines))
	}
	args = append(args, Window{Since: q.Since, Until: q.Until}.journalArgs()...)
	cmd := exec.CommandContext(ctx, "journalctl", slices.Concat(args, q.Matches)...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8") // for its hint
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("journalctl is not installed")
	case err != nil && ctx.Err() != nil:
		return nil, errors.New("journalctl does not answer")
	}
	entries, perr := q.parse(out)
	said := strings.Join(strings.Fields(stderr.String()), " ")
	switch {
	case strings.Contains(said, "not seeing messages from"), strings.Contains(said, "insufficient permissions"):
		return entries, ErrJournalHidden
	case err != nil && said != "":
		return entries, fmt.Errorf("cannot read the journal: %s", said)
	case err != nil:
		return entries, fmt.Errorf("cannot read the journal: %w", err)
	}
	return entries, perr
}

func (q Query) parse(out []byte) ([]Entry, error) {
	var entries []Entry
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	for lines.Scan() {
		var raw map[string]jsonText
		if err := json.Unmarshal(lines.Bytes(), &raw); err != nil {
			return entries, fmt.Errorf("cannot parse journal entry %.200q: %w", lines.Bytes(), err)
		}
		e := Entry{Message: string(raw["MESSAGE"]), Fields: map[string]string{}}
		if us, err := strconv.ParseInt(string(raw["__REALTIME_TIMESTAMP"]), 10, 64); err == nil {
			e.Time = time.UnixMicro(us)
		}
		for _, f := range q.Fields {
			if v, ok := raw[f]; ok {
				e.Fields[f] = string(v)
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}
