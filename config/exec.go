package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is where systemd looks for programs (DEFAULT_PATH of a distribution with
// split /usr, so that it holds on all of them).
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// resolve finds the executable of a program.
func (l *loader) resolve(t *target) {
	d := t.prog
	if s, ok := d.given["command"]; ok && len(d.Argv) > 0 {
		d.Path = l.executable(t, s, d.Argv[0])
	}
}

// checkExecutable looks at the executable that was found for a word.
func (l *loader) checkExecutable(t *target, s setting, path, word string) {
	if msg, hint := l.cannotRun(t.prog, path, word); msg != "" {
		if strings.HasPrefix(word, "~") {
			hint = "~ is not expanded; write the whole path"
		}
		l.absent(t.prog, s.src, s.diagnostic(msg, hint))
		return
	}
	head := l.host.head(path)
	if head != nil && !bytes.HasPrefix(head, []byte("#!")) && !bytes.HasPrefix(head, []byte("\x7fELF")) {
		t.warn(s, fmt.Sprintf("%s is neither a binary nor begins with #!: the kernel may not run it", l.showAs(path, word)), "begin a script with #!/bin/sh")
	}
}

// programPath is the PATH a program gets.
func programPath(d *draft) string {
	for _, kv := range d.Environment {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			return value
		}
	}
	return defaultPath
}

// lookPath finds an executable in the folders of a PATH. Relative folders are left out.
// When there is none, why names a file of that name that is not executable.
func (l *loader) lookPath(list, name string) (found, why string) {
	for dir := range strings.SplitSeq(list, ":") {
		if !path.IsAbs(dir) {
			continue
		}
		file := filepath.Join(dir, name)
		info, err := l.host.stat(file)
		if err != nil || info.IsDir() {
			continue
		}
		if info.Mode()&0o111 != 0 && l.host.mayAccess(file, unix.X_OK) == nil {
			return file, ""
		}
		why = ": " + file + " is not executable"
	}
	if why == "" {
		why = " in " + list
	}
	return "", why
}

// firstIn is the path that a name would have in the first folder of a PATH.
func firstIn(list, name string) string {
	for dir := range strings.SplitSeq(list, ":") {
		if path.IsAbs(dir) {
			return filepath.Join(dir, name)
		}
	}
	return "/" + name
}

// shellWords are commands that only a shell has.
var shellWords = map[string]bool{"cd": true, "exec": true, "source": true, ".": true, "export": true, "ulimit": true, "eval": true, "set": true, "umask": true, "if": true, "while": true, "for": true}

func (l *loader) notFoundHint(name string) string {
	if found, _ := l.lookPath(l.host.path, name); found != "" {
		return fmt.Sprintf("found in your own PATH as %s: write that", found)
	}
	if shellWords[name] {
		return "that is a word of the shell; write /bin/sh -c '…'"
	}
	if key, _, ok := strings.Cut(name, "="); ok && variable.MatchString(key) {
		return "variables are set by environment = " + name
	}
	if strings.ContainsAny(name, " \t") {
		return "the quotes make one word of it; leave them away"
	}
	return "write the whole path"
}

// cannotRun says why the file at path cannot be executed, "" if it can.
func (l *loader) cannotRun(d *draft, path, word string) (message, hint string) {
	shown := l.showAs(path, word)
	info, err := l.host.stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return shown + " does not exist", ""
	case err != nil:
		return fmt.Sprintf("cannot look at %s: %v", shown, cause(err)), ""
	case info.IsDir():
		return shown + " is a folder", "write the path of a program in it"
	case !info.Mode().IsRegular():
		return shown + " is not a program", ""
	case info.Mode()&0o111 == 0:
		return shown + " is not executable", "chmod +x " + shown
	}
	if err := l.host.mayAccess(path, unix.X_OK); err != nil {
		return fmt.Sprintf("cannot execute %s: %v", shown, err), ""
	}
	return l.interpreter(d, path, word)
}

// interpreter checks the program a script names behind #!.
func (l *loader) interpreter(d *draft, script, word string) (message, hint string) {
	head := l.host.head(script)
	line, ok := strings.CutPrefix(string(head), "#!")
	line, _, complete := strings.Cut(line, "\n")
	if !ok || !complete && len(head) == headSize {
		return "", "" // no script, or a line too long to judge
	}
	if strings.HasSuffix(line, "\r") {
		return l.showAs(script, word) + " has Windows line ends, so its interpreter is not found", "convert it with sed -i 's/\\r$//'"
	}
	words := strings.Fields(line)
	if len(words) == 0 || !path.IsAbs(words[0]) {
		return "", ""
	}
	info, err := l.host.stat(words[0])
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Sprintf("the interpreter %s of %s is missing or not executable", words[0], l.showAs(script, word)), ""
	}
	if path.Base(words[0]) == "env" && len(words) > 1 && !strings.ContainsAny(words[1], "-=/") {
		if found, why := l.lookPath(programPath(d), words[1]); found == "" {
			return fmt.Sprintf("the interpreter %s of %s is not found%s", words[1], l.showAs(script, word), why), ""
		}
	}
	return "", ""
}
