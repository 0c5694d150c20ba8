package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// include reads the files a file includes, and theirs. stack holds the files that are
// being read, the main one first, src last.
func (l *loader) include(src *source, stack []*source) {
	first := 0
	for i := range src.blocks {
		b := &src.blocks[i]
		if b.kind != includeSection {
			continue
		}
		if first > 0 {
			l.report(src, Diagnostic{
				Line: b.line, Section: b.kind,
				Message: fmt.Sprintf("the section stands in line %d already", first), Hint: "name all files there",
			})
		}
		first = b.line
		for _, s := range l.settings(src, b) {
			for pattern := range strings.FieldsSeq(s.value) {
				for _, path := range l.matches(s, pattern) {
					l.includeFile(s, path, stack)
				}
			}
		}
	}
}

// globEscaper makes a folder's name literal in a pattern.
var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// matches lists the files a pattern of [include] names, sorted.
func (l *loader) matches(s setting, pattern string) []string {
	if strings.HasPrefix(pattern, "~/") {
		l.report(s.src, s.diagnostic("~ is not expanded in "+quote(pattern), "write the whole path"))
		return nil
	}
	abs := pattern
	if !filepath.IsAbs(pattern) {
		abs = globEscaper.Replace(s.src.dir) + "/" + pattern
	}
	abs = filepath.Clean(abs)
	if !strings.ContainsAny(pattern, `*?[\`) {
		if !filepath.IsAbs(pattern) {
			abs = filepath.Join(s.src.dir, pattern)
		}
		return []string{abs} // a file that is missing is an error when it is read
	}
	paths, err := l.host.glob(abs)
	if err != nil {
		l.report(s.src, s.diagnostic(quote(pattern)+" is not a pattern: "+err.Error(), ""))
		return nil
	}
	// As in a shell, * matches no leading dot: editors keep their own files beside ours.
	if !strings.HasPrefix(filepath.Base(pattern), ".") {
		paths = slices.DeleteFunc(paths, func(p string) bool { return strings.HasPrefix(filepath.Base(p), ".") })
	}
	if len(paths) == 0 {
		l.warn(s.src, s.diagnostic("no file matches "+quote(pattern), ""))
	}
	slices.Sort(paths)
	return paths
}

func (l *loader) includeFile(s setting, path string, stack []*source) {
	same := func(src *source) bool { return src.path == path }
	shown := l.show(path)
	if slices.ContainsFunc(stack, same) {
		l.report(s.src, s.diagnostic(fmt.Sprintf("%s includes itself", shown), "a file is included once"))
		return
	}
	if slices.ContainsFunc(l.sources, same) {
		l.report(s.src, s.diagnostic(fmt.Sprintf("%s is included already", shown), "a file is included once"))
		return
	}
	// A pattern may match a folder or a device, which could be read for ever.
	if info, err := l.host.stat(path); err == nil && !info.Mode().IsRegular() {
		l.report(s.src, s.diagnostic(shown+" is not a regular file", ""))
		return
	}
	data, err := l.host.readFile(path)
	if err != nil {
		l.report(s.src, s.diagnostic(fmt.Sprintf("cannot read %s: %v", shown, cause(err)), ""))
		return
	}
	src := l.addSource(path, shown, data)
	l.include(src, append(slices.Clip(stack), src))
}

// show is a path as messages name it: relative to the working directory when that is
// shorter. Below the root, where a supervisor has its working directory, that would only take
// the slash away.
func (l *loader) show(path string) string {
	if l.host.cwd == "/" {
		return path
	}
	if rel, err := filepath.Rel(l.host.cwd, path); err == nil && len(rel) < len(path) && rel != "." {
		return rel
	}
	return path
}

// showAs is [loader.show] of a path that the configuration names: one that it has as a whole
// stays as it is, so that the reader finds it there.
func (l *loader) showAs(path, written string) string {
	if filepath.IsAbs(written) {
		return path
	}
	return l.show(path)
}
