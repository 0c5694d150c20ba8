package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"msup/explain"
	"msup/logview"
	"msup/units"
)

// journalTime bounds one question to the journal.
const journalTime = 5 * time.Second

// routine are what systemd says of every run, by MESSAGE_ID (systemd 252,
// src/systemd/sd-messages.h): starting, started, stopping, stopped, deactivated
// successfully.
var routine = map[string]bool{
	"7d4958e842da4a758f6c1cdc7b36dcc5": true,
	"39f53479d3a045ac8e11786248231fbf": true,
	"de5b426a63be47a7b6ac3eaac82e2f6f": true,
	"9d1aaa27d60140bd96365438aad20286": true,
	"7ad2d189f7e94e70a38c781354912448": true,
}

// saidMax is how many lines of systemd are shown, the last ones.
const saidMax = 8

// saidBySystemd returns what systemd has said of a run in the journal.
func saidBySystemd(ctx context.Context, e units.End, unit string, user bool) explain.Said {
	if e.Invocation == "" {
		return explain.Said{}
	}
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	// Anybody may write such a field: only root and the user's own manager are believed.
	q := logview.Query{Fields: []string{"MESSAGE_ID"}, Lines: 200, User: user, Matches: []string{"INVOCATION_ID=" + e.Invocation, "_UID=0"}}
	if user {
		q.Matches = []string{"USER_INVOCATION_ID=" + e.Invocation, "_UID=" + strconv.Itoa(os.Getuid())}
	}
	entries, err := q.Run(ctx)
	var said explain.Said
	for _, entry := range entries {
		if !routine[entry.Fields["MESSAGE_ID"]] {
			said.Lines = append(said.Lines, strings.TrimPrefix(entry.Message, unit+": "))
		}
	}
	if extra := len(said.Lines) - saidMax; extra > 0 {
		said.Lines = said.Lines[extra:]
	}
	if err != nil && len(said.Lines) == 0 {
		said.Note = err.Error()
	}
	return said
}

// kernelLog is the kernel's log in the journal.
type kernelLog struct {
	looked bool // whether there is any
	empty  bool
}

// kernelLate is how long after an end the kernel's lines may come into the journal.
const kernelLate = 2 * time.Second

// kills finds the kills for memory in a unit during a time.
func (k *kernelLog) kills(ctx context.Context, unit string, since, until time.Time) explain.Kills {
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	kernel := []string{"_TRANSPORT=kernel"}
	entries, err := logview.Query{Matches: kernel, Since: since, Until: until}.Run(ctx)
	lines := make([]explain.KernelLine, len(entries))
	for i, e := range entries {
		lines[i] = explain.KernelLine{Time: e.Time, Text: e.Message}
	}
	found := explain.Kills{List: explain.ParseKills(lines, unit)}
	switch {
	case len(found.List) > 0:
	case errors.Is(err, logview.ErrJournalHidden):
		found.Note = "you may not read it: root may, and members of group systemd-journal or adm"
	case err != nil:
		found.Note = err.Error()
	default:
		if !k.looked {
			some, err := logview.Query{Matches: kernel, Lines: 1}.Run(ctx)
			k.looked, k.empty = true, err == nil && len(some) == 0
		}
		if found.Note = "it has no line with its control group"; k.empty {
			found.Note = "the journal has none of it here, as in a container"
		}
	}
	return found
}
