package logview

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrint(t *testing.T) {
	line := func(program, stream, text string) Line {
		return Line{Program: program, Stream: stream, Text: []byte(text)}
	}
	more := func(l Line) Line { l.More = true; return l }
	rest := func(l Line) Line { l.Rest = true; return l }
	note := func(l Line) Line { l.Note = true; return l }
	tests := []struct {
		name            string
		programs        []string
		terminal, color bool
		lines           []Line
		want            string
	}{
		{"one program", []string{"web"}, false, false, []Line{line("web", Stdout, "hello"), line("web", Stderr, "oh")}, "hello\noh\n"},
		{"several", []string{"web", "memhog"}, false, false, []Line{line("web", Stdout, "hello"), line("memhog", Stderr, "")}, "web    | hello\nmemhog | \n"},
		{
			"colours",
			[]string{"web", "memhog"},
			true, true,
			[]Line{line("web", Stdout, "hello"), line("memhog", Stderr, "oh"), line("web", Stdout, "\x1b[1;31mred")},
			"\x1b[36mweb    |\x1b[0m hello\n\x1b[33mmemhog \x1b[31m|\x1b[0m oh\n\x1b[36mweb    |\x1b[0m \x1b[1;31mred\x1b[0m\n",
		},
		{"terminal without colours", []string{"web"}, true, false, []Line{line("web", Stdout, "\x1b[31mred\x1b[m \x1b[2J")}, "red ^[[2J\n"},
		{"raw when no terminal", []string{"web"}, false, false, []Line{line("web", Stdout, "\x1b[2J\x00\xff\r")}, "\x1b[2J\x00\xff\r\n"},
		{"CR LF", []string{"web"}, true, true, []Line{line("web", Stdout, "a\rb\r")}, "a^Mb\n"},
		{
			"parts of a line",
			[]string{"a", "b"},
			false, false,
			[]Line{more(line("a", "", "Pass")), more(rest(line("a", "", "word: "))), rest(line("a", "", "")), line("b", "", "x")},
			"a | Password: \nb | x\n",
		},
		{
			"another program in between",
			[]string{"a", "b"},
			false, false,
			[]Line{more(line("a", "", "Password: ")), line("b", "", "x"), rest(line("a", "", ""))},
			"a | Password: \nb | x\n",
		},
		{
			"a part in between",
			[]string{"a", "b"},
			false, false,
			[]Line{more(line("a", "", "begin ")), line("b", "", "x"), rest(line("a", "", "end"))},
			"a | begin \nb | x\na | end\n",
		},
		{"a part at the end", []string{"a"}, false, false, []Line{more(line("a", "", "Password: "))}, "Password: \n"},
		{"note", []string{"a", "b"}, true, true, []Line{note(line("a", "", "cannot read \x1b[2J"))}, "\x1b[2mmsup: cannot read ^[[2J\x1b[0m\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			p := newPrinter(&b, tt.programs, tt.terminal, tt.color)
			for _, l := range tt.lines {
				if err := p.Print([]Line{l}); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestNotesTo(t *testing.T) {
	var out, notes bytes.Buffer
	p := newPrinter(&out, []string{"a", "b"}, false, false)
	p.NotesTo(&notes)
	must(t, p.Print([]Line{
		{Program: "a", Text: []byte("one")},
		{Program: "a", Text: []byte("begin "), More: true},
		{Note: true, Text: []byte("cannot \x1b[2J")},
		{Program: "a", Text: []byte("end"), Rest: true},
	}))
	must(t, p.Close())
	if got, want := out.String(), "a | one\na | begin \na | end\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := notes.String(), "msup: cannot ^[[2J\n"; got != want {
		t.Errorf("notes %q, want %q", got, want)
	}
}

func TestNewPrinter(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer f.Close()
	if p := NewPrinter(f, nil); p.terminal || p.color {
		t.Error("a file is no terminal")
	}
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer ptmx.Close()
	for _, tt := range []struct {
		term, noColor string
		want          bool
	}{{"xterm", "", true}, {"xterm", "1", false}, {"dumb", "", false}} {
		t.Setenv("TERM", tt.term)
		t.Setenv("NO_COLOR", tt.noColor)
		if p := NewPrinter(ptmx, nil); !p.terminal || p.color != tt.want {
			t.Errorf("%+v: terminal %v, colours %v", tt, p.terminal, p.color)
		}
	}
}

// FuzzAppendSafe: whatever a program writes, a terminal gets printable text and colours.
func FuzzAppendSafe(f *testing.F) {
	f.Add([]byte("\x1b[1;38:5:3mred\x1b[0m \x1b[2J\x9b2J\u009b2J\x00\x7f\r\b ä€😀"))
	f.Fuzz(func(t *testing.T, text []byte) {
		safe, colored := appendSafe(nil, text, true)
		if !utf8.Valid(safe) {
			t.Errorf("%q: no UTF-8", safe)
		}
		for i := 0; i < len(safe); {
			r, n := utf8.DecodeRune(safe[i:])
			if r == 0x1b {
				if n = sgrLen(safe[i:]); n == 0 || !colored {
					t.Fatalf("%q: an escape sequence that is no colour", safe[i:])
				}
			} else if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
				t.Fatalf("%q: control character %U", safe, r)
			}
			i += n
		}
		if plain, _ := appendSafe(nil, text, false); bytes.IndexByte(plain, 0x1b) >= 0 {
			t.Errorf("%q: colours", plain)
		}
	})
}

func BenchmarkPrint(b *testing.B) {
	text := []byte(strings.Repeat("GET /index.html 200 ", 5))
	lines := make([]Line, 500)
	for i := range lines {
		lines[i] = Line{Program: "web", Text: text}
	}
	var sink bytes.Buffer
	p := newPrinter(&sink, []string{"web", "memhog"}, true, true)
	b.SetBytes(int64(len(text) * len(lines)))
	for b.Loop() {
		sink.Reset()
		p.Print(lines)
	}
}
