package convert

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	original "github.com/joho/godotenv"
)

func TestForemanEnv(t *testing.T) {
	vars, problems := foremanEnv([]byte("A=1\r\n# note\nB='x \\n y'\nC=\"a\\nb\\\"c\\\\\"\nexport D=2\nE= a # b\n\nF=\n1X=y\nG=\"\n"))
	var got []string
	for _, v := range vars {
		got = append(got, fmt.Sprintf("%d %s=%s", v.line, v.name, v.value))
	}
	want := []string{"1 A=1", `3 B=x \n y`, "4 C=a\nb\"c\\", "6 E= a # b", "8 F=", "9 1X=y", `10 G="`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 1 || problems[0].line != 5 {
		t.Errorf("problems: %v", problems)
	}
}

func TestReadsAlike(t *testing.T) {
	for text, want := range map[string]bool{
		"A=1\nB=\"x y\"\nC='z $'\n# note\n\nD=\nE={\"a\": 1}\n": true,
		"A=x # y\n":           true, // foreman and systemd have no comments behind values
		"A=$B\n":              true,
		"A=\"x\\ny\"\n":       false,
		"A=\"it's \\d\"\n":    false,
		"A=\"$B\"\n":          false,
		"A=x \n":              false, // systemd takes the blank away
		"A='a\nb'\n":          false,
		"export A=1\n":        false,
		"# goes on \\\nA=1\n": false,
		"A=1\n1B=2\n":         false,
		"A=1\nA=2\n":          true,
		"A=a'b\n":             true,
		"A='a'b'\n":           false,
	} {
		vars, _ := foremanEnv([]byte(text))
		if got := readsAlike([]byte(text), vars); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	vars, _ := godotenv([]byte("A=x # y\n"))
	if readsAlike([]byte("A=x # y\n"), vars) {
		t.Error("a comment behind a value is one in godotenv alone")
	}
}

// The library is what process-compose and overmind read the file with.
func FuzzGodotenv(f *testing.F) {
	for _, s := range []string{
		"A=1\nexport B = x # note\nC: yaml\n", "A='x\ny'\nB=\"a\\nb $A ${A} \\$A $(A)\"\n", "A=$B\nB=1\nC=$B$B", "=x", "A", "A.b=c\nä=1",
		"# only\n", "A=\"unclosed", "A='a\\'b'\n", "export\tA=1", "A=\r\nB=2\r", "A==b", "\xa0A=1", "A=''''",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "$") > 8 {
			t.Skip() // the library's values grow without end
		}
		want, err := original.Unmarshal(text)
		vars, problems := godotenv([]byte(text))
		if (err != nil) != (len(problems) > 0) {
			t.Fatalf("%q: the library says %v, this %v", text, err, problems)
		}
		if err != nil {
			return
		}
		got := map[string]string{}
		for _, v := range vars {
			got[v.name] = v.value
		}
		if !maps.Equal(want, got) {
			t.Errorf("%q: %s", text, cmp.Diff(want, got))
		}
	})
}

func TestGodotenvBomb(t *testing.T) {
	text := "A=xxxxxxxx\n" + strings.Repeat("A=$A$A$A$A\n", 100)
	vars, problems := godotenv([]byte(text))
	if len(problems) != 1 || !strings.Contains(problems[0].why, "larger than") {
		t.Errorf("problems: %v", problems)
	}
	if len(vars) > 12 || problems[0].line != len(vars)+1 {
		t.Errorf("%d variables, then line %d", len(vars), problems[0].line)
	}
}
