package units_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"msup/units"
)

// mortal is the bus of a supervisor that may be dead: what it does then does not happen.
type mortal struct {
	*fakeSystemd
	dead   *atomic.Bool
	starts func(unit string) // called when it starts one; nil = nobody cares
}

var errDead = errors.New("killed")

func (m mortal) Start(ctx context.Context, unit string, props []units.Property, reset bool, aux ...units.Aux) error {
	if m.dead.Load() {
		return errDead
	}
	if m.starts != nil {
		m.starts(unit)
	}
	return m.fakeSystemd.Start(ctx, unit, props, reset, aux...)
}

func (m mortal) StartUnit(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.StartUnit(ctx, unit)
}

func (m mortal) RestartUnit(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.RestartUnit(ctx, unit)
}

func (m mortal) Stop(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.Stop(ctx, unit)
}

func (m mortal) SetProperties(ctx context.Context, unit string, props []units.Property) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.SetProperties(ctx, unit, props)
}

func (m mortal) Reset(ctx context.Context, unit string) error {
	if m.dead.Load() {
		return errDead
	}
	return m.fakeSystemd.Reset(ctx, unit)
}

// withSeeds runs a test several times, each with chances of its own, or with those of MSUP_SEED.
func withSeeds(t *testing.T, rounds uint64, test func(t *testing.T, seed uint64)) {
	first := uint64(time.Now().UnixNano())
	if text := os.Getenv("MSUP_SEED"); text != "" {
		first, _ = strconv.ParseUint(text, 10, 64)
	}
	for round := range rounds {
		seed := first + round
		t.Logf("MSUP_SEED=%d", seed) // the last that stands there is the one that fails
		synctest.Test(t, func(t *testing.T) { test(t, seed) })
		if t.Failed() {
			return
		}
	}
}

// lives are supervisors of one systemd, one after the other. Most of them are killed in the
// middle of a turn: before what it has decided is written down, or behind that and before it
// is done.
type lives struct {
	t             *testing.T
	fake          *fakeSystemd
	random, inner *rand.Rand         // of the test, and of the supervisors
	starts        func(unit string)  // called when one of them starts a unit; nil = nobody cares
	wrote         func(units.Change) // called under the fake's lock when one of them has written something down; likewise
	saved         *units.Saved       // what was written down last
	count         int
	log           strings.Builder // of all that happened
}

func newLives(t *testing.T, seed uint64) *lives {
	l := &lives{t: t, fake: newFake(), random: rand.New(rand.NewPCG(seed, 0)), inner: rand.New(rand.NewPCG(seed, 1))}
	l.fake.trace = func(text string) { fmt.Fprintf(&l.log, "%s %s\n", time.Now().Format("05.000"), text) }
	return l
}

// live runs a supervisor as long as during lasts, unless it dies in one of its turns, that of
// this number at the latest. The context of during is over when it is dead.
func (l *lives) live(project units.Project, turns int, during func(context.Context, *units.Supervisor)) {
	var dead atomic.Bool
	dying := l.random.IntN(4) // 0: only from outside, 1: before the change is written down
	ctx, cancel := context.WithCancel(l.t.Context())
	var old *units.Saved
	if l.saved != nil {
		c := *l.saved
		old = &c
	}
	sup := units.New(units.Config{
		Project: project, Bus: mortal{l.fake, &dead, l.starts}, Saved: old,
		Save: func(c units.Change, all func() units.Saved) error {
			if dead.Load() {
				return errDead
			}
			if turns--; dying > 0 && turns <= 0 {
				time.Sleep(time.Millisecond) // what is on its way comes to systemd, so that it has to be written down already
				dead.Store(true)
				cancel()
				if dying == 1 {
					return errDead
				}
			}
			if l.saved == nil || l.inner.IntN(8) == 0 {
				whole := all()
				l.saved = &whole
			} else {
				l.saved.Apply(c)
			}
			l.written(c)
			return nil
		},
	})
	l.fake.reconnect()
	done := make(chan error, 1)
	go func() { done <- sup.Run(ctx) }()
	during(ctx, sup)
	dead.Store(true)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		l.t.Errorf("it ended with %v", err)
	}
	l.fake.set(func() { l.fake.cut = true })
	l.count++
	synctest.Wait()
	l.fake.loseEvents()
}

func (l *lives) written(c units.Change) {
	l.fake.set(func() {
		for _, r := range c.Records {
			l.fake.traced(fmt.Sprintf("[%d] %s", l.count, r))
		}
		if len(c.Dropped) > 0 {
			l.fake.traced(fmt.Sprintf("[%d] dropped %v", l.count, c.Dropped))
		}
		if l.wrote != nil {
			l.wrote(c)
		}
	})
}
