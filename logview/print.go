package logview

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// palette has the colours of program names: readable on dark and light backgrounds, and
// none of them red, which marks stderr.
var palette = []string{"36", "33", "32", "35", "34", "96", "93", "92", "95", "94"} // SGR foreground

// Printer prints lines of several programs.
//
// To a terminal, control characters of programs are made visible instead of obeyed, except
// for tabs and colours: a program cannot move the cursor, clear the screen or answer for
// the user. To anything else output passes as it is.
type Printer struct {
	w        io.Writer
	notes    io.Writer // nil = w
	terminal bool
	color    bool
	names    map[string]name // empty: no names in front
	width    int             // of the longest name, characters
	open     *Line           // the line that is printed in part
	last     Line            // what open points to
	buf      []byte
}

type name struct {
	padding int
	color   string
}

// NewPrinter returns a printer for lines of these programs. Names are put in front when
// there are several; each has its colour by its place in the list. Colours are used when w
// is a terminal, unless NO_COLOR is set (https://no-color.org) or TERM is "dumb".
func NewPrinter(w io.Writer, programs []string) *Printer {
	terminal := false
	if f, ok := w.(*os.File); ok {
		if raw, err := f.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
				terminal = err == nil
			})
		}
	}
	color := terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return newPrinter(w, programs, terminal, color)
}

func newPrinter(w io.Writer, programs []string, terminal, color bool) *Printer {
	p := &Printer{w: w, terminal: terminal, color: color, names: map[string]name{}}
	for _, s := range programs {
		p.width = max(p.width, utf8.RuneCountInString(s))
		if _, ok := p.names[s]; !ok {
			p.names[s] = name{color: palette[len(p.names)%len(palette)]}
		}
	}
	if len(p.names) < 2 {
		p.names = nil
	}
	for s, n := range p.names {
		n.padding = p.width - utf8.RuneCountInString(s)
		p.names[s] = n
	}
	return p
}

// NotesTo makes notes go to w, usually the standard error, instead of among the lines.
func (p *Printer) NotesTo(w io.Writer) { p.notes = w }

// Print prints lines with a single write, one more for each note that goes elsewhere. It has the form that [Tail] and [Follow] want.
func (p *Printer) Print(lines []Line) error {
	p.buf = p.buf[:0]
	for i := range lines {
		if lines[i].Note && p.notes != nil {
			if err := p.note(&lines[i]); err != nil {
				return err
			}
			continue
		}
		p.line(&lines[i])
	}
	return p.flush()
}

// note prints a note apart from the lines.
func (p *Printer) note(l *Line) error {
	p.endOpen()
	if err := p.flush(); err != nil {
		return err
	}
	text, _ := appendSafe([]byte("msup: "), l.Text, false)
	_, err := p.notes.Write(append(text, '\n'))
	return err
}

// Close ends a line that was printed in part. It does not close the writer.
func (p *Printer) Close() error {
	p.buf = p.buf[:0]
	p.endOpen()
	return p.flush()
}

func (p *Printer) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	_, err := p.w.Write(p.buf)
	p.buf = p.buf[:0]
	if cap(p.buf) > 1<<20 {
		p.buf = nil
	}
	return err
}

func (p *Printer) endOpen() {
	if p.open != nil {
		p.open = nil
		p.buf = append(p.buf, '\n')
	}
}

func (p *Printer) line(l *Line) {
	goesOn := p.open != nil && l.Rest && p.last.Program == l.Program && p.last.Stream == l.Stream
	if !goesOn {
		p.endOpen()
		if l.Rest && !l.More && len(l.Text) == 0 {
			return // only the end of a line that was ended already
		}
		p.prefix(l)
	}
	p.text(l)
	if l.More {
		p.last = Line{Program: l.Program, Stream: l.Stream}
		p.open = &p.last
		return
	}
	p.open = nil
	p.buf = append(p.buf, '\n')
}

func (p *Printer) prefix(l *Line) {
	switch {
	case l.Note:
		p.sgr("2") // faint
		p.buf = append(p.buf, "msup: "...)
		return
	case p.names == nil:
		return
	}
	n := p.names[l.Program]
	p.sgr(n.color)
	p.buf = append(p.buf, l.Program...)
	for range n.padding {
		p.buf = append(p.buf, ' ')
	}
	p.buf = append(p.buf, ' ')
	if l.Stream == Stderr {
		p.sgr("31")
	}
	p.buf = append(p.buf, '|')
	p.sgr("0")
	p.buf = append(p.buf, ' ')
}

func (p *Printer) sgr(code string) {
	if p.color {
		p.buf = append(append(append(p.buf, "\x1b["...), code...), 'm')
	}
}

func (p *Printer) text(l *Line) {
	if !p.terminal {
		p.buf = append(p.buf, l.Text...)
		return
	}
	text := l.Text
	if !l.More {
		text = bytes.TrimSuffix(text, []byte("\r")) // lines that end in CR LF
	}
	var colored bool
	p.buf, colored = appendSafe(p.buf, text, p.color)
	if colored || l.Note {
		p.sgr("0") // a colour that is not ended must not run into the next name
	}
}

// appendSafe appends text with its control characters made visible: "^[" and so on below
// space, "\x9b" for the control characters above ASCII and for bytes that are no UTF-8,
// which some terminals obey all the same. Tabs pass, and colours (SGR) when wanted;
// otherwise these are left out. It reports whether there was any colour.
func appendSafe(buf, text []byte, color bool) ([]byte, bool) {
	colored := false
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < 0x7f || c == '\t' {
			buf = append(buf, c)
			i++
			continue
		}
		if c == 0x1b {
			if n := sgrLen(text[i:]); n > 0 {
				if color {
					buf = append(buf, text[i:i+n]...)
					colored = true
				}
				i += n
				continue
			}
		}
		if c < utf8.RuneSelf {
			buf = append(buf, '^', c^0x40)
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			buf = appendHex(buf, c)
		case r < 0xa0: // C1, of which U+009B is CSI
			buf = appendHex(buf, byte(r))
		default:
			buf = append(buf, text[i:i+n]...)
		}
		i += n
	}
	return buf, colored
}

func appendHex(buf []byte, c byte) []byte {
	return strconv.AppendUint(append(buf, `\x`...), uint64(c), 16) // c >= 0x80: always two digits
}

// sgrLen returns the length of the "select graphic rendition" sequence (ECMA-48, 8.3.117)
// that text begins with: ESC [ digits, semicolons and colons m.
func sgrLen(text []byte) int {
	if len(text) < 3 || text[1] != '[' {
		return 0
	}
	for i, c := range text[2:] {
		switch {
		case c == 'm':
			return i + 3
		case c < '0' || c > ';':
			return 0
		}
	}
	return 0
}
