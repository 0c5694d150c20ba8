//go:build linux

// Package torture does to a supervisor, for a while, all that it promises to survive, and finds out afterwards whether it has.
//
// [Run] needs a systemd to itself (package sandbox): it restarts journald and dbus-daemon and has systemd execute itself anew. It brings
// up a project of programs that number what they write, that end by themselves, that are killed and stopped from outside, and
// of many that just run. What happens to them is known whatever msup says, because each program keeps a book (package main in
// victim). Chance decides what is done when; the seed brings the same decisions again, though not the same moments.
//
// A run is made of rounds: a storm, in which supervisors are killed; the weather, which one supervisor has to live through without
// growing; and msup down, killed too, with everything brought up again. At the end come the checks: see [Checks].
package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"msup/config"
	"msup/control"
)

// Options says what to do. All but Log are required.
type Options struct {
	Seed   uint64
	For    time.Duration // how long, without the checks; at least 10 s
	Msup   string        // the binary; a copy of it is replaced now and then
	Victim string        // the binary of package victim
	Dir    string        // a folder to make, for everything
	Log    func(format string, args ...any)
}

// Finding is a promise that was not kept.
type Finding struct {
	Check   string // one of Checks
	Program string // "" = none in particular
	At      time.Time
	Text    string
	Around  []string // lines of logs and books about it
}

// Checks are the names of all checks, and what each is about.
var Checks = []struct{ Name, About string }{
	{"pids", "what nothing was done to has the PID it began with, and is up since then for msup as well"},
	{"copies", "every program runs exactly once, or not at all where it should not, and never ran twice at a time"},
	{"lines", "every line a program wrote is in its file, once and in order, and nothing else is"},
	{"exits", "every exit is in the transition log, once and with its cause, and no other is"},
	{"chain", "the transition log goes from state to state without a gap"},
	{"restarts", "restarts are counted and given up as the policy says"},
	{"order", "nothing begins before what it depends on is there, and msup down stops nothing that something depends on"},
	{"delays", "a restart comes after its delay, neither earlier nor later, whatever happened to the supervisor meanwhile"},
	{"stops", "a stop is respected, whoever asks for it, and takes no longer than stop_timeout"},
	{"commands", "commands do what they have said they did, and do not fail while a supervisor is there"},
	{"comeback", "a supervisor that was killed is back within a moment and never ends by itself; there is one"},
	{"socket", "a control socket that was deleted is made again"},
	{"listen", "who connects to a program that systemd listens for is never refused"},
	{"times", "a program that has a schedule is started at its times"},
	{"status", "msup status says what is so"},
	{"state", "a state file that is damaged costs counters, and is told, and costs nothing else"},
	{"leaks", "a supervisor does not grow, and none leaves anything in systemd"},
	{"leftovers", "FIFOs, control groups and failed units are those of the programs"},
	{"down", "msup down leaves nothing, also when the supervisor is killed meanwhile"},
}

// Result is what a run has found.
type Result struct {
	Findings []Finding
	Schedule []string // what was done, with times
	Figures  []string // what was counted and measured
}

// run is one run.
type run struct {
	Options
	ctx      context.Context
	began    time.Time
	rng      *rand.Rand
	programs []*program
	conf     string
	msup     string // the copy that is used
	log      string // the transition log
	client   *control.Client
	rotates  bool // msup rotate is there

	mu       sync.Mutex // of what follows
	result   Result
	absences []absence
	downs    []window // belongs to the goroutine that takes the steps

	replaced int       // supervisors restarted in fair weather because they could not be reached
	quits    int       // supervisors ended by SIGQUIT, to count their goroutines
	marks    []mark    // what must stay as it is
	damaged  time.Time // when the state was damaged for the first time
	calm     time.Time // since when crashing programs do not
	behind   sync.WaitGroup
	busy     map[string]bool // programs that something is being done to behind the others; belongs to the goroutine that takes the steps
	done     chan string     // names of those that are not busy any more
	stalls   *metronome
	doors    []*door
}

// absence is a time in which no supervisor did its work.
type absence struct{ from, to time.Time }

// Run tortures. The error says that it could not be done; what msup did wrong is in the result.
func Run(ctx context.Context, o Options) (*Result, error) {
	r := &run{
		Options: o, ctx: ctx, began: time.Now(), rng: rand.New(rand.NewPCG(o.Seed, 0)),
		msup: filepath.Join(o.Dir, "bin", "msup"), conf: filepath.Join(o.Dir, "msup.conf"), log: filepath.Join(o.Dir, "supervisor.log"),
		client: control.NewClient(filepath.Join(runtimeDir, control.SocketName)),
		busy:   map[string]bool{}, done: make(chan string, 100), stalls: newMetronome(),
	}
	if r.Log == nil {
		r.Log = func(string, ...any) {}
	}
	defer r.stalls.stop()
	if err := r.prepare(); err != nil {
		return nil, err
	}
	r.all()
	return &r.result, ctx.Err()
}

const runtimeDir = "/run/msup/default"

// prepare writes the files and reads the configuration as msup does.
func (r *run) prepare() error {
	for _, folder := range []string{"bin", "books", "out"} {
		if err := os.MkdirAll(filepath.Join(r.Dir, folder), 0o755); err != nil {
			return err
		}
	}
	if err := copyFile(r.Msup, r.msup); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.Dir, "writer.sh"), []byte(writerScript), 0o644); err != nil {
		return err
	}
	defaults := ""
	if r.hasKey("log_backups") {
		defaults = "log_backups = 1000" // nothing shall be deleted
	}
	r.programs = cast(r.Dir, r.Victim, r.For, r.hasKey)
	if err := os.WriteFile(r.conf, []byte(configuration(r.Dir, defaults, r.programs)), 0o644); err != nil {
		return err
	}
	cfg, err := config.Load(r.conf)
	if err != nil {
		return err
	}
	for i, p := range r.programs {
		p.rules, p.stop = cfg.Programs[i].Rules, cfg.Programs[i].StopTimeout
	}
	r.rotates = strings.Contains(command(r.ctx, 10*time.Second, r.msup, "rotate", "--help").text, "msup rotate")
	return nil
}

// hasKey reports whether msup knows a key of a program.
func (r *run) hasKey(key string) bool {
	probe := filepath.Join(r.Dir, "probe.conf")
	_ = os.WriteFile(probe, []byte("[program probe]\ncommand = /bin/true\n"+key+" = \n"), 0o644)
	defer os.Remove(probe)
	_, err := config.Load(probe)
	return err == nil || !strings.Contains(err.Error(), "unknown key")
}

// all is a run from the first up to the last down.
func (r *run) all() {
	before := descriptorsOf(1)
	r.knock()
	r.up("up")
	deadline := r.began.Add(r.For)
	// The last parts take about so long.
	reserve := 8 * time.Second
	round := min(time.Until(deadline)-reserve, 2*time.Minute)
	for n := 1; time.Until(deadline) > reserve+round/2; n++ {
		r.mark()
		r.steps(storm, round*5/10)
		r.verify()
		r.steady(round * 2 / 10)
		r.verify()
		if n == 1 && r.For >= 4*time.Minute {
			r.hang()
			r.verify()
		}
		r.downAndUp()
	}
	r.mark()
	r.settle()
	r.damage()
	r.verify()
	r.finish()
	r.lastDown(before)
	r.judge()
}

// note adds a line to the schedule.
func (r *run) note(format string, args ...any) {
	line := fmt.Sprintf("%s +%.3fs ", clock(time.Now()), time.Since(r.began).Seconds()) + fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Schedule = append(r.result.Schedule, line)
	r.Log("%s", line)
}

func (r *run) figure(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Figures = append(r.result.Figures, fmt.Sprintf(format, args...))
}

// fail notes that a promise was not kept.
func (r *run) fail(check, program string, at time.Time, format string, args ...any) {
	f := Finding{Check: check, Program: program, At: at, Text: fmt.Sprintf(format, args...)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Findings = append(r.result.Findings, f)
	r.Log("%s FOUND %s %s: %s", clock(time.Now()), check, program, f.Text)
}

func (r *run) away(from, to time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.absences = append(r.absences, absence{from, to})
}

func (r *run) program(name string) *program {
	for _, p := range r.programs {
		if p.name == name {
			return p
		}
	}
	panic("no program " + name)
}

// metronome measures how late the machine is: a busy one runs nobody in time.
type metronome struct {
	mu    sync.Mutex
	worst time.Duration
	quit  chan struct{}
}

func newMetronome() *metronome {
	m := &metronome{quit: make(chan struct{})}
	go func() {
		const beat = 20 * time.Millisecond
		t := time.NewTicker(beat)
		defer t.Stop()
		last := time.Now()
		for {
			select {
			case <-m.quit:
				return
			case <-t.C:
				m.mu.Lock()
				m.worst = max(m.worst, time.Since(last)-beat)
				m.mu.Unlock()
				last = time.Now()
			}
		}
	}()
	return m
}

func (m *metronome) stop() { close(m.quit) }

// tolerance is by how much things may be late.
func (m *metronome) tolerance() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return 2*time.Second + 4*m.worst
}
