package logview

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runJournalctl runs journalctl and gives out its entries, and notes where it fails.
func runJournalctl(ctx context.Context, args []string, sources []Source, give func(entry)) {
	// The kernel sends Pdeathsig when the thread that forked ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cannot := func(err any) {
		give(entry{note: fmt.Sprintf("cannot read the journal for %s: %v", names(sources), err)})
	}

	cmd := exec.CommandContext(ctx, "journalctl", args...)
	// A group of its own: Ctrl-C in the terminal is for us, and there may be more to
	// show until everything has stopped.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if errors.Is(err, exec.ErrNotFound) {
		cannot("journalctl is not installed")
		return
	}
	if err != nil {
		if ctx.Err() == nil {
			cannot(err)
		}
		return
	}
	rerr := readEntries(stdout, give)
	if rerr != nil {
		_ = cmd.Cancel()
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return
	}
	if said := strings.Join(strings.Fields(stderr.String()), " "); err != nil || rerr != nil || said != "" {
		switch {
		case rerr != nil:
			cannot(rerr)
		case said != "":
			cannot(said)
		default:
			cannot("journalctl: " + err.Error())
		}
	}
}

// readEntries reads JSON lines. There is no limit to their length but journald's own.
func readEntries(r io.Reader, give func(entry)) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := br.ReadBytes('\n')
		if err != nil {
			return nil // also when Wait has closed it; an incomplete line is no entry
		}
		e, err := parseEntry(line)
		if err != nil {
			return err
		}
		give(e)
	}
}

// names lists the programs of sources for a message.
func names(sources []Source) string {
	var list []string
	for _, s := range sources {
		if !slices.Contains(list, s.Program) {
			list = append(list, s.Program)
		}
	}
	return few(list)
}

// few joins names, the first of many.
func few(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d others", strings.Join(list[:most-1], ", "), len(list)-most+1)
	}
	return strings.Join(list, ", ")
}

// parseEntry parses an entry in journalctl's "json" format
// (https://systemd.io/JOURNAL_EXPORT_FORMATS#journal-json-format).
func parseEntry(line []byte) (entry, error) {
	var raw struct {
		Cursor   string   `json:"__CURSOR"`
		Time     string   `json:"__REALTIME_TIMESTAMP"` // microseconds since 1970
		Unit     jsonText `json:"_SYSTEMD_UNIT"`
		UserUnit jsonText `json:"_SYSTEMD_USER_UNIT"`
		Message  jsonText `json:"MESSAGE"`

		Stream     jsonText `json:"MSUP_STREAM"` // of one that a supervisor has made
		Object     jsonText `json:"OBJECT_SYSTEMD_UNIT"`
		ObjectUser jsonText `json:"OBJECT_SYSTEMD_USER_UNIT"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return entry{}, fmt.Errorf("cannot parse journal entry %.200q: %w", line, err)
	}
	e := entry{text: raw.Message, cursor: raw.Cursor, unit: unitKey{string(raw.Unit), false}}
	switch {
	case len(raw.Stream) > 0 && len(raw.ObjectUser) > 0:
		e.unit = unitKey{string(raw.ObjectUser), true}
	case len(raw.Stream) > 0 && len(raw.Object) > 0:
		e.unit = unitKey{string(raw.Object), false}
	case len(raw.UserUnit) > 0: // its _SYSTEMD_UNIT is user@UID.service
		e.unit = unitKey{string(raw.UserUnit), true}
	}
	if us, err := strconv.ParseInt(raw.Time, 10, 64); err == nil {
		e.time = time.UnixMicro(us)
	}
	return e, nil
}

// jsonText is a field of an entry: a string, an array of bytes where it is not UTF-8 or
// has control characters, an array of these where the entry has the field several times,
// or null.
type jsonText []byte

func (t *jsonText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		*t = jsonText(s)
		return err
	}
	var numbers []uint16 // a []uint8 would be base64
	if json.Unmarshal(b, &numbers) == nil {
		*t = make(jsonText, len(numbers))
		for i, n := range numbers {
			(*t)[i] = byte(n)
		}
		return nil
	}
	var several []jsonText
	if err := json.Unmarshal(b, &several); err != nil {
		return err
	}
	*t = nil
	for i, one := range several {
		if i > 0 {
			*t = append(*t, '\n')
		}
		*t = append(*t, one...)
	}
	return nil
}
