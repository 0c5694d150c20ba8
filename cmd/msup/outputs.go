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
	dir    string // of the FIFOs
	user   bool

	mu      sync.Mutex // of streams, never held while anything is waited for
	streams map[string]programStreams
	placed  map[string][]units.OutputSpan // where the output of the run under way begins, as Begin
	listens map[string]*listening         // whose line is looked for

	told   chan struct{} // closed when it is known whom to tell of a line, by heard
	heard  func(program string, attempt int, line string) bool
	closed chan struct{}

	changing sync.Mutex        // of kept, of latest, and of what streams there are
	latest   map[string]output // what redefine was told last
	kept     *kept

	once sync.Once // of close or remove
}

// programStreams are the streams of one program; both are the same one where both go to
// one file, so that their order is kept. nil = not through us.
type programStreams struct {
	stdout, stderr *capture.Stream
	output         output // what they were opened for
}

// output is the part of a definition that the streams of a program depend on.
type output struct {
	unit, stdout, stderr string
	user, group          string
	log                  units.Log
	byLine               bool // it is looked at for a line
}

func outputOf(p units.Program) output {
	return output{p.Unit, p.Stdout, p.Stderr, p.User, p.Group, p.Log, readyByLine(p)}
}

func (p programStreams) each(f func(*capture.Stream)) {
	if p.stdout != nil {
		f(p.stdout)
	}
	if p.stderr != nil && p.stderr != p.stdout {
		f(p.stderr)
	}
}

// openOutputs opens the streams of every program. Descriptors that systemd kept for an
// earlier supervisor are used again. saved is what that has left behind, nil = nothing: the
// output of a program that was not ready then is looked at from the very next byte on.
func openOutputs(project units.Project, dir string, user bool, saved *units.Saved) (*outputs, error) {
	kept := openKept(activation.Files(true))
	o := &outputs{
		events: make(chan capture.Event, 1024), dir: dir, user: user, kept: kept,
		streams: map[string]programStreams{}, placed: map[string][]units.OutputSpan{},
		listens: map[string]*listening{}, told: make(chan struct{}), closed: make(chan struct{}),
	}
	var err error
	if o.mover, err = capture.New(capture.Options{Notify: o.notify}); err != nil {
		return nil, err
	}
	who := owners{}
	for _, p := range project.Programs {
		if saved != nil && saved.Programs[p.Name].Listens(p) {
			o.listen(p, 0)
		}
		if err = o.open(p, who, kept.take); err != nil {
			break
		}
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

// open opens the streams of a program. kept has the descriptors of those that are open
// elsewhere, see [kept.take].
func (o *outputs) open(p units.Program, who owners, kept func(name string, two bool) []*os.File) error {
	// Of the journal, shared by the streams of a program.
	budget := capture.NewBudget(p.Log.JournalRate, p.Log.JournalRate*units.JournalBurst)
	var errs error
	one := func(name, file string) *capture.Stream {
		if !captured(file, readyByLine(p)) || errs != nil {
			return nil
		}
		fifo := p.Name + "." + name
		cfg := streamConfig(p, name, file, o.user)
		cfg.Expect = o.expectationOf(p.Name)
		cfg.FIFO = filepath.Join(o.dir, fifo)
		cfg.Writer, cfg.Owner = who.of(p)
		if !isFile(file) {
			cfg.Owner = nil
		}
		if cfg.Journal != nil {
			cfg.Journal.Budget = budget
		}
		s, err := o.mover.Open(cfg, kept(fifo, cfg.Stamped())...)
		errs = errors.Join(errs, err)
		return s
	}
	ps := programStreams{output: outputOf(p)}
	ps.stdout = one(stdoutStream, p.Stdout)
	if p.Stderr != "" && p.Stderr == p.Stdout {
		ps.stderr = ps.stdout
	} else {
		ps.stderr = one(stderrStream, p.Stderr)
	}
	if errs != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		ps.each(func(s *capture.Stream) { _ = s.Close(ctx) }) // the FIFO stays, and what is in it
		return errs
	}
	o.put(p.Name, ps)
	return nil
}

func (o *outputs) put(program string, ps programStreams) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.streams[program] = ps
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

// fifos says where a program's standard streams go, "" = not through us.
func (o *outputs) fifos(program string) (stdout, stderr string) {
	ps := o.of(program)
	return fifoOf(ps.stdout), fifoOf(ps.stderr)
}

func fifoOf(s *capture.Stream) string {
	if s == nil {
		return ""
	}
	return s.Config().FIFO
}

// drainTime is how long the last words of a program may take to reach its file.
const drainTime = 2 * time.Second

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
	o.changing.Lock()
	defer o.changing.Unlock()
	close(o.closed)
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
