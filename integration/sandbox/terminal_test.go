//go:build linux

package sandbox

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// typist has a terminal on which it waits for text and types.
type typist struct {
	t      *testing.T
	master *os.File
	seen   strings.Builder
}

// expect reads until text has appeared since the last call.
func (p *typist) expect(text string) {
	p.t.Helper()
	var seen strings.Builder
	p.master.SetReadDeadline(time.Now().Add(time.Minute))
	buffer := make([]byte, 4096)
	for !strings.Contains(seen.String(), text) {
		n, err := p.master.Read(buffer)
		if err != nil {
			p.t.Fatalf("%q has not appeared: %v; seen: %q", text, err, seen.String())
		}
		seen.Write(buffer[:n])
	}
	p.seen.WriteString(seen.String())
}

func (p *typist) typeKeys(keys string) {
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Error(err)
	}
}

// onTerminal runs a script in a sandbox on a new terminal of 30 rows and 100 columns, with someone at it, and checks that the terminal is
// as it was afterwards.
func onTerminal(t *testing.T, kind Kind, script string, user func(*typist)) (exitCode int, err error) {
	master, slave, err := openPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	before, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	done := make(chan struct{})
	go func() {
		defer close(done)
		exitCode, err = Run(t.Context(), Options{Kind: kind, Terminal: slave}, []string{"sh", "-c", script}, []string{"TERM=vt100"}, nil, nil)
	}()
	user(&typist{t: t, master: master})
	<-done
	after, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if *before != *after {
		t.Errorf("terminal settings were %+v and are %+v", *before, *after)
	}
	return exitCode, err
}

func TestTerminal(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		script := `trap 'seq 2000; echo interrupted; exit 9' INT
			test -t 0 && test -t 1 && test -t 2 && stty size && echo "$TERM"
			echo ready; while :; do sleep 1; done`
		code, err := onTerminal(t, kind, script, func(p *typist) {
			p.expect("30 100\r\nvt100\r\nready\r\n")
			p.typeKeys("\x03")
			p.expect("\r\n2000\r\ninterrupted\r\n")
		})
		if err != nil || code != 9 {
			t.Errorf("exit code %d, error %v, want 9", code, err)
		}
	})
}

func TestTerminalEscape(t *testing.T) {
	each(t, func(t *testing.T, kind Kind) {
		_, err := onTerminal(t, kind, `trap "" INT; echo ready; sleep infinity`, func(p *typist) {
			p.expect("ready\r\n")
			p.typeKeys("\x03\x1d\x1d\x1d")
		})
		if err == nil || !strings.Contains(err.Error(), "Ctrl-]") {
			t.Errorf("error %v", err)
		}
	})
}
