package config

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCutScalar(t *testing.T) {
	tests := []struct{ raw, want string }{
		{" 5      (0 = no limit)", "5"},
		{"5\t(0 = no limit)", "5"},
		{"5 (a (b) c)", "5"},
		{"5 (see #3; or not)", "5"},
		{"5 (note) # and more", "5"},
		{"5 # (note", "5"},
		{"5(note)", "5(note)"},
		{"5 (note", "5 (note"},
		{"5 (note) 6", "5 (note) 6"},
		{"(note)", "(note)"},
		{" (note)", ""},
		{"1h 30m ; note", "1h 30m"},
		{"5#", "5#"},
		{"#5", "#5"},
		{" #5", ""},
		{`"30 MB" # note`, "30 MB"},
		{"", ""},
	}
	for _, tt := range tests {
		if got, err := cutScalar(tt.raw); err != nil || got != tt.want {
			t.Errorf("cutScalar(%q) = %q, %v; want %q", tt.raw, got, err, tt.want)
		}
	}
}

func TestCutText(t *testing.T) {
	tests := []struct{ raw, want, err string }{
		{" the shop's server ", "the shop's server", ""},
		{`say "hi" (loud)`, `say "hi" (loud)`, ""},
		{" a;b#c %d $e \\f: g=h # note", "a;b#c %d $e \\f: g=h", ""},
		{`"a # b" ; note`, "a # b", ""},
		{`' a "b" '`, ` a "b" `, ""},
		{`"it's"`, "it's", ""},
		{`""`, "", ""},
		{`"open`, "", `the quote " is not closed`},
		{`'open"`, "", `the quote ' is not closed`},
		{`"a" b`, "", `"b" follows the closing quote`},
		{`"a"#b`, "", `"#b" follows the closing quote`},
	}
	for _, tt := range tests {
		got, err := cutText(tt.raw)
		if got != tt.want || (err != nil || tt.err != "") && (err == nil || err.Error() != tt.err) {
			t.Errorf("cutText(%q) = %q, %v; want %q, %s", tt.raw, got, err, tt.want, tt.err)
		}
	}
}

func TestCutWords(t *testing.T) {
	tests := []struct {
		raw, want string
		mark      byte
	}{
		{"sleep 1 # note", "sleep 1", '#'},
		{"sleep 1 ;sleep 2", "sleep 1", ';'},
		{"sleep 1; sleep 2", "sleep 1; sleep 2", 0},
		{"echo a#b;c", "echo a#b;c", 0},
		{`echo "a # b" 'c ; d' # e`, `echo "a # b" 'c ; d'`, '#'},
		{`echo "a \" # b"`, `echo "a \" # b"`, 0},
		{`echo 'a\' # b`, `echo 'a\'`, '#'},
		{`echo \ # b`, `echo \ # b`, 0}, // an escaped space does not end a word
		{`echo \# b`, `echo \# b`, 0},
		{`echo ""# b`, `echo ""# b`, 0},
		{`echo a\ `, `echo a\ `, 0},
		{`echo a\\ `, `echo a\\`, 0},
		{"#no comment", "#no comment", 0},
		{" #comment", "", '#'},
	}
	for _, tt := range tests {
		if got, mark := cutWords(tt.raw); got != tt.want || mark != tt.mark {
			t.Errorf("cutWords(%q) = %q, %q; want %q, %q", tt.raw, got, mark, tt.want, tt.mark)
		}
	}
}

func TestSplitWords(t *testing.T) {
	// What a shell would expand or take as an operator; TestSplitLikeShell has the rest.
	tests := []struct {
		value string
		want  []string
	}{
		{`a  b	c`, []string{"a", "b", "c"}},
		{`'a b' "c d" e\ f`, []string{"a b", "c d", "e f"}},
		{`a'b'"c"d`, []string{"abcd"}},
		{`'' ""`, []string{"", ""}},
		{`"a\b \" \\ \$ x"`, []string{`a\b " \ $ x`}},
		{`'a\b'`, []string{`a\b`}},
		{`\a \\ \'`, []string{"a", `\`, "'"}},
		{"$A ${B} `c` *.txt ~ %d {a,b}", []string{"$A", "${B}", "`c`", "*.txt", "~", "%d", "{a,b}"}},
		{`a | b > c && d ; e & #f`, []string{"a", "|", "b", ">", "c", "&&", "d", ";", "e", "&", "#f"}},
	}
	for _, tt := range tests {
		got, err := splitWords(tt.value)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("splitWords(%q): %v\n%s", tt.value, err, diff)
		}
	}
}

// TestSplitLikeShell compares the splitting with /bin/sh, for text without what a shell
// expands.
func TestSplitLikeShell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOfN(rapid.RuneFrom([]rune("ab '\"\\=,é\t%:")), 0, 24, -1).Draw(t, "value")
		got, err := splitWords(value)
		if err != nil {
			return // the shell would go on reading
		}
		out, err := exec.Command("/bin/sh", "-c", "set -- "+value+"\nfor w; do printf '%s\\n' \"$w\"; done").Output()
		if err != nil {
			t.Fatalf("sh: %v", err)
		}
		want := strings.Split(string(out), "\n")
		if want = want[:len(want)-1]; !slices.Equal(got, want) {
			t.Fatalf("splitWords(%q) = %q, the shell has %q", value, got, want)
		}
	})
}

func TestCommaBetween(t *testing.T) {
	for value, want := range map[string]bool{
		`A=1,B=2`:        true,
		`A="1", B=2`:     true,
		`A="1","B=2"`:    false, // odd, but nothing supervisord would take
		`A="x=1,y=2"`:    false,
		`A=1,2,3`:        false,
		`A=a,b B=c\,d=e`: false,
	} {
		if got := commaBetween(value) >= 0; got != want {
			t.Errorf("commaBetween(%s) = %t, want %t", value, got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"memory_limit", "memory_high", "autostart", "autorestart", "nice"}
	for word, want := range map[string]string{
		"memory_limt": "memory_limit", "MEMORY-LIMIT": "memory_limit", "memoyr_high": "memory_high",
		"auto_start": "autostart", "colour": "", "x": "", "nicee": "nice",
	} {
		if got := Suggest(word, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}
