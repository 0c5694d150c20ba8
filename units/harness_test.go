package units_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

// program is a program of the name that differs from others by changes.
func program(name string, change ...func(*units.Program)) units.Program {
	p := units.Program{
		Name: name, Unit: units.UnitName(units.DefaultProject, name, units.Service), Type: units.Service,
		Path: "/bin/" + name, Argv: []string{name}, Directory: "/", Autostart: true, StopSignal: 15, StopTimeout: 10 * time.Second,
		Rules: policy.Rules{
			Autorestart: policy.OnFailure, RestartDelay: time.Second, MaxRestarts: 2,
			RestartReset: time.Minute, Success: policy.Codes(0),
		},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

// run is a supervisor over a fake systemd.
type run struct {
	t       *testing.T
	fake    *fakeSystemd
	sup     *units.Supervisor
	mu      sync.Mutex // of records, while the supervisor runs
	records []units.Record
	saved   *units.Saved
	cancel  context.CancelFunc
	done    chan error
}

func start(t *testing.T, fake *fakeSystemd, saved *units.Saved, programs ...units.Program) *run {
	return startWith(t, fake, saved, nil, programs...)
}

func startWith(t *testing.T, fake *fakeSystemd, saved *units.Saved, forker units.Forker, programs ...units.Program) *run {
	return startProject(t, fake, saved, forker, units.Project{Name: units.DefaultProject, File: "/x/msup.conf", Programs: programs})
}

func startProject(t *testing.T, fake *fakeSystemd, saved *units.Saved, forker units.Forker, project units.Project) *run {
	r := &run{t: t, fake: fake, done: make(chan error, 1)}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	r.sup = units.New(units.Config{
		Project: project,
		Bus:     fake, Saved: saved, Forker: forker, Probe: fake.probe, Connections: fake.connections,
		Prepare: func(units.Program, int) error {
			time.Sleep(fake.prepares)
			return nil
		},
		Listen: func(def units.Program, _ int) {
			if fake.listen != nil {
				fake.listen(def)
			}
		},
		Unlisten: fake.unlisten,
		Log: func(rec units.Record) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.records = append(r.records, rec)
		},
		Save: func(c units.Change, all func() units.Saved) error {
			whole := all()
			if r.saved == nil {
				r.saved = &whole
			} else {
				r.saved.Apply(c)
			}
			// Whoever takes over reads either of them.
			if diff := cmp.Diff(whole.Programs, r.saved.Programs); diff != "" {
				t.Errorf("the changes do not add up (-all +changes):\n%s", diff)
			}
			for name := range whole.Programs {
				if all, changes := whole.EndsOf(name), r.saved.EndsOf(name); !reflect.DeepEqual(all, changes) {
					t.Errorf("the ends do not add up (-all +changes):\n%s", cmp.Diff(all, changes))
				}
			}
			return nil
		},
	})
	fake.emit(units.Connected{})
	go func() { r.done <- r.sup.Run(ctx) }()
	return r
}

// after lets time pass in the bubble and everything settle.
func (r *run) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *run) do(verb units.Verb, programs ...string) {
	r.t.Helper()
	if _, err := r.sup.Do(r.t.Context(), units.Command{Verb: verb, Programs: programs, By: "by the test"}); err != nil {
		r.t.Errorf("%s %v: %v", verb, programs, err)
	}
}

func (r *run) redefine(restart []string, programs ...units.Program) {
	r.t.Helper()
	project := units.Project{Name: units.DefaultProject, File: "/x/msup.conf", Programs: programs}
	if _, err := r.sup.Redefine(r.t.Context(), units.Redefinition{Project: project, Restart: restart, By: "reloaded"}); err != nil {
		r.t.Errorf("Redefine: %v", err)
	}
}

func (r *run) stop() {
	r.cancel()
	if err := <-r.done; !errors.Is(err, context.Canceled) {
		r.t.Errorf("Run: %v", err)
	}
	if len(r.fake.wrong) > 0 {
		r.t.Errorf("systemd was asked for what must not be: %v", r.fake.wrong)
	}
}

// phases is what every program is, "web RUNNING, db STOPPED".
func (r *run) phases() string {
	r.t.Helper()
	snap, err := r.sup.Snapshot(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, p := range snap.Programs {
		out = append(out, p.Name+" "+string(p.State.Phase))
	}
	return strings.Join(out, ", ")
}

func (r *run) status(name string) units.Status {
	r.t.Helper()
	snap, err := r.sup.Snapshot(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, st := range snap.Programs {
		if st.Name == name {
			return st
		}
	}
	return units.Status{}
}

// reason is how program i is, and why.
func (r *run) reason(i int) string {
	r.t.Helper()
	snap, err := r.sup.Snapshot(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return string(snap.Programs[i].State.Phase) + ": " + snap.Programs[i].State.Reason
}

func (r *run) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, rec := range r.records {
		fmt.Fprintln(&b, rec)
	}
	return b.String()
}

func (r *run) wantPhases(want string) {
	r.t.Helper()
	if got := r.phases(); got != want {
		r.t.Errorf("got %s, want %s\n%s", got, want, r.log())
	}
}

func (r *run) wantLog(want string) {
	r.t.Helper()
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), r.log()); diff != "" {
		r.t.Errorf("transition log (-want +got):\n%s", diff)
	}
}

// wantLogEnd compares the last lines of the log.
func (r *run) wantLogEnd(want string) {
	r.t.Helper()
	if got := r.log(); !strings.HasSuffix(got, want) {
		r.t.Errorf("got\n%swant at its end\n%s", got, want)
	}
}

func (r *run) wantReason(want string) {
	r.t.Helper()
	if got := r.reason(0); got != want {
		r.t.Errorf("is %q, want %q", got, want)
	}
}
