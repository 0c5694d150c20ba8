package explain

import (
	"fmt"
	"time"

	"msup/policy"
)

// needs says of a program that waits for others, or was given up for want of them, how these
// are.
func needs(f Facts) []string {
	s := f.State
	if !s.Unmet && (s.Phase != policy.Starting || s.IsActive()) {
		return nil
	}
	var out []string
	for _, n := range f.Needs {
		if n.Standing == policy.Met {
			continue
		}
		text := fmt.Sprintf("needs %s (%s), which is %s", n.Program, n.Condition, n.State.Phase)
		if n.Optional {
			text = fmt.Sprintf("waits for %s (%s) while it is on its way: it is %s", n.Program, n.Condition, n.State.Phase)
		}
		if !n.State.Since.IsZero() {
			text += " since " + f.when(n.State.Since)
		}
		if n.State.Reason != "" {
			text += ": " + n.State.Reason
		}
		out = append(out, text)
		switch next := n.State.NextStart(); {
		case n.Standing == policy.Idle:
			out = append(out, fmt.Sprintf("  msup start %s starts it", n.Program))
		case n.Standing == policy.Lost && !next.IsZero():
			out = append(out, fmt.Sprintf("  it is tried again %s, at %s; msup why %s says more", countdown(next.Sub(f.Now)), f.clock(next.Round(time.Second)), n.Program))
		case n.Standing == policy.Lost:
			out = append(out, fmt.Sprintf("  msup why %s says more; once it is started again, so is this", n.Program))
		}
	}
	return out
}
