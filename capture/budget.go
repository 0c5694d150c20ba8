package capture

import "time"

// budget is a token bucket: tokens come at a steady rate up to a maximum, each line takes
// one, a long one one for each KiB begun: journald's cost is in the bytes too. journald takes about 100 CPU seconds per GiB, so a program that floods its output
// may not have all of it there.
type budget struct {
	rate   float64 // tokens per second
	burst  float64 // maximum
	tokens float64
	last   time.Time
	dry    bool // ran out, and has not recovered enough since
}

func newBudget(rate, burst int) budget {
	return budget{rate: float64(rate), burst: float64(burst), tokens: float64(burst)}
}

// ready reports whether looking at lines is worth it. A budget that ran dry is ready again
// when it has tokens for a quarter of a second: looking at every batch for the sake of one
// line would cost as much as having no budget.
func (b *budget) ready(now time.Time) bool {
	if !b.last.IsZero() {
		b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.last).Seconds())
	}
	b.last = now
	if b.dry && b.tokens >= max(1, min(b.rate/4, b.burst)) {
		b.dry = false
	}
	return !b.dry
}

// take takes the tokens of a line of n bytes and reports whether there was one. The last
// line may overdraw: else a small burst would never let a long line through.
func (b *budget) take(n int) bool {
	if b.tokens < 1 {
		b.dry = true
		return false
	}
	b.tokens -= float64((max(n, 1) + 1023) / 1024)
	return true
}
