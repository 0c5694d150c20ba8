package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"msup/capture"
	"msup/units"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// outputs are the streams of all programs whose output goes to files. The descriptor of
// each stream's FIFO is kept in systemd's file descriptor store (kept.go), so that neither
// programs nor bytes notice when the supervisor goes and another comes.
type outputs struct {
	mover  *capture.Mover
	events chan capture.Event
	paths  map[string][2]string // of the FIFOs of standard output and error, by program; "" = the journal
	marked map[string]bool      // programs whose files get a line for each start and end

	mu      sync.Mutex // of streams, never held while anything is waited for
	streams map[string]programStreams

	mending sync.Mutex // of kept
	kept    *kept

	once sync.Once // of close or remove
}

// programStreams are the streams of one program; both are the same one where both go to
// one file, so that their order is kept. nil = to the journal only.
type programStreams struct{ stdout, stderr *capture.Stream }

func (p programStreams) each(f func(*capture.Stream)) {
	if p.stdout != nil {
		f(p.stdout)
	}
	if p.stderr != nil && p.stderr != p.stdout {
		f(p.stderr)
	}
}

// openOutputs opens the streams of every program. Descriptors that systemd kept for an
// earlier supervisor are used again.
func openOutputs(project units.Project, dir string, user bool) (*outputs, error) {
	kept := openKept(activation.Files(true))
	o := &outputs{
		events: make(chan capture.Event, 1024), kept: kept,
		paths: map[string][2]string{}, streams: map[string]programStreams{},
		marked: map[string]bool{},
	}
	var err error
	if o.mover, err = capture.New(capture.Options{Notify: o.notify}); err != nil {
		return nil, err
	}
	owners := owners{}
	var budget *capture.Budget // of the journal, shared by the streams of a program
	open := func(p units.Program, name, file string) *capture.Stream {
		if file == "" || file == os.DevNull || err != nil {
			return nil
		}
		var s *capture.Stream
		fifo := p.Name + "." + name
		cfg := streamConfig(p, name, file, user)
		cfg.FIFO = filepath.Join(dir, fifo)
		cfg.Writer, cfg.Owner = owners.of(p)
		if cfg.Journal != nil {
			cfg.Journal.Budget = budget
		}
		s, err = o.mover.Open(cfg, kept.take(fifo, cfg.Stamped())...)
		return s
	}
	for _, p := range project.Programs {
		var ps programStreams
		budget = capture.NewBudget(p.Log.JournalRate, p.Log.JournalRate*units.JournalBurst)
		ps.stdout = open(p, stdoutStream, p.Stdout)
		if p.Stderr != "" && p.Stderr == p.Stdout {
			ps.stderr = ps.stdout
		} else {
			ps.stderr = open(p, stderrStream, p.Stderr)
		}
		o.streams[p.Name] = ps
		o.marked[p.Name] = p.Log.Markers
		o.paths[p.Name] = [2]string{fifoOf(ps.stdout), fifoOf(ps.stderr)}
	}
	if err == nil {
		err = kept.update(o.descriptors)
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func fifoOf(s *capture.Stream) string {
	if s == nil {
		return ""
	}
	return s.Config().FIFO
}

// prepare sees to it, before a start of the program, that its FIFOs are where they should
// be: systemd would make plain files in their place.
func (o *outputs) prepare(program string) error {
	o.mending.Lock()
	defer o.mending.Unlock()
	ps, mended := o.of(program), false
	mend := func(s *capture.Stream) (*capture.Stream, error) {
		if s == nil || s.Check() == nil {
			return s, nil
		}
		mended = true
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		_ = s.Close(ctx) // what it cannot write stays in a pipe that nobody knows any more
		cfg := s.Config()
		// Nobody but us may write in the folder, and the FIFO is not there.
		if err := os.Remove(cfg.FIFO); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cannot make the FIFO of its output again: %w", err)
		}
		return o.mover.Open(cfg, nil)
	}
	one := ps.stdout == ps.stderr
	var err, err2 error
	ps.stdout, err = mend(ps.stdout)
	if one {
		ps.stderr = ps.stdout
	} else {
		ps.stderr, err2 = mend(ps.stderr)
	}
	o.mu.Lock()
	o.streams[program] = ps
	o.mu.Unlock()
	if err = errors.Join(err, err2); err != nil || !mended {
		return err
	}
	o.kept.stale = true
	return o.kept.update(o.descriptors)
}

// descriptors opens the FIFOs of all streams once more, under the names to keep them by.
func (o *outputs) descriptors() (files []*os.File, err error) {
	for _, s := range o.all() {
		some, dupErr := s.Descriptors()
		files, err = append(files, some...), errors.Join(err, dupErr)
	}
	return files, err
}

// all returns every stream.
func (o *outputs) all() (streams []*capture.Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ps := range o.streams {
		ps.each(func(s *capture.Stream) { streams = append(streams, s) })
	}
	return streams
}

// notifyFD is sd_pid_notify_with_fds(3). Without a service manager it does nothing.
func notifyFD(state string, f *os.File) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot notify systemd: %w", err)
	}
	defer unix.Close(fd)
	send := func(rights []byte) error {
		err := unix.Sendmsg(fd, []byte(state), rights, &unix.SockaddrUnix{Name: path}, unix.MSG_NOSIGNAL)
		if err != nil {
			return fmt.Errorf("cannot notify systemd: %w", err)
		}
		return nil
	}
	if f == nil {
		return send(nil)
	}
	return withFD(f, func(fd int) error { return send(unix.UnixRights(fd)) })
}

// fifos says where a program's standard streams go, "" = to the journal.
func (o *outputs) fifos(program string) (stdout, stderr string) {
	return o.paths[program][0], o.paths[program][1]
}

// drainTime is how long the last words of a program may take to reach its file.
const drainTime = 2 * time.Second

// ended brings the last words of a program to its file and the journal.
func (o *outputs) ended(program string) {
	if o.paths[program] == [2]string{} {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		o.of(program).each(func(s *capture.Stream) {
			_ = s.Drain(ctx) // what fails is in Stats and told by an event
		})
	}()
}

func (o *outputs) of(program string) programStreams {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.streams[program]
}

// close ends the streams; programs go on writing into their FIFOs.
func (o *outputs) close() { o.finish((*capture.Stream).Close) }

// remove ends the streams and deletes their FIFOs, after the programs.
func (o *outputs) remove() { o.finish((*capture.Stream).Remove) }

func (o *outputs) finish(end func(*capture.Stream, context.Context) error) {
	o.once.Do(func() { o.finishOnce(end) })
}

func (o *outputs) finishOnce(end func(*capture.Stream, context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	o.mending.Lock()
	defer o.mending.Unlock()
	together(o.all(), func(_ int, s *capture.Stream) { _ = end(s, ctx) }) // nobody is left to tell
	_ = o.mover.Close(ctx)
}

// together does something for each of some, all at once.
func together[T any](some []T, do func(int, T)) {
	var wg sync.WaitGroup
	for i, one := range some {
		wg.Go(func() { do(i, one) })
	}
	wg.Wait()
}
