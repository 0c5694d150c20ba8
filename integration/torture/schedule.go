//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// step is one disturbance, with all that chance decides about it.
type step struct {
	kind  string
	pause time.Duration // before it
	after time.Duration // between its first and its second act
	times int           // 1 to 5
	pick  int           // which of several
}

func (s step) String() string {
	return fmt.Sprintf("%s (after %s, times %d, pick %d)", s.kind, s.after.Round(100*time.Microsecond), s.times, s.pick)
}

// What can happen in a storm, in which supervisors are killed, and in the weather that one supervisor lives through. weight is how often
// it comes before all others have come, too.
var (
	storm = []kindOf{
		{"kill", 2},
		{"series", 2},
		{"start and kill", 3},
		{"stop and kill", 2},
		{"death and kill", 3},
		{"restart", 1},
		{"upgrade", 2},
		{"away", 3},
		{"ups and kill", 1},
		{"rotate and kill", 2},
		{"deaf stop", 1},
		{"dbus", 1},
		{"reload", 1},
		{"reexec", 1},
		{"reexec and kill", 1},
		{"journald", 1},
		{"socket", 1},
		{"halt", 1},
	}
	weather = []kindOf{
		{"death", 3},
		{"halt", 2},
		{"restart a program", 3},
		{"deaf stop", 1},
		{"ups", 1},
		{"rotate", 2},
		{"followers", 1},
		{"dbus", 1},
		{"reload", 1},
		{"reexec", 2},
		{"journald", 1},
		{"socket", 1},
	}
)

type kindOf struct {
	name   string
	weight int
}

// deck deals steps for ever: each kind comes as often as its weight before the first comes again.
type deck struct {
	rng   *rand.Rand
	kinds []kindOf
	rest  []string
}

func newDeck(rng *rand.Rand, kinds []kindOf) *deck { return &deck{rng: rng, kinds: kinds} }

func (d *deck) next() step {
	// A short run shall see most kinds: each comes once before any comes again.
	for round := 1; len(d.rest) == 0 || round > 1; round++ {
		var names []string
		for _, k := range d.kinds {
			if k.weight >= round {
				names = append(names, k.name)
			}
		}
		if len(names) == 0 {
			break
		}
		d.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		d.rest = append(d.rest, names...)
	}
	s := step{
		kind: d.rest[0], pause: d.between(20*time.Millisecond, 400*time.Millisecond), times: 1 + d.rng.IntN(5), pick: d.rng.IntN(1000),
	}
	d.rest = d.rest[1:]
	// Mostly within the first milliseconds, where calls are on their way.
	s.after = d.between(0, 15*time.Millisecond)
	if d.rng.IntN(3) == 0 {
		s.after = d.between(0, 200*time.Millisecond)
	}
	return s
}

func (d *deck) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.rng.Int64N(int64(most-least)))
}
