package config

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msup/units"
)

// Words that stand for something else than a file in stdout and stderr.
const (
	toJournal = "journal"
	toNull    = "null"
	toStdout  = "stdout"
)

// sameAsStdout stands in units.Program.Stderr, where every path is absolute, until the
// program's standard output is known.
const sameAsStdout = toStdout

// devNull takes output without being a file, so any number of programs may name it.
const devNull = os.DevNull

// otherOutputs are what other supervisors write for a destination of output.
var otherOutputs = map[string]string{
	"none": toNull, "off": toNull, "discard": toNull, "devnull": toNull, "auto": toJournal, "syslog": toJournal, "inherit": toStdout,
}

// openMode is what systemd.exec(5) has before the path of a file.
var openMode = regexp.MustCompile(`^(file|append|truncate):`)

func setOutput(field func(*units.Program) *string, words ...string) func(*target, setting) error {
	return func(t *target, s setting) error {
		dest := field(&t.prog.Program)
		*dest = devNull // nothing more is to be said of a value that is wrong
		switch word := strings.ToLower(s.value); {
		case slices.Contains(words, s.value):
			*dest = map[string]string{toJournal: "", toNull: devNull, toStdout: sameAsStdout}[s.value]
			return nil
		case slices.Contains(words, word):
			return hinted("did you mean "+word+"? a file of that name is ./"+s.value, "%s is no destination", quote(s.value))
		case slices.Contains(words, otherOutputs[word]):
			return hinted("did you mean "+otherOutputs[word]+"? a file of that name is ./"+s.value, "%s is no destination", quote(s.value))
		case otherOutputs[word] != "", word == toStdout:
			return hinted("a file of that name is ./"+s.value, "%s is no destination", quote(s.value))
		case openMode.MatchString(s.value):
			return hinted("write the path alone; output is appended", "%s is not a path", quote(s.value))
		}
		path, err := absPath(t, s, s.value)
		if err != nil {
			return err
		}
		if strings.HasSuffix(s.value, "/") {
			return hinted("add the name of a file", "%s is a folder", quote(s.value))
		}
		*dest = path
		return nil
	}
}

// maxJournalRate is more lines a second than journald takes.
const maxJournalRate = 1_000_000

// minLogSize is refused below: such a file would be rotated all the time.
const minLogSize = 4 << 10

func setMaxSize(t *target, s setting) error {
	size, err := parseLogSize(s.value)
	if err == nil && size != 0 && size < minLogSize {
		return hinted("use 4K or more, 0 = never", "%s is too small for a file", quote(s.value))
	}
	t.prog.Log.MaxSize = size
	return err
}

func logSize(field func(*units.Log) *uint64) func(*target, setting) error {
	return func(t *target, s setting) (err error) {
		*field(&t.prog.Log), err = parseLogSize(s.value)
		return err
	}
}

func setTimestamps(t *target, s setting) error {
	t.prog.Log.Timestamps = units.Timestamps(s.value)
	if s.value == "none" {
		t.prog.Log.Timestamps = ""
	}
	return oneOf(s.value, "none", units.RFC3339, units.Unix)
}

func setLogMode(t *target, s setting) error {
	mode, err := parseFileMode(s.value)
	switch {
	case err != nil:
		return err
	case mode&0o200 == 0:
		return fmt.Errorf("%s does not let the owner write", quote(s.value))
	case mode&0o002 != 0:
		t.warn(s, "every user of the machine can change these files", "")
	}
	t.prog.Log.Mode = &mode
	return nil
}

func parseFileMode(text string) (uint32, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode > 0o777 {
		return 0, fmt.Errorf("%s is not an octal file mode", quote(text))
	}
	return uint32(mode), nil
}

func setLogOwner(t *target, s setting) (err error) {
	t.prog.Log.Owner, err = parseOwner(s.value)
	return err
}

// parseOwner reads USER or USER:GROUP.
func parseOwner(text string) (string, error) {
	name, group, both := strings.Cut(text, ":")
	if name == "" || strings.Contains(group, ":") || (both && group == "") {
		return "", fmt.Errorf("%s is not USER or USER:GROUP", quote(text))
	}
	return text, nil
}

// fillOutput completes what becomes of a program's output, and checks it by itself.
func (l *loader) fillOutput(d *draft) {
	if d.Stderr == sameAsStdout {
		d.Stderr = d.Stdout
	}
	if d.Log.NoJournal {
		s := d.at("journal")
		if d.Stdout == "" {
			l.reportFor(d, s, "standard output would go nowhere", "give stdout a path or null")
		} else if d.Stderr == "" {
			l.reportFor(d, s, "standard error would go nowhere", "give stderr a path, stdout or null")
		}
	}
	switch lg, s := d.Log, d.at("log_total_max"); {
	case lg.TotalMax == 0:
	case lg.MaxSize == 0:
		l.reportFor(d, s, "log_max_size = 0 lets the file grow without end", "give log_max_size a size, for example 10M")
	case lg.TotalMax < lg.MaxSize:
		l.reportFor(d, s, fmt.Sprintf("that is less than one file may have, log_max_size = %s", d.text("log_max_size")), "lower log_max_size too")
	}
}

// reportFor adds an error about a program in a setting that may be one of [defaults].
func (l *loader) reportFor(d *draft, s setting, message, hint string) {
	if s.section == defaultsSection {
		message = "program " + d.Name + ": " + message
	}
	l.report(s.src, s.diagnostic(message, hint))
}

// text is the value of a key as it was written, or what holds without it.
func (d *draft) text(name string) string {
	if s, ok := d.given[name]; ok {
		return s.value
	}
	k := keyOf(programSection, name)
	return cmp.Or(k.Default, k.Unset)
}

// logOwner is who gets the program's files.
func (d *draft) logOwner() string {
	switch {
	case d.Log.Owner != "":
		return d.Log.Owner
	case d.Group != "":
		return d.text("user") + ":" + d.Group
	}
	return d.text("user")
}

// logFile is a file that a program writes.
type logFile struct {
	path string
	d    *draft
	at   setting // where it is named
}

// crossCheck looks for files that would get in each other's way.
func (l *loader) crossCheck() {
	first := map[string]logFile{}
	var files []logFile
	for _, d := range l.programs {
		for _, out := range []struct{ key, path string }{{"stdout", d.Stdout}, {"stderr", d.Stderr}} {
			if out.path == "" || out.path == devNull || !d.good || (out.key == "stderr" && out.path == d.Stdout) {
				continue
			}
			f := logFile{out.path, d, d.at(out.key)}
			w, taken := first[f.path]
			switch {
			case f.path == l.cfg.Logfile:
				l.report(f.at.src, f.at.diagnostic("msup itself writes to "+l.show(f.path), "use another file, or set logfile in [msup]"))
			case !taken:
				first[f.path] = f
				files = append(files, f)
			case w.d != d:
				l.checkShared(w, f)
			}
		}
	}
	for _, f := range files {
		whole := rotated.ReplaceAllString(f.path, "")
		if w, ok := first[whole]; ok && whole != f.path {
			l.report(f.at.src, f.at.diagnostic(fmt.Sprintf("%s is a name for a rotated %s of program %s, see %s", l.show(f.path), l.show(w.path), w.d.Name, w.at.place()),
				"use another name"))
		}
	}
	if whole := rotated.ReplaceAllString(l.cfg.Logfile, ""); whole != l.cfg.Logfile {
		if w, ok := first[whole]; ok {
			l.report(w.at.src, w.at.diagnostic(fmt.Sprintf("msup itself writes to %s, a name for a rotated %s", l.show(l.cfg.Logfile), l.show(w.path)),
				"use another file, or set logfile in [msup]"))
		}
	}
}

// rotated is what a file's name gets when it is rotated.
var rotated = regexp.MustCompile(`\.[1-9][0-9]*(\.gz)?$`)

// checkShared looks at two programs that write one file: what is about the file must be
// the same for both.
func (l *loader) checkShared(a, b logFile) {
	la, lb := a.d.Log, b.d.Log
	for _, k := range []struct {
		name string
		same bool
	}{
		{"log_max_size", la.MaxSize == lb.MaxSize},
		{"log_backups", la.Backups == lb.Backups},
		{"log_max_age", la.MaxAge == lb.MaxAge},
		{"log_compress", la.Compress == lb.Compress},
		{"log_total_max", la.TotalMax == lb.TotalMax},
		{"log_min_free", la.MinFree == lb.MinFree},
		{"log_mode", fileMode(la) == fileMode(lb)},
		{"log_owner", a.d.logOwner() == b.d.logOwner()},
	} {
		if k.same {
			continue
		}
		where := func(f logFile) setting {
			if s, given := f.d.given[k.name]; given {
				return s
			}
			return f.at
		}
		textA, textB := a.d.text(k.name), b.d.text(k.name)
		if k.name == "log_owner" {
			textA, textB = a.d.logOwner(), b.d.logOwner()
		}
		l.reportFor(b.d, where(b), fmt.Sprintf("%s is also written by program %s with another %s: %s there and %s here, see %s",
			l.show(a.path), a.d.Name, k.name, textA, textB, where(a).place()), "give both the same, or each a file of its own")
		return
	}
	const hint = "give each program a log_prefix, or a file of its own"
	switch {
	case b.at.src != nil && b.at.src.origin != nil: // so it was with the other process manager
	case la.Prefix != lb.Prefix: // the lines can be told apart
	case a.d.Base != "" && a.d.Base == b.d.Base:
		l.warn(b.at.src, b.at.diagnostic(fmt.Sprintf("all instances of program %s write to this one file", a.d.Base),
			"write {{instance}} into its name, or into log_prefix"))
	case b.at.section == defaultsSection:
		l.warn(b.at.src, b.at.diagnostic("several programs write to this one file", hint))
	default:
		l.warn(b.at.src, b.at.diagnostic(fmt.Sprintf("program %s writes to %s too, see %s", a.d.Name, l.show(a.path), a.at.place()), hint))
	}
}

func fileMode(lg units.Log) uint32 {
	if lg.Mode == nil {
		return 0o644
	}
	return *lg.Mode
}
