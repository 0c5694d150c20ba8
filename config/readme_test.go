package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the README's section on restarts shows can be written so, and there is nothing to warn of.
func TestReadmeOnRestarts(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Restarts\n")
	section, _, ok := strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("there is no such section")
	}
	blocks := map[string]string{}
	name := ""
	for line := range strings.Lines(section) {
		switch code, ok := strings.CutPrefix(line, "    "); {
		case ok && strings.HasPrefix(code, "["):
			name = strings.TrimSpace(code)
			blocks[name] = ""
		case ok && strings.HasPrefix(code, "command"):
			blocks[name] += "command = sleep 1\n"
		case ok:
			blocks[name] += code
		case strings.HasPrefix(line, "| "):
			cells := strings.Split(line, "|")
			keys := regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cells[2], -1)
			if len(keys) == 0 {
				continue
			}
			tool, _, _ := strings.Cut(strings.TrimSpace(cells[1]), ":")
			blocks[tool] = "command = sleep 1\n"
			for _, k := range keys {
				blocks[tool] += k[1] + "\n"
			}
		}
	}
	if len(blocks) != 6 {
		t.Errorf("%d examples found: %v", len(blocks), blocks)
	}
	for name, text := range blocks {
		c, err := loadText("[program x]\n" + text)
		if err != nil || len(c.Warnings) > 0 {
			t.Errorf("%s: %v %v\n%s", name, err, c, text)
		}
	}
}
