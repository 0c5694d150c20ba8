package config

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addFiles(f *testing.F) {
	for _, text := range testdata(f) {
		f.Add([]byte(text))
	}
	f.Add([]byte("[program a]\ncommand = `\n[include]\nfiles = * [ ../x\n"))
}

// FuzzLoad: any file gives a configuration or problems with lines that exist, and a
// configuration keeps what the rest of msup relies on.
func FuzzLoad(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		all := map[string]string{"x.conf": string(data), "conf.d/a.conf": "[program a]\ncommand = sleep 1\n"}
		c, err := load("x.conf", fakeHost(all), true)
		var ce *Error
		switch {
		case err == nil:
			checkConfig(t, c)
			checkLines(t, c.Warnings, data)
		case errors.As(err, &ce) && len(ce.Diagnostics) > 0:
			checkLines(t, ce.Diagnostics, data)
			checkLines(t, ce.Warnings, data)
		default:
			t.Errorf("unexpected error %v", err)
		}
	})
}

func checkLines(t *testing.T, ds []Diagnostic, data []byte) {
	lines := bytes.Count(data, []byte("\n")) + 1
	last := 0
	for _, d := range ds {
		if d.File != "x.conf" {
			continue
		}
		if d.Line < last || d.Line > lines || d.Message == "" || strings.ContainsAny(d.String(), "\n\x00") || strings.Contains(d.Message, "internal error") {
			t.Errorf("bad diagnostic %+v", d)
		}
		last = d.Line
	}
}

func checkConfig(t *testing.T, c *Config) {
	names := map[string]bool{}
	for _, g := range c.Groups {
		if groupProblem(g.Name) != "" || names[g.Name] || unprintable(g.Description) != "" || len(c.Members(g.Name)) == 0 {
			t.Errorf("bad group %+v of %v", g, c.Members(g.Name))
		}
		names[g.Name] = true
	}
	clear(names)
	for _, p := range c.Programs {
		base, number, isInstance := strings.Cut(p.Name, "@")
		if n, err := strconv.Atoi(number); isInstance != (p.Base != "") || isInstance && (err != nil || n != p.Instance || base != p.Base || c.Template(base) == nil) {
			t.Errorf("bad instance %+v", p)
		}
		if nameProblem(base) != "" || names[p.Name] || len(p.Argv) == 0 || p.Argv[0] == "" {
			t.Errorf("bad program %+v", p)
		}
		names[p.Name] = true
		if p.InGroup != "" && c.Group(p.InGroup) == nil {
			t.Errorf("no group %q of %s", p.InGroup, p.Name)
		}
		for _, path := range []string{p.Path, p.Directory, p.Stdout, p.Stderr, c.Logfile} {
			if path != "" && path[0] != '/' {
				t.Errorf("relative path %q in %+v", path, p)
			}
		}
		for _, text := range slices.Concat(p.Argv, p.Environment, []string{p.Description, p.Path, p.Stdout}) {
			if unprintable(text) != "" {
				t.Errorf("unprintable %q", text)
			}
		}
	}
}

// FuzzScanner: ini.v1 hands back exactly the keys and values the scanner saw.
func FuzzScanner(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, own := scan(data), scan(data)
		if err := s.readValues(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(own.blocks, s.blocks, cmp.AllowUnexported(block{}, entry{})); diff != "" {
			t.Errorf("-scanner +ini.v1:\n%s", diff)
		}
	})
}

// FuzzCommand: arguments that are written quoted arrive as they were.
func FuzzCommand(f *testing.F) {
	for _, arg := range []string{"", "a b", "#", " ; x", `\`, `"`, "'", "$HOME %H", "`x`", `"""`, "(a)", "é\u00a0", "=[x]"} {
		f.Add(arg, "x")
		f.Add("x", arg)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if unprintable(a) != "" || unprintable(b) != "" {
			return
		}
		want := []string{"sleep", a, b}
		c, err := loadText("[program x]\ncommand = sleep " + braceless(single(a)+" "+single(b)) + " # note\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Programs[0].Argv; !slices.Equal(got, want) {
			t.Errorf("argv %q, want %q", got, want)
		}
	})
}

// braceless writes braces so that they stand for themselves.
func braceless(s string) string { return strings.ReplaceAll(s, "{{", "{{{{") }

// single is a word in single quotes, as a user would write it.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// FuzzText: a text arrives as it was written, quoted or, where nothing in it looks like
// a comment or a quote, bare.
func FuzzText(f *testing.F) {
	for _, s := range []string{"{{{x}}", "a", "it's", "a;b#c", "100% (x)", "`", `"""x`, `a\`, "a = b", "[x]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if unprintable(text) != "" || text == "" || strings.Contains(text, `"`) {
			return
		}
		want := text
		text = braceless(text)
		forms := []string{`"` + text + `"`}
		if cut, mark := cutComment(" " + text); mark == 0 && cut == text && text[0] != '\'' && text[0] != '#' && text[0] != ';' {
			forms = append(forms, text)
		}
		for _, form := range forms {
			c, err := loadText("[program x]\ncommand = sleep\ndescription = " + form + "\t; note\n")
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Programs[0].Description; got != want {
				t.Errorf("description = %s gives %q", form, got)
			}
		}
	})
}
