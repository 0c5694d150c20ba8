package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"msup/logview"
	"msup/units"
)

// tailBytes is how much tail shows.
const tailBytes = 1600

// tailFlag reads what stands in front of the name: -f, or how many bytes.
func tailFlag(flag string) (follow bool, n int64, ok bool) {
	if flag == "-f" {
		return true, 0, true
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(flag, "-"), 10, 64)
	return false, n, err == nil && n >= 0
}

func (c *ctl) tail(ctx context.Context, args []string) error {
	switch {
	case len(args) < 1:
		c.misuse(ctlFailed, "tail", "Error: too few arguments")
		return nil
	case len(args) > 3:
		c.misuse(ctlFailed, "tail", "Error: too many arguments")
		return nil
	}
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	follow, n := false, int64(tailBytes)
	if strings.HasPrefix(args[0], "-") {
		var ok bool
		if follow, n, ok = tailFlag(args[0]); !ok {
			c.fail(ctlFailed, "Error: bad argument %s", args[0])
			return nil
		}
		args = args[1:]
	}
	if len(args) == 0 {
		c.fail(ctlFailed, "Error: tail requires process name")
		return nil
	}
	channel := strings.ToLower(args[len(args)-1])
	switch {
	case len(args) == 1:
		channel = logview.Stdout
	case channel != logview.Stdout && channel != logview.Stderr:
		c.fail(ctlFailed, "Error: bad channel '%s'", channel)
		return nil
	}
	w := parseWanted(args[0])
	found := w.of(s.processes)
	if w.all || len(found) == 0 {
		c.fail(ctlFailed, "%s: ERROR (no such process name)", args[0])
		return nil
	}
	from, file, ok := outputOfChannel(found[0].program, channel, c.app.user)
	if !ok {
		c.fail(ctlFailed, "%s: ERROR (no log file)", args[0])
		return nil
	}
	return c.showLog(ctx, args[0], from, file, follow, n)
}

// outputOfChannel is where a stream of a program is to be read: from a file, or the journal if
// that is "".
func outputOfChannel(p units.Program, channel string, user bool) (from []logview.Source, file string, ok bool) {
	file = p.Stdout
	if channel == logview.Stderr {
		file = p.Stderr
		if file != "" && file == p.Stdout {
			return nil, "", false // supervisord has one log of both: that of stdout
		}
	}
	from, _ = logview.OfStream(sources([]units.Program{p}, user), channel)
	return from, file, len(from) > 0
}

func (c *ctl) maintail(ctx context.Context, args []string) error {
	if len(args) > 1 {
		c.misuse(ctlFailed, "maintail", "Error: too many arguments")
		return nil
	}
	follow, n := false, int64(tailBytes)
	if len(args) == 1 {
		var ok bool
		if follow, n, ok = tailFlag(args[0]); !ok || !strings.HasPrefix(args[0], "-") {
			c.fail(ctlFailed, "Error: bad argument %s", args[0])
			return nil
		}
	}
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	if s.project.Logfile == "" {
		c.fail(ctlFailed, "supervisord: ERROR (no log file)")
		return nil
	}
	from := []logview.Source{{Program: "supervisord", Stream: logview.Both, File: s.project.Logfile}}
	return c.showLog(ctx, "supervisord", from, s.project.Logfile, follow, n)
}

// showLog prints the last n bytes, or follows.
func (c *ctl) showLog(ctx context.Context, name string, from []logview.Source, file string, follow bool, n int64) error {
	printer := logview.NewPrinter(c.out, nil)
	printer.NotesTo(c.app.stderr)
	if follow {
		c.say("==> Press Ctrl-C to exit <==")
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		const past = 10 // lines
		err := logview.Follow(ctx, from, logview.Last(ctx, from, logview.Window{Lines: past}), printer.Print)
		err = errors.Join(err, printer.Close())
		if errors.Is(err, context.Canceled) || errors.Is(err, syscall.EPIPE) {
			err = nil
		}
		c.say("")
		return err
	}
	text, err := lastBytes(ctx, from, file, n)
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.fail(ctlFailed, "%s: ERROR (no log file)", name)
		return nil
	case err != nil:
		c.fail(ctlFailed, "%s: ERROR (unknown error reading log)", name)
		return nil
	}
	var lines []logview.Line
	for line := range bytes.Lines(text) {
		whole := bytes.TrimSuffix(line, []byte("\n"))
		lines = append(lines, logview.Line{Program: name, Text: whole, More: len(whole) == len(line)})
	}
	if err := errors.Join(printer.Print(lines), printer.Close()); err != nil {
		return err
	}
	if bytes.HasSuffix(text, []byte("\n")) || len(text) == 0 {
		c.say("")
	}
	return nil
}

// lastBytes are the last n bytes of a file, or of output in the journal; 0 = all.
func lastBytes(ctx context.Context, from []logview.Source, file string, n int64) ([]byte, error) {
	if file == "" {
		var text bytes.Buffer
		// No line is shorter than its newline.
		lines := int(n)
		if n == 0 {
			lines = -1
		}
		err := logview.Tail(ctx, from, logview.Window{Lines: lines}, func(lines []logview.Line) error {
			for _, l := range lines {
				if !l.Note {
					text.Write(l.Text)
					text.WriteByte('\n')
				}
			}
			return nil
		})
		return lastOf(text.Bytes(), n), err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, os.ErrNotExist // a device has no log
	}
	length := info.Size()
	if n > 0 {
		length = min(n, length)
	}
	return io.ReadAll(io.NewSectionReader(f, info.Size()-length, length))
}

func lastOf(text []byte, n int64) []byte {
	return text[max(0, int64(len(text))-cmp.Or(n, int64(len(text)))):]
}

// clear is refused: supervisord deletes the log.
func (c *ctl) clear(ctx context.Context, args []string) error {
	if len(args) == 0 {
		c.misuse(ctlFailed, "clear", "Error: clear requires a process name")
		return nil
	}
	s, err := c.see(ctx)
	if err != nil {
		return err
	}
	return c.forEach(s, args, ctlFailed, func(some []process, _ bool) error {
		for _, p := range some {
			c.fail(ctlFailed, "%s: ERROR (msup deletes no output; msup rotate %s begins a new file)", p, p.program.Name)
		}
		return nil
	})
}
