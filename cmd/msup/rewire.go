package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"msup/capture"
	"msup/units"
)

// This file gives programs other streams while the supervisor, and mostly the program too,
// runs on. A stream does not change: it is closed, and another reads on from the same FIFO at
// the very next byte, which somebody holds open meanwhile.

// prepare gets a program's output ready for a start.
func (o *outputs) prepare(def units.Program, attempt int) error {
	if err := o.wire(def); err != nil {
		return err
	}
	if readyByLine(def) {
		o.fresh(def, attempt)
	}
	o.begin(def.Name)
	return nil
}

// wire sees to it that the streams of a program are those of its definition and its FIFOs are
// where they should be: systemd would make plain files in their place.
func (o *outputs) wire(def units.Program) error {
	o.changing.Lock()
	defer o.changing.Unlock()
	o.mu.Lock()
	ps, known := o.streams[def.Name]
	o.mu.Unlock()
	want := outputOf(def)
	if latest, ok := o.latest[def.Name]; ok && sameFIFOs(latest, want) {
		// The start may have been on its way when redefine was told of another file.
		want, def.Stdout, def.Stderr, def.Log = latest, latest.stdout, latest.stderr, latest.log
	}
	if known && reflect.DeepEqual(ps.output, want) && ps.sound() {
		return nil
	}
	return o.rewire([]units.Program{def})[def.Name]
}

// sound reports whether the FIFOs are where they were made.
func (p programStreams) sound() bool {
	ok := true
	p.each(func(s *capture.Stream) { ok = ok && s.Check() == nil })
	return ok
}

// redefine makes the streams be those of a project's definitions: programs that are new get
// theirs, others go to other files, or go there in another way, from now on. What needs
// another FIFO waits for the next start of the program (prepare). The errors are by program;
// the output of such a one goes where it went before.
func (o *outputs) redefine(project units.Project) map[string]error {
	o.changing.Lock()
	defer o.changing.Unlock()
	var programs []units.Program
	o.latest = map[string]output{}
	for _, p := range project.Programs {
		o.latest[p.Name] = outputOf(p)
		o.mu.Lock()
		ps, known := o.streams[p.Name]
		o.mu.Unlock()
		if !known || !reflect.DeepEqual(ps.output, outputOf(p)) && sameFIFOs(ps.output, outputOf(p)) {
			programs = append(programs, p)
		}
	}
	return o.rewire(programs)
}

// sameFIFOs reports whether the streams of a and b are read from the same FIFOs.
func sameFIFOs(a, b output) bool {
	shared := func(o output) bool { return o.stdout == o.stderr && o.stdout != "" }
	return a.unit == b.unit && a.user == b.user && a.group == b.group &&
		captured(a.stdout, a.byLine) == captured(b.stdout, b.byLine) && captured(a.stderr, a.byLine) == captured(b.stderr, b.byLine) && shared(a) == shared(b)
}

// rewire closes the streams of programs and opens those of their definitions, all at once: of
// streams that share a file none may hold on to how that was kept. It is called with
// o.changing held.
func (o *outputs) rewire(programs []units.Program) map[string]error {
	if len(programs) == 0 {
		return nil
	}
	errs := map[string]error{}
	held := map[string]*os.File{} // FIFOs by name
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, p := range programs {
		errs[p.Name] = o.unplug(ctx, p, held)
	}
	take := func(name string, _ bool) []*os.File {
		fifos := []*os.File{held[name], held[name+capture.StagingSuffix]}
		delete(held, name)
		delete(held, name+capture.StagingSuffix)
		return fifos
	}
	who := owners{}
	for _, p := range programs {
		if errs[p.Name] != nil {
			continue
		}
		if errs[p.Name] = o.open(p, who, take); errs[p.Name] != nil {
			o.put(p.Name, programStreams{}) // tried again at the next start
		}
	}
	for _, f := range held {
		f.Close()
		if err := os.Remove(f.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
			continue // in the way of nobody: the next supervisor makes of it what it needs
		}
	}
	o.kept.stale = true
	if err := o.kept.update(o.descriptors); err != nil {
		for _, p := range programs {
			errs[p.Name] = errors.Join(errs[p.Name], err)
		}
	}
	for name, err := range errs {
		if err == nil {
			delete(errs, name)
		}
	}
	return errs
}

// unplug closes the streams of p and puts what stays open of their FIFOs into held. A FIFO that
// is not at its place is given up: nobody can write into it any more. One whose disk does not
// answer is left as it is, and so is the whole program.
func (o *outputs) unplug(ctx context.Context, p units.Program, held map[string]*os.File) (err error) {
	ps := o.of(p.Name)
	ps.each(func(s *capture.Stream) {
		if e := s.Drain(ctx); errors.Is(e, context.DeadlineExceeded) {
			err = errors.Join(err, fmt.Errorf("cannot change its output now: %w", e))
		}
	})
	if err != nil {
		return err
	}
	ps.each(func(s *capture.Stream) {
		lost := s.Check() != nil
		files, e := s.Descriptors()
		_ = s.Close(ctx) // what it cannot write stays in the pipe
		err = errors.Join(err, e)
		for _, f := range files {
			held[filepath.Base(f.Name())] = f
		}
		if !lost {
			return
		}
		for _, f := range files {
			f.Close()
			delete(held, filepath.Base(f.Name()))
		}
		// Nobody but us may write in the folder, and the FIFO is not there.
		if e := os.Remove(s.Config().FIFO); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("cannot make the FIFO of its output again: %w", e))
		}
	})
	return err
}

// drop ends the streams of a program that is no more and deletes their FIFOs.
func (o *outputs) drop(program string) {
	o.changing.Lock()
	defer o.changing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	ps := o.of(program)
	o.mu.Lock()
	delete(o.streams, program)
	delete(o.placed, program)
	o.mu.Unlock()
	if ps.stdout == nil && ps.stderr == nil {
		return
	}
	ps.each(func(s *capture.Stream) { _ = s.Remove(ctx) })
	o.kept.stale = true
	_ = o.kept.update(o.descriptors) // the store holds a FIFO that nobody writes into
}
