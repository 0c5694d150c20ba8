//go:build linux

package integration

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// mirror is written the output of a test binary that runs with -test.v=test2json, and shows each subtest that ran there as a
// subtest here: its name, its output, its end. One that does not end has failed.
type mirror struct {
	t        *testing.T
	rest     []byte // an incomplete line
	current  string // the subtest that speaks, "" = the test itself
	running  map[string]*mirrored
	seen     map[string]bool
	finished int
	said     bytes.Buffer // by the test itself
	live     bool         // what it says is shown at once
	group    sync.WaitGroup
}

// mirrored is a subtest that runs.
type mirrored struct{ events chan string }

func newMirror(t *testing.T) *mirror {
	return &mirror{t: t, running: map[string]*mirrored{}, seen: map[string]bool{}}
}

// Write is not called concurrently: sandbox.Run has one stream for both outputs.
func (m *mirror) Write(p []byte) (int, error) {
	m.rest = append(m.rest, p...)
	for {
		i := bytes.IndexByte(m.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		m.line(string(m.rest[:i+1]))
		m.rest = m.rest[i+1:]
	}
}

// eventLine matches what package testing says about a test. The mark in front, which may stand behind output without a newline,
// tells it from what a test prints.
var eventLine = regexp.MustCompile(`^(=== RUN  |=== PAUSE|=== CONT |=== NAME |--- PASS:|--- FAIL:|--- SKIP:) (\S*)`)

func (m *mirror) line(line string) {
	text, event, marked := strings.Cut(line, "\x16")
	if text != "" {
		m.output(text)
	}
	if !marked {
		return
	}
	match := eventLine.FindStringSubmatch(event)
	if match == nil {
		m.output(event)
		return
	}
	name, isSub := strings.CutPrefix(match[2], m.t.Name()+"/")
	if !isSub {
		m.current = ""
		m.said.WriteString(event)
		return
	}
	m.current = name
	switch match[1] {
	case "=== RUN  ":
		m.seen[name] = true
	case "=== CONT ":
		// A parallel test begins here, not where it was paused.
		m.start(name)
	case "--- PASS:", "--- FAIL:", "--- SKIP:":
		m.start(name)
		m.running[name].events <- event
		close(m.running[name].events)
		delete(m.running, name)
		m.finished++
		m.current = ""
	}
}

func (m *mirror) output(text string) {
	if m.current == "" {
		if m.live {
			_, _ = m.t.Output().Write([]byte(text))
		} else {
			m.said.WriteString(text)
		}
		return
	}
	m.start(m.current)
	m.running[m.current].events <- text
}

// start makes the subtest here, if it is not there yet.
func (m *mirror) start(name string) {
	if m.running[name] != nil {
		return
	}
	sub := &mirrored{events: make(chan string, 1000)}
	m.running[name] = sub
	m.group.Go(func() { m.t.Run(name, sub.follow) })
}

func (s *mirrored) follow(t *testing.T) {
	for text := range s.events {
		t.Output().Write([]byte(text))
		switch {
		case strings.HasPrefix(text, "--- FAIL:"):
			t.Fail()
			return
		case strings.HasPrefix(text, "--- SKIP:"):
			t.SkipNow()
		case strings.HasPrefix(text, "--- PASS:"):
			return
		}
	}
	t.Error("it did not end: the test binary inside has ended before")
}

// close returns when all subtests here have ended.
func (m *mirror) close() {
	if len(m.rest) > 0 {
		m.line(string(m.rest) + "\n")
	}
	for _, sub := range m.running {
		close(sub.events)
	}
	m.group.Wait()
}

// own is what the test itself has said, outside of its subtests.
func (m *mirror) own() string { return m.said.String() }
