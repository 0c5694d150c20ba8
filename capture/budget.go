package capture

import (
	"math"
	"sync"
	"time"
)

// DefaultRate is what a program may send to the journal unless its configuration says
// otherwise, in lines per second.
const DefaultRate = 1000

// Budget is how many lines a program may send to the journal: journald takes about 100 CPU
// seconds per GiB. It is a token bucket: tokens come at a steady rate up to a maximum, each
// line takes one for each KiB begun, for journald's cost is in the bytes too. The streams
// of a program share one. nil has no limit.
type Budget struct {
	rate  float64 // tokens per second
	burst float64 // maximum

	mu     sync.Mutex
	tokens float64
	last   time.Time
	dry    bool // ran out, and has not recovered enough since
}

// NewBudget returns a full budget of rate lines per second; 0 = no limit. burst is how many
// lines may come at once; 0 = ten times the rate.
func NewBudget(rate, burst int) *Budget {
	if rate <= 0 {
		return nil
	}
	if burst <= 0 {
		burst = min(rate, math.MaxInt/10) * 10
	}
	return &Budget{rate: float64(rate), burst: float64(burst), tokens: float64(burst)}
}

// ready reports whether looking at lines is worth it. A budget that ran dry is ready again
// when it has tokens for a quarter of a second: looking at every batch for the sake of one
// line would cost as much as having no budget.
func (b *Budget) ready(now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// now of one stream may be before that of the other.
	if d := now.Sub(b.last); !b.last.IsZero() && d > 0 {
		b.tokens = min(b.burst, b.tokens+b.rate*d.Seconds())
	}
	if now.After(b.last) {
		b.last = now
	}
	if b.dry && b.tokens >= max(1, min(b.rate/4, b.burst)) {
		b.dry = false
	}
	return !b.dry
}

// take takes the tokens of a line of n bytes and reports whether there was one. The last
// line may overdraw: else a small burst would never let a long line through.
func (b *Budget) take(n int) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		b.dry = true
		return false
	}
	b.tokens -= float64((max(n, 1) + 1023) / 1024)
	return true
}
