package convert

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Verdict says what has become of a key.
type Verdict string

// The verdicts.
const (
	Kept    Verdict = "kept"    // it means the same
	Changed Verdict = "changed" // it means nearly the same; Why says what is different
	Dropped Verdict = "dropped" // it has no effect; Why says why
)

// Entry is what has become of one key.
type Entry struct {
	File    string   `json:"file"` // as the user gave it
	Line    int      `json:"line"`
	Section string   `json:"section"` // as it is written there, without brackets
	Key     string   `json:"key,omitempty"`
	Value   string   `json:"value,omitempty"`
	Verdict Verdict  `json:"verdict"`
	Became  []string `json:"became,omitempty"`  // lines of the configuration of msup's: "stdout = journal"
	Why     string   `json:"why,omitempty"`     // what is different, or why it has no effect
	Instead string   `json:"instead,omitempty"` // what to use instead
}

// Report is what has become of all keys, in the order of the files and their lines.
type Report struct {
	Format  Format  `json:"format"`
	Entries []Entry `json:"keys"`
}

func (r *Report) add(e Entry) { r.Entries = append(r.Entries, e) }

// replace has keys of a section become another line than was said of them.
func (r *Report) replace(section, old, line string) {
	for _, e := range r.Entries {
		if i := slices.Index(e.Became, old); i >= 0 && e.Section == section {
			e.Became[i] = line
		}
	}
}

// Count is how many keys have the verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, e := range r.Entries {
		if e.Verdict == v {
			n++
		}
	}
	return n
}

// sort puts the entries in the order of the files and their lines.
func (r *Report) sort(files []string) {
	slices.SortStableFunc(r.Entries, func(a, b Entry) int {
		return cmp.Or(slices.Index(files, a.File)-slices.Index(files, b.File), a.Line-b.Line)
	})
}

// compare marks what need not be written: the document leaves it out.
func (r *Report) compare(d *Document) {
	written := map[string]bool{}
	for _, s := range d.Sections {
		written["["+s.title()+"]"] = true
		for _, k := range s.Keys {
			written[k.Name+" = "+k.Value] = true
		}
	}
	for i := range r.Entries {
		r.Entries[i].Became = slices.Clone(r.Entries[i].Became) // two keys may have become one line
		for j, line := range r.Entries[i].Became {
			if !written[line] {
				r.Entries[i].Became[j] = line + " (the default)"
			}
		}
	}
}

// Summary is the report in a few words: "12 keys kept, 3 changed, 1 dropped".
func (r *Report) Summary() string {
	kept, word := r.Count(Kept), "keys"
	if kept == 1 {
		word = "key"
	}
	return fmt.Sprintf("%d %s kept, %d changed, %d dropped", kept, word, r.Count(Changed), r.Count(Dropped))
}

// Write writes the report for people, a paragraph for each key.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	for _, e := range r.Entries {
		b.WriteString(e.String())
		b.WriteByte('\n')
	}
	b.WriteString(r.Summary())
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// String is the entry on one line, or two:
//
//	dropped  supervisord.conf:3 [supervisord] pidfile = /run/s.pid
//	         systemd knows the supervisor's PID; use systemctl show -p MainPID msup.service
func (e Entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %s:%d [%s]", e.Verdict, e.File, e.Line, oneLine(e.Section))
	switch {
	case e.Key != "":
		fmt.Fprintf(&b, " %s = %s", oneLine(e.Key), oneLine(e.Value))
	case e.Value != "":
		b.WriteString(" " + oneLine(e.Value))
	}
	const indent = "\n         "
	for _, line := range e.Became {
		b.WriteString(indent + "-> " + clip(line))
	}
	switch {
	case e.Why != "" && e.Instead != "":
		b.WriteString(indent + e.Why + "; " + e.Instead)
	case e.Why+e.Instead != "":
		b.WriteString(indent + e.Why + e.Instead)
	}
	return b.String()
}

// oneLine is a value for people: printable and not too long.
func oneLine(s string) string { return clip(printable(strings.Join(strings.Fields(s), " "))) }

func clip(s string) string {
	const limit = 100
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}
