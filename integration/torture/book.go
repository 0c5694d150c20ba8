//go:build linux

package torture

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A book is what a program itself, and the torturer who killed it, say about its lives. Each line was appended in one write:
//
//	WHAT ID PID PPID NANOSECONDS OUT ERR HOW
//
// WHAT is start, exit (the next instruction ends the life, HOW = "3" or "SIGKILL"), wrote (it will write no more), heard (a SIGTERM of
// which it takes no notice), error, or kill (the torturer is about to send the signal HOW). ID is that of the life; OUT and ERR are the
// numbers of lines it has written by then.

// life is one process of a program, from its own book.
type life struct {
	id         string
	pid        int
	parent     int // at the start
	lastParent int // at the end
	start      time.Time
	end        time.Time // zero: it did not say
	how        string    // as in the book; "" = it did not say
	killed     string    // the signal that the torturer has sent, by which it should die
	killedAt   time.Time
	counts     [2]int // lines written, by stream
	final      bool   // counts are the last ones
	trouble    string // an error it has met
}

// over is when the life had ended, as far as is known.
func (l *life) over() time.Time {
	if l.end.IsZero() {
		return l.killedAt
	}
	return l.end
}

// endedBy is how it ended: "3", "SIGKILL"; "" if the book does not say, which is so of lives that go on, and of those that were
// killed at the end of a stop.
func (l *life) endedBy() string {
	if l.how == "" {
		return l.killed
	}
	return l.how
}

func (l *life) String() string {
	s := fmt.Sprintf("life %s, PID %d, from %s", l.id, l.pid, clock(l.start))
	if end := l.over(); !end.IsZero() {
		s += fmt.Sprintf(" to %s (%s)", clock(end), l.endedBy())
	}
	return s
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

func readBook(path string) ([]*life, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseBook(text)
}

func parseBook(text []byte) ([]*life, error) {
	var lives []*life
	byID := map[string]*life{}
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) < 7 {
			return nil, fmt.Errorf("a torn line in the book: %q", line)
		}
		pid, _ := strconv.Atoi(f[2])
		parent, _ := strconv.Atoi(f[3])
		ns, err := strconv.ParseInt(f[4], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a torn line in the book: %q", line)
		}
		at := time.Unix(0, ns)
		l := byID[f[1]]
		if f[0] == "start" {
			l = &life{id: f[1], pid: pid, parent: parent, start: at}
			byID[f[1]] = l
			lives = append(lives, l)
		}
		if l == nil {
			return nil, fmt.Errorf("the book speaks of a life that has not begun: %q", line)
		}
		how := strings.Join(f[7:], " ")
		switch f[0] {
		case "exit":
			l.end, l.how, l.lastParent, l.final = at, how, parent, true
		case "wrote":
			l.final = true
		case "kill":
			if l.killed == "" {
				l.killed, l.killedAt = how, at
			}
			continue
		case "error":
			l.trouble = how
		}
		l.counts[0], _ = strconv.Atoi(f[5])
		l.counts[1], _ = strconv.Atoi(f[6])
	}
	return lives, nil
}

// noteKill writes into the book of a program that this life is about to be killed.
func noteKill(path string, l *life, signal string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "kill %s %d 0 %d 0 0 %s\n", l.id, l.pid, time.Now().UnixNano(), signal)
	return err
}
